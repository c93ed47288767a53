"""What users of PM2 do every day, and what pmx must not make of it."""
import json
import subprocess
import sys
from pathlib import Path

from harness import Home, alive, check, read_log, run_tests, wait_for

SLEEPER = "setInterval(() => {}, 1000);\n"


def write(home: Home, name: str, text: str) -> Path:
    path = home.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def env_of(home: Home, name: str) -> dict:
    return home.app(name)["pm2_env"]


def test_a_stopped_script_is_started_again_as_it_was():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        home.run("start", "app.js", "--name", "web", "--namespace", "n1", "--max-memory-restart", "300M", "--", "arg1",
                 env={"FOO": "1"})
        home.run("stop", "web")
        done = home.run("start", "app.js", "--name", "web")
        check("Process successfully started" in done.stdout, done.stdout)
        web = env_of(home, "web")
        check(web["status"] == "online" and len(home.list()) == 1, f"{web['status']}")
        check((web["namespace"], web["args"], web["max_memory_restart"], web["env"].get("FOO"))
              == ("n1", ["arg1"], 300 << 20, "1"), f"{web}")
        home.run("stop", "web")
        home.run("start", "app.js", "--name", "web", "--max-memory-restart", "400M")
        check(env_of(home, "web")["max_memory_restart"] == 400 << 20, "what was asked for now is not there")


def test_save_and_resurrect_keep_every_setting():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        write(home, "src/x.txt", "1")
        write(home, ".env", "FOO=fromfile\n")
        write(home, "e.json", json.dumps({"apps": [{"name": "web", "script": "app.js", "watch": ["src"], "env_file": ".env",
                                                    "env": {"FOO": "fromenv", "BAR": "2"}, "instances": 1}]}))
        home.run("start", "e.json")
        before = env_of(home, "web")
        check(before["watch"] == [str(home.work / "src")], f"{before['watch']}")
        home.run("save")
        home.kill()
        home.run("resurrect")
        after = env_of(home, "web")
        for moving in ("pm_uptime", "created_at", "unique_id"):
            for entry in (before, after, before["env"], after["env"]):
                entry.pop(moving, None)
        check(before == after, f"{[key for key in before | after if before.get(key) != after.get(key)]}")
        pid = home.app("web")["pid"]
        environ = Path(f"/proc/{pid}/environ").read_text().split("\0")
        check("FOO=fromenv" in environ, "a file's variable won against the app's own")
        write(home, "outside.txt", "1")
        write(home, "e.json", json.dumps({"apps": [{"name": "web", "script": "app.js", "env_file": ".env",
                                                    "env": {"FOO": "fromenv"}}]}))
        home.run("restart", "e.json")
        check("BAR" not in env_of(home, "web")["env"], "a variable that the file has no more")


def test_an_app_without_files_still_prints_in_a_container():
    with Home() as home:
        write(home, "app.sh", "echo out; echo err >&2; exit 3\n")
        write(home, "m.config.js", "module.exports = { apps: [{ name: 'm', script: 'app.sh', out_file: '/dev/null', "
              "error_file: '/dev/null' }] };\n")
        write(home, "n.config.js", "module.exports = { apps: [{ name: 'm', script: 'app.sh', disable_logs: true }] };\n")
        for file in ("m.config.js", "n.config.js"):
            done = home.run("run", file, ok=None)
            check((done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n"), f"{done}")


def test_start_with_no_daemon_stays_in_the_foreground_and_starts_again():
    with Home() as home:
        write(home, "app.sh", "echo here $1; [ -e once ] && exec sleep 1000; touch once; exit 1\n")
        process = home.spawn("start", "app.sh", "--no-daemon", "--", "arg", stdout=subprocess.PIPE, text=True)
        check([process.stdout.readline() for _ in range(2)] == ["here arg\n"] * 2, "it was not started again")
        check(home.status("app") == "online", "other commands do not see it")
        process.terminate()
        process.communicate(timeout=60)
        check(not home.pids(), "something is left")
        done = home.run("stop", "app", "--no-daemon", ok=False)
        check("--no-daemon is for start and serve" in done.stderr, done.stderr)


def test_a_restart_that_cannot_start_ends_nothing():
    with Home() as home:
        write(home, "app.sh", "exec sleep 1000\n")
        write(home, ".env", "A=1\n")
        home.run("start", "app.sh", "--name", "web", "--env-file", ".env", "-i", "2")
        pids = [app["pid"] for app in home.list()]
        for wrong in (["--interpreter", "nosuch"], ["--interpreter", "/no/such"], ["--cwd", "/nope"]):
            done = home.run("restart", "web", *wrong, ok=False)
            check("stays as it is" in done.stderr and done.stderr.count("\n") <= 2, done.stderr)
        (home.work / ".env").unlink()
        check("stays as it is" in home.run("restart", "web", ok=False).stderr, "a missing env_file")
        check([app["pid"] for app in home.list()] == pids and all(map(alive, pids)), "a good worker was ended")
        write(home, ".env", "A=2\n")
        home.run("restart", "web")
        check(all(app["pm2_env"]["exec_interpreter"] == "bash" for app in home.list()), "a refused setting was kept")


def test_what_a_file_says_and_a_restart_does_not_take_over_is_said():
    with Home() as home:
        write(home, "app.js", SLEEPER)

        def start(**more):
            write(home, "e.json", json.dumps({"apps": [{"name": "web", "script": "app.js", "exec_mode": "fork"} | more]}))
            return home.run("startOrReload", "e.json").stderr
        check("pmx scale" not in start(instances=2), "said of a new app")
        check("web has 2 instances, and" in (said := start(instances=4)) and "says 4: pmx scale web 4" in said, said)
        check("pmx scale" not in start(instances=2), "said where nothing differs")
        said = start(exec_mode="cluster", instances=2)
        check("web stays in fork_mode" in said and "pmx delete web" in said, said)


def test_settings_of_pm2s_own_daemon_end_no_script():
    with Home() as home:
        home.run("set", "pm2:autodump", "false")
        check(home.run("get", "autosave").stdout == "false\n", "autodump is another word for autosave")
        check("has no meaning here" in home.run("set", "pm2:sysmonit", "true").stderr, "not said")
        home.run("set", "no.such.setting", "1", ok=False)


def test_a_commonjs_file_in_a_module_package_is_told_what_is_wrong():
    with Home() as home:
        write(home, "package.json", '{"type": "module"}')
        write(home, "app.js", SLEEPER)
        write(home, "ecosystem.config.js", "module.exports = { apps: [{ script: 'app.js' }] };\n")
        done = home.run("start", "ecosystem.config.js", ok=False)
        check("module is not defined" in done.stderr and ".cjs" in done.stderr, done.stderr)


def test_the_version_is_that_of_the_release_that_runs():
    with Home() as home:
        for release in ("1.0.0", "2.0.0"):
            write(home, f"r{release}/app.js", SLEEPER)
            write(home, f"r{release}/package.json", json.dumps({"version": release}))
        (home.work / "current").symlink_to("r1.0.0")
        home.run("start", "current/app.js", "--name", "web")
        check(env_of(home, "web")["version"] == "1.0.0", "the first")
        (home.work / "current").unlink()
        (home.work / "current").symlink_to("r2.0.0")
        home.run("restart", "web")
        check(env_of(home, "web")["version"] == "2.0.0", "the second")


def test_files_of_instances_have_their_numbers_as_pm2_gives_them():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        for name, options, wanted in (("a", [], ["a-out.log"]), ("b", ["-i", "1"], ["b-out-1.log"]),
                                      ("c", ["-i", "2"], ["c-out-2.log", "c-out-3.log"])):
            home.run("start", "app.js", "--name", name, "-x", *options)
            found = [Path(app["pm2_env"]["pm_out_log_path"]).name for app in home.list() if app["name"] == name]
            check(found == wanted, f"{name}: {found}")


def test_nodes_full_heap_is_told_from_other_crashes():
    with Home() as home:
        write(home, "oom.js", "const kept = []; for (;;) kept.push(new Array(1e5).fill('x'));\n")
        home.run("start", "oom.js", "--no-autorestart", "--node-args=--max-old-space-size=30")
        wait_for("it has crashed", lambda: home.status("oom") in ("stopped", "errored"), 60)
        told = home.run("why", "oom").stdout
        check("--max-old-space-size" in told and "heap" in told, told)


TELLS_ITS_SIGNAL = """for (const s of ['SIGINT', 'SIGTERM', 'SIGQUIT'])
  process.on(s, () => { console.log('got ' + s); process.exit(0); });
setInterval(() => {}, 1000);
console.log('ready');
"""


def test_stop_tells_an_app_by_the_signal_that_it_or_pm2s_variable_names():
    with Home() as home:
        write(home, "app.js", TELLS_ITS_SIGNAL)
        patient = ("--kill-timeout", 20000)
        home.run("start", "app.js", "--name", "plain", *patient)
        home.run("start", "app.js", "--name", "own", "--kill-signal", "sigquit", *patient,
                 env={"PM2_KILL_SIGNAL": "SIGTERM"})
        home.run("start", "app.js", "--name", "variable", *patient, env={"PM2_KILL_SIGNAL": "SIGTERM"})
        for name, signal in (("plain", "SIGINT"), ("own", "SIGQUIT"), ("variable", "SIGTERM")):
            log = home.logs / f"{name}-out.log"
            wait_for(f"{name} is ready", lambda log=log: "ready" in log.read_text())
            home.run("restart", name)
            check(f"got {signal}\n" in log.read_text(), f"{name} got something else than {signal}: {log.read_text()}")
        wrong = home.run("start", "app.js", "--name", "w", "--kill-signal", "SIGKILL", ok=False).stderr
        check("kill_signal" in wrong and "SIGTERM" in wrong, wrong)
        said = home.run("start", "app.js", "--name", "v", env={"PM2_KILL_TIMEOUT": "soon"}).stderr
        check("PM2_KILL_TIMEOUT" in said, f"a wrong variable is not said: {said}")


def test_what_was_started_is_written_to_a_file_that_starts_the_same():
    with Home() as home:
        write(home, "app.js", SLEEPER)
        line = ("start", "app.js", "--name", "web", "-i", "2", "--rotate-max-size", "5M", "-w", "--", "a b", "-c")
        home.run(*line)
        before = env_of(home, "web")
        home.run("delete", "web")
        home.run("start", "web-pm2.json")
        after = env_of(home, "web")
        for key in ("pm_exec_path", "args", "instances", "exec_mode", "rotate"):
            check(before[key] == after[key], f"{key}: {before[key]} became {after[key]}")
        home.run("delete", "web")
        home.run(*line)  # The same again is no other file.
        home.run("delete", "web")
        write(home, "web-pm2.json", "somebody's")
        check("-f" in home.run(*line, ok=False).stderr, "it does not say how to replace it")
        check((home.work / "web-pm2.json").read_text() == "somebody's" and not home.list(), "replaced, or started")


def test_a_list_of_apps_that_could_not_be_read_is_said():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        home.run("save")
        home.run("kill")
        (home.path / "state/apps.json").write_text("{broken")
        said = home.run("list").stderr
        check("apps.json.unreadable" in said and "pmx resurrect" in said, said)
        home.run("resurrect")
        check(home.status("web") == "online", "what was saved is not back")
        (home.path / "state/apps.json.unreadable").unlink()
        check("unreadable" not in home.run("list").stderr, "it goes on after the file has gone")


if __name__ == "__main__":
    run_tests()
