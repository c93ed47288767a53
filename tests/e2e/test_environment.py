"""What a worker finds in its environment: whose word counts, what files add, what is never shown and never kept."""
import json
import os
import stat
from pathlib import Path

from harness import Home, check, run_tests, wait_for

SECRET = "s3cret-of-the-file"


def environment(home: Home, name: str) -> dict[str, str]:
    """Of the running worker, as the kernel has it."""
    pid = home.app(name)["pid"]
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def write_apps(home: Home, *apps: dict, **beside) -> None:
    base = {"script": "/bin/sleep", "args": "1000"}
    (home.work / "e.json").write_text(json.dumps({"apps": [base | app for app in apps]} | beside))


def test_whose_word_counts():
    with Home(env={"A": "shell", "B": "shell", "C": "shell", "D": "shell", "E": "shell"}) as home:
        (home.work / ".env").write_text("B=file\nC=file\nD=file\nE=file\n")
        write_apps(home, {"name": "a", "env_file": ".env", "env": {"C": "env", "D": "env", "E": "env"},
                          "env_prod": {"E": "env_prod"}},
                   deploy={"prod": {"env": {"D": "deploy", "E": "deploy"}}})
        home.run("start", "e.json", "--env", "prod")
        env = environment(home, "a")
        wanted = {"A": "shell", "B": "file", "C": "env", "D": "deploy", "E": "env_prod"}
        check({key: env[key] for key in wanted} == wanted, f"{env}")
        home.run("delete", "a")
        home.run("start", "e.json")
        check(environment(home, "a")["E"] == "env", "env_prod without --env")
        done = home.run("restart", "e.json", "--env", "test")
        check("Environment [test] is not defined in process file" in done.stderr, done.stderr)


def test_nothing_leaks_into_a_worker():
    with Home() as home:
        del home.env["PMX_HOME"]  # As where the home has its usual place.
        home.env["HOME"] = str(home.work)
        env = {"PMX_SHIP": "file:///dev/null", "PMX_SHIP_PASSWORD": "p"}
        home.run("start", "/bin/sleep", "--name", "a", "--log-date-format", "HH", "--", "1000", env=env)
        worker = environment(home, "a")
        added = {key for key in worker if worker[key] != (home.env | env).get(key)}
        check(added == {"PWD", "name", "namespace", "pm_id", "pm_exec_path", "pm_cwd", "exec_mode", "unique_id",
                        "PM2_HOME", "PM2_USAGE", "NODE_APP_INSTANCE"}, f"{sorted(added)}")
        check(worker["pm_id"] == "0" and worker["name"] == "a" and worker["PM2_HOME"] == f"{home.work}/.pmx", f"{worker}")


def test_an_apps_variables_are_no_settings():
    with Home() as home:
        own = {"name": "other", "status": "errored", "instances": "7", "pm_id": "99", "autorestart": "false",
               "exec_mode": "none", "NODE_APP_INSTANCE": "5", "env": "x", "script": "/nowhere"}
        write_apps(home, {"name": "a", "env": own})
        home.run("start", "e.json", env={"name": "shell", "namespace": "shell"})
        app = home.app("a")
        check(app["pm2_env"]["status"] == "online" and app["pm_id"] == 0, f"{app}")
        check((app["pm2_env"]["name"], app["pm2_env"]["instances"]) == ("a", 1), "a variable became a setting")
        check(app["pm2_env"]["namespace"] == "default" and len(home.list()) == 1, "a shell's variable became a setting")
        worker = environment(home, "a")
        check({key: worker[key] for key in own} == own, f"the app's own word is changed: {worker}")
        check(worker["namespace"] == "default", "an inherited name was kept")
        home.run("restart", "a")
        check(home.app("a")["pm2_env"]["name"] == "a", "after a restart")


def test_env_files_are_read_at_each_start_and_kept_nowhere():
    with Home() as home:
        file = home.work / "shared.env"
        file.write_text(f"export TOKEN='{SECRET}' # comment\nTEXT=\"two\\nlines\"\nGONE=1\n")
        (home.work / ".env").symlink_to(file)
        write_apps(home, {"name": "a", "env_file": [".env", ".env.local?"]})
        home.run("start", "e.json")
        env = environment(home, "a")
        check((env["TOKEN"], env["TEXT"], env["GONE"]) == (SECRET, "two\nlines", "1"), f"{env}")
        shown = home.run("jlist").stdout + home.run("env", "0", "--reveal").stdout
        shown += home.run("describe", "a", "--reveal").stdout + home.run("prettylist").stdout
        check(SECRET not in shown, "jlist, env or describe shows it")
        for path, text in home.contents():
            check(SECRET.encode() not in text, f"{path} holds it")
        file.write_text("TOKEN=changed\n")
        (home.work / ".env.local").write_text("LOCAL=1\n")
        home.run("restart", "a")
        env = environment(home, "a")
        check(env["TOKEN"] == "changed" and env["LOCAL"] == "1" and "GONE" not in env, f"{env}")
        file.write_text("TOKEN=after a crash\n")
        pid = home.app("a")["pid"]
        os.kill(pid, 9)
        wait_for("the worker is started again", lambda: home.app("a")["pid"] not in (0, pid))
        check(environment(home, "a")["TOKEN"] == "after a crash", "not read at a restart of pmx's own")


def test_a_missing_or_wrong_env_file_is_a_clear_failure():
    with Home() as home:
        write_apps(home, {"name": "good"}, {"name": "a", "env_file": ".env"})
        done = home.run("start", "e.json", ok=False)
        check(f"env_file {home.work}/.env of app a is not there" in done.stderr, done.stderr)
        check(home.list() == [], "something was started")
        (home.work / ".env").write_text(f"A=1\n{SECRET}\n")
        done = home.run("start", "e.json", ok=False)
        check(".env of app a: line 2: expected NAME=value" in done.stderr and SECRET not in done.stderr, done.stderr)
        (home.work / ".env").write_text("A=1\n")
        home.run("start", "e.json")
        (home.work / ".env").unlink()
        done = home.run("restart", "a", ok=False)
        check("is not there" in done.stderr and home.status("a") == "online", done.stderr)
        home.run("stop", "a")
        done = home.run("start", "a", ok=False)
        check("is not there" in done.stderr, done.stderr)
        check(home.status("a") == "errored" and home.status("good") == "online", "status")
        check("is not there" in home.run("describe", "a").stdout, "describe does not say why")


def test_an_env_file_is_read_with_the_rights_of_the_user():
    if os.geteuid() != 0:
        return
    with Home() as home:
        home.work.chmod(0o755)
        file = home.work / ".env"
        file.write_text(f"TOKEN={SECRET}\n")
        file.chmod(0o600)
        home.run("start", "/bin/sleep", "--name", "a", "--uid", "nobody", "--env-file", ".env", "--", "1000", ok=False)
        check("Permission denied" in home.run("describe", "a").stdout, "nobody read root's file")
        file.chmod(0o644)
        home.run("restart", "a")
        check(environment(home, "a")["TOKEN"] == SECRET, "nobody did not read his file")


def test_update_env_takes_over_the_shell():
    with Home(env={"A": "1", "B": "1"}) as home:
        write_apps(home, {"name": "a", "env": {"OWN": "1"}})
        home.run("start", "e.json")
        home.run("restart", "a", env={"A": "2"})
        check(environment(home, "a")["A"] == "1", "taken over without being asked")
        said = home.run("restart", "a").stdout
        check("Use --update-env to update environment variables" in said, said)
        home.run("restart", "a", "--update-env", env={"A": "2", "OWN": "2", "NEW": "1"})
        env = environment(home, "a")
        check((env["A"], env["B"], env["OWN"], env["NEW"]) == ("2", "1", "2", "1"), f"{env}")


def test_what_looks_secret_is_hidden_until_it_is_asked_for():
    with Home() as home:
        write_apps(home, {"name": "a", "env": {"DB_PASSWORD": "hunter2", "apiKey": "hunter2", "PORT": "80",
                                               "DATABASE": "postgres://me:hunter2@db/x"}})
        home.run("start", "e.json")
        for command in (("env", "0"), ("describe", "a")):
            check("hunter2" not in home.run(*command).stdout, f"{command} shows it")
        shown = home.run("env", "0").stdout
        for line in ("DB_PASSWORD: [secret]", "apiKey: [secret]", "PORT: 80", "DATABASE: postgres://me:[secret]@db/x"):
            check(line in shown.splitlines(), f"{line} is not in {shown}")
        check(home.run("env", "0", "--reveal").stdout.count("hunter2") == 3, "--reveal")
        check(home.app("a")["pm2_env"]["env"]["DB_PASSWORD"] == "hunter2", "jlist is a program's, and as PM2's")


def test_only_their_owner_reads_state_and_dump():
    with Home(env={"DB_PASSWORD": "hunter2"}) as home:
        home.start("a", "/bin/sleep", args=["1000"])
        home.run("list")
        holds = [path for path, text in home.contents() if b"hunter2" in text]
        check(any(path.name == "apps.json" for path in holds), "the roster has no environment")
        for path in [*holds, home.path / "state"]:
            mode = stat.S_IMODE(path.stat().st_mode)
            check(mode & 0o077 == 0, f"{path} has mode {mode:o}")
        check(stat.S_IMODE((home.path / "pmx.sock").stat().st_mode) == 0o600, "the socket")


def test_a_number_of_its_own_for_each_instance():
    with Home() as home:
        write_apps(home, {"name": "a", "instances": 3, "increment_var": "PORT", "env": {"PORT": 3000},
                          "instance_var": "SLOT"})
        home.run("start", "e.json")
        apps = sorted(home.list(), key=lambda app: app["pm_id"])
        ports = []
        for app in apps:
            entries = Path(f"/proc/{app['pid']}/environ").read_bytes().decode().split("\0")
            worker = dict(entry.split("=", 1) for entry in entries if entry)
            ports.append((worker["PORT"], worker["SLOT"], app["pm2_env"]["env"]["PORT"]))
        check(ports == [("3000", "0", "3000"), ("3001", "1", "3001"), ("3002", "2", "3002")], f"{ports}")
        write_apps(home, {"name": "b", "increment_var": "PORT", "env": {"PORT": "http"}})
        done = home.run("start", "e.json", ok=False)
        check("increment_var PORT of app b: its value is no number" in done.stderr, done.stderr)


def test_variables_of_the_shell_can_be_left_out():
    with Home(env={"SECRET_A": "1", "MY_SECRET": "1", "OTHER": "1"}) as home:
        write_apps(home, {"name": "one", "filter_env": "SECRET_A"}, {"name": "some", "filter_env": ["SECRET"]},
                   {"name": "none"}, {"name": "all", "filter_env": True})
        home.run("start", "e.json")
        def has(name: str) -> list[str]:
            return [key for key in ("SECRET_A", "MY_SECRET", "OTHER") if key in environment(home, name)]
        check(has("one") == ["MY_SECRET", "OTHER"], f"one: {has('one')}")
        check(has("some") == ["OTHER"], f"some: {has('some')}")
        check(has("none") == ["SECRET_A", "MY_SECRET", "OTHER"], "a filter has reached the next app")
        check(has("all") == [], f"all: {has('all')}")
        write_apps(home, {"name": "none", "filter_env": ["SECRET"]})
        home.run("restart", "e.json")
        check(has("none") == ["OTHER"], "a filter that was added later")
        home.run("start", "/bin/sleep", "--name", "line", "--filter-env", "SECRET", "--", "1000")
        check(has("line") == ["OTHER"], "--filter-env")


if __name__ == "__main__":
    run_tests()
