"""PM2's commands, as scripts call them: what they print, what they leave behind, how they end."""
import json
import os
import re
import signal
import subprocess

from harness import PMX, Home, alive, check, run_tests, wait_for


def online(home: Home, name: str) -> list[int]:
    """The ids of its instances that run."""
    return [app["pm_id"] for app in home.list() if app["name"] == name and app["pm2_env"]["status"] == "online"]


def test_scale_adds_and_takes_the_newest_away():
    with Home() as home:
        home.start("web", "/bin/sleep", "-i", 2, args=["1000"])
        home.run("scale", "web", "4")
        check(online(home, "web") == [0, 1, 2, 3], f"scale 4: {online(home, 'web')}")
        home.run("scale", "web", "+1")
        check(online(home, "web") == [0, 1, 2, 3, 4], f"scale +1: {online(home, 'web')}")
        home.run("scale", "web", "1")
        check(online(home, "web") == [0], f"scale 1: {online(home, 'web')}")
        check(home.app("web")["pm2_env"]["NODE_APP_INSTANCE"] == 0, "instance 0 has gone")
        done = home.run("scale", "web", "1", ok=False)
        check("Nothing to do" in done.stderr, done.stderr)
        check("number of instances" in home.run("scale", "web", "x", ok=False).stderr, "scale x")


def test_reload_starts_again_and_prints_no_table():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        before = home.app("web")["pid"]
        said = home.run("reload", "web").stdout
        check("reloadProcessId" in said and "│" not in said, f"reload prints {said!r}")
        check(home.app("web")["pid"] != before, "it was not started again")
        check("not found" in home.run("reload", "nobody", ok=False).stderr, "reload of nobody")


def test_start_or_restart_starts_what_is_missing_and_restarts_what_runs():
    with Home() as home:
        (home.work / "ecosystem.config.js").write_text(
            "module.exports = { apps: ['a', 'b'].map(name => ({ name, script: '/bin/sleep', args: '1000' })) }")
        home.start("a", "/bin/sleep", args=["1000"])
        before = home.app("a")["pid"]
        for command in ("startOrRestart", "startOrReload", "startOrGracefulReload"):
            home.run(command, "ecosystem.config.js")
            now = home.app("a")["pid"]
            check(now != before and online(home, "b"), f"{command}: {home.list()}")
            before = now


def test_ecosystem_writes_a_file_that_starts_and_replaces_none():
    with Home() as home:
        path = home.work / "ecosystem.config.js"
        for words in ([], ["simple"]):
            said = home.run("ecosystem", *words, "-f").stdout
            check(said == f"File {path} generated\n", f"it says {said!r}")
            (home.work / "app.js").write_text("setInterval(() => {}, 1000)")
            home.run("start", "ecosystem.config.js")
            check(online(home, "app1"), "app1 does not run")
            home.run("delete", "all")
        path.write_text("mine")
        check("-f" in home.run("init", ok=False).stderr, "it does not say how to replace it")
        check(path.read_text() == "mine", "somebody's file was replaced")


def test_multiset_sets_all_or_none():
    with Home() as home:
        home.run("multiset", "pm2-logrotate:max_size", "3M", "pm2-logrotate:retain", "7")
        check(home.run("get", "rotate.retain").stdout == "7\n", "retain")
        home.run("multiset", "pm2-logrotate:retain 9 pm2-logrotate:max_size nonsense", ok=False)
        check(home.run("get", "rotate.retain").stdout == "7\n", "half of it was set")


def dumped(home: Home) -> list[dict]:
    return json.loads((home.path / "dump.pm2").read_text())


def test_save_and_resurrect_bring_apps_back_in_their_old_places():
    with Home(env={"PRIVATE": "one"}) as home:
        home.start("web", "/bin/sleep", "-i", 2, args=["1000"])
        home.start("gone", "/bin/sleep", args=["1000"])
        home.start("idle", "/bin/sleep", args=["1000"])
        home.run("delete", "gone")
        home.run("stop", "idle")
        said = home.run("save").stdout
        check(f"Successfully saved in {home.path}/dump.pm2" in said, said)
        check((home.path / "dump.pm2").stat().st_mode & 0o777 == 0o600, "others can read it")
        check([(app["name"], app["pm_exec_path"]) for app in dumped(home)]
              == [("web", "/bin/sleep")] * 2 + [("idle", "/bin/sleep")], f"it holds {dumped(home)}")
        home.kill()
        check(home.list() == [], "after kill the list is not empty")
        home.run("resurrect", env={"PRIVATE": "two"})
        check([(app["name"], app["pm_id"], app["pm2_env"]["status"]) for app in home.list()]
              == [("web", 0, "online"), ("web", 1, "online"), ("idle", 3, "stopped")], f"{home.list()}")
        check(home.app("web")["pm2_env"]["env"]["PRIVATE"] == "one", "the environment is not the saved one")
        pids = home.worker_pids()
        home.run("resurrect")  # What is listed is left alone.
        check(home.worker_pids() == pids, "resurrect touched what was there")


def test_without_autosave_only_what_was_saved_comes_back():
    with Home() as home:
        said = home.run("set", "autosave", "false").stdout
        check("autosave is false" in said, said)
        home.start("a", "/bin/sleep", args=["1000"])
        home.run("save")
        listed = home.run("list")
        check("not synchronized" not in listed.stdout + listed.stderr, f"{listed}")
        home.start("b", "/bin/sleep", args=["1000"])
        listed = home.run("list")
        check("saved list: app b differs. Type 'pmx save'" in listed.stdout + listed.stderr, f"{listed}")
        home.kill_daemon()
        check([app["name"] for app in home.list()] == ["a", "b"], "a daemon's death empties the list")
        pids = home.ping()
        for how in (signal.SIGSTOP, signal.SIGKILL):  # None of them sees the other's death.
            for pid in (pids["keeper_pid"], pids["daemon_pid"]):
                os.kill(pid, how)
        wait_for("both are gone", lambda: not alive(pids["keeper_pid"]) and not alive(pids["daemon_pid"]))
        check(home.list() == [], "what was not saved came back")
        home.run("resurrect")
        check([app["name"] for app in home.list()] == ["a"], "resurrect")


def test_a_broken_dump_is_replaced_by_the_one_before():
    with Home() as home:
        home.start("a", "/bin/sleep", args=["1000"])
        home.run("save")
        home.run("save")
        home.run("delete", "all")
        (home.path / "dump.pm2").write_text('[{"name": "a", "pm_ex')
        done = home.run("resurrect")
        check(online(home, "a") and "dump.pm2.bak is used" in done.stderr, done.stderr)


def test_save_of_an_empty_list_needs_force():
    with Home() as home:
        home.start("a", "/bin/sleep", args=["1000"])
        home.run("save")
        home.run("delete", "all")
        home.run("save")
        check(len(dumped(home)) == 1, "an empty list replaced the dump")
        home.run("save", "--force")
        check(dumped(home) == [], "force does not save it")
        home.run("cleardump")
        check(dumped(home) == [], "cleardump")
        (home.path / "dump.pm2").unlink()
        (home.path / "dump.pm2.bak").unlink()
        check("pmx save" in home.run("resurrect", ok=False).stderr, "no dump")


def test_import_shows_what_pm2_has_saved_and_takes_it_over_with_yes():
    with Home() as home:
        old = home.work / "pm2"
        old.mkdir()
        entry = {"name": "web", "pm_exec_path": "/bin/sleep", "pm_cwd": "/", "args": ["1000"], "exec_interpreter": "none",
                 "exec_mode": "fork_mode", "merge_logs": True, "status": "online", "pm_id": 5, "NODE_APP_INSTANCE": 0,
                 "pm_out_log_path": f"{old}/logs/web-out.log", "pm_err_log_path": f"{old}/logs/web-error.log",
                 "env": {"PORT": "80", "unique_id": "x"}}
        (old / "dump.pm2").write_text(json.dumps([entry, entry | {"name": "idle", "pm_id": 6, "status": "stopped"}, {}]))
        (old / "module_conf.json").write_text(json.dumps({"pm2-logrotate": {"max_size": "5M", "retain": "9", "TZ": "UTC"}}))
        said = home.run("import", old)
        check("app web: /bin/sleep 1000" in said.stdout and "idle" in said.stdout and "5M" in said.stdout, said.stdout)
        check(home.list() == [], "something was started without --yes")
        home.run("import", old, "--yes")
        app = home.app("web")
        check((app["pm_id"], app["pm2_env"]["status"]) == (5, "online"), f"{app['pm_id']}")
        check(app["pm2_env"]["env"]["PORT"] == "80", "its environment is lost")
        check(app["pm2_env"]["pm_out_log_path"] == str(home.logs / "web-out.log"), app["pm2_env"]["pm_out_log_path"])
        check(home.status("idle") == "stopped", "idle")
        check(home.run("get", "rotate.retain").stdout == "9\n", "the settings of pm2-logrotate")
        check("pm2 save" in home.run("import", home.work / "nowhere", ok=False).stderr, "no dump")


def test_commands_that_pmx_does_not_have_say_what_it_has_instead():
    with Home() as home:
        for words, code in ((["link", "a", "b"], 1), (["link", "delete"], 0), (["plus"], 1), (["unlink"], 0),
                            (["unmonitor", "all"], 0), (["deploy", "x"], 1), (["monit"], 1), (["module:install", "x"], 1)):
            done = home.run(*words, ok=None)
            check(done.returncode == code, f"{words}: exit code {done.returncode}")
            check(len(done.stderr.strip().splitlines()) == 1, f"{words}: not one line: {done.stderr!r}")
        check(not home.pids(), "a daemon was started for it")


def test_link_pm2_makes_links_that_behave_as_pm2():
    with Home() as home:
        directory = home.work / "bin"
        directory.mkdir()
        home.run("link-pm2", directory)
        check({p.name for p in directory.iterdir()} == {"pm2", "pm2-runtime", "pm2-docker"}, "links")
        home.run("link-pm2", directory)  # Once more changes nothing.
        user = home.work / "user"
        user.mkdir()
        env = {k: v for k, v in home.env.items() if k not in ("PMX_HOME", "PM2_HOME")} | {"HOME": str(user)}

        def pm2(*words):
            return subprocess.run([str(directory / "pm2"), *words], env=env, capture_output=True, text=True)
        check(pm2("--version").stdout == "7.0.4\n", pm2("--version").stdout)
        try:
            check(pm2("start", "/bin/sleep", "--name", "a", "--", "1000").returncode == 0, "start")
            check((user / ".pm2/logs/a-out.log").exists(), "its home is not ~/.pm2")
        finally:
            pm2("kill")
        (directory / "pm2").unlink()
        (directory / "pm2").write_text("theirs")
        check("-f" in home.run("link-pm2", directory, ok=False).stderr, "it does not say how to replace it")
        check((directory / "pm2").read_text() == "theirs", "PM2's own was replaced")
        home.run("link-pm2", directory, "-f")
        check(os.path.realpath(directory / "pm2") == os.path.realpath(PMX), "not replaced with -f")


def test_report_says_what_runs_and_no_variable():
    with Home(env={"VERY_PRIVATE": "hidden-value"}) as home:
        home.start("web", "/bin/sleep", args=["1000"])
        said = home.run("report").stdout
        check("web" in said and "kernel" in said and "daemon_pid" in said, said)
        check("hidden-value" not in said, "a variable is in the report")


def test_list_watch_draws_again():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        process = home.spawn("list", "--watch", stdout=subprocess.PIPE, text=True)
        seen = []

        def drawn_twice():
            seen.append(os.read(process.stdout.fileno(), 65536).decode())
            return len(re.findall("web", "".join(seen))) >= 2
        wait_for("a second drawing", drawn_twice)


if __name__ == "__main__":
    run_tests()
