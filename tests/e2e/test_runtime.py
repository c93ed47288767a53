"""pmx run and pm2-runtime: a container's entry point, with one app or the apps of a file."""
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness import PMX, Home, alive, check, run_tests, wait_for


def runtime(home: Home) -> str:
    """The program under PM2's name."""
    path = home.work / "pm2-runtime"
    if not path.exists():
        path.symlink_to(PMX)
    return str(path)


def begin(home: Home, *arguments) -> subprocess.Popen:
    process = subprocess.Popen([runtime(home), *map(str, arguments)], env=home.env, cwd=home.work,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    home.processes.append(process)
    return process


def to_end(home: Home, *arguments) -> tuple[int, str, str]:
    out, err = (process := begin(home, *arguments)).communicate(timeout=60)
    return process.returncode, out, err


def apps(home: Home, *rows) -> Path:
    path = home.work / "apps.json"
    path.write_text(json.dumps({"apps": [{"interpreter": "none", "script": "/bin/sh",
                                          "args": ["-c", script], "name": name, **more}
                                         for name, script, more in rows]}))
    return path


def test_one_app_and_its_exit_code():
    with Home() as home:
        (home.work / "app.sh").write_text("echo hello; echo oops >&2; exit 7\n")
        for words in (["app.sh"], ["start", "app.sh"]):
            code, out, err = to_end(home, *words)
            check((code, out) == (7, "hello\n") and "oops\n" in err, f"{words}: {code} {out!r} {err!r}")


def test_all_apps_of_a_file_and_the_code_of_the_first_to_fail():
    with Home() as home:
        said, cwd = {"cwd": str(home.work)}, str(home.work)
        file = apps(home, ("migrate", "echo migrated; touch said.m", said),
                    ("web", "echo up; touch said.$NODE_APP_INSTANCE; exec sleep 1000", {"instances": 2, "cwd": cwd}),
                    ("bad", "until [ $(ls said.* | wc -l) = 3 ]; do sleep 0.1; done; sleep 0.5; echo gone; exit 9", said))
        code, out, err = to_end(home, file)
        check(code == 9, f"{code} {err}")
        check(sorted(out.split()) == ["gone", "migrated", "up", "up"], f"{out!r}")
        check("bad (id 3) ended with exit code 9: the others are stopped" in err, err)
        code, out, _ = to_end(home, file, "--only", "migrate")
        check((code, out) == (0, "migrated\n"), f"--only: {code} {out!r}")


def test_apps_are_started_again_only_where_that_is_asked_for():
    with Home() as home:
        script = "echo run >> runs; test $(wc -l < runs) -ge 3 && exit 0; exit 4"
        code, _, _ = to_end(home, apps(home, ("a", script, {"cwd": str(home.work)})))
        check(code == 4 and (home.work / "runs").read_text() == "run\n", "restarted without being asked")
        (home.work / "runs").unlink()
        again = {"cwd": str(home.work), "autorestart": True, "stop_exit_codes": [0]}
        code, _, _ = to_end(home, apps(home, ("a", script, again)))
        check(code == 0 and (home.work / "runs").read_text() == "run\n" * 3, "not restarted as asked")
        (home.work / "runs").write_text("")
        looping = apps(home, ("a", "exit 5", {"autorestart": True, "max_restarts": 3}))
        check(to_end(home, looping)[0] == 5, "a crash loop is not seen from outside")


def test_sigterm_is_passed_on_and_nothing_is_started_again():
    with Home() as home:
        file = apps(home, ("a", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done",
                           {"autorestart": True, "kill_timeout": 20000}),
                    ("b", "echo up; exec sleep 1000", {"autorestart": True}))
        process = begin(home, file)
        lines = [process.stdout.readline(), process.stdout.readline()]
        check(lines == ["up\n", "up\n"], f"{lines}")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        check(process.returncode == 143 and out == "bye\n", f"{process.returncode} {out!r} {err!r}")


def test_who_does_not_heed_is_killed_after_the_grace_time():
    with Home() as home:
        process = begin(home, apps(home, ("deaf", "trap '' TERM INT; echo up; while :; do sleep 0.05; done",
                                          {"kill_timeout": 500})))
        check(process.stdout.readline() == "up\n", "not up")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        check(process.returncode == 143, f"{process.returncode}")


def test_the_grace_time_of_pm2s_variable_counts_in_a_container_too():
    with Home(env={"PM2_KILL_TIMEOUT": "500", "PM2_KILL_SIGNAL": "SIGTERM"}) as home:
        process = begin(home, apps(home, ("deaf", "trap '' TERM INT; echo up; while :; do sleep 0.05; done", {})))
        check(process.stdout.readline() == "up\n", "not up")
        app = home.app("deaf")["pm2_env"]
        check((app["kill_timeout"], app["kill_signal"]) == (500, "SIGTERM"), f"{app['kill_timeout']}")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        check(process.returncode == 143, f"{process.returncode}")


def test_the_daemons_death_costs_no_line_and_no_code():
    with Home() as home:
        script = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.005; done; exit 6"
        process = begin(home, apps(home, ("a", script, {}), ("b", "exec sleep 1000", {})))
        # Not before: a command would start a daemon of its own.
        wait_for("its daemon", lambda: (home.path / "pmx.sock").exists())
        for _ in range(3):
            home.kill_daemon()
        out, _ = process.communicate(timeout=60)
        lines = [line for i, line in enumerate(out.splitlines()) if i == 0 or line != out.splitlines()[i - 1]]
        check(lines == [f"line {i}" for i in range(400)], f"{len(lines)} lines")
        check(process.returncode == 6, f"{process.returncode}")


def test_lines_as_pm2s_runtime_prints_them():
    with Home() as home:
        file = apps(home, ("a", "echo 'say \"x\"'", {}))
        code, out, _ = to_end(home, file, "--json")
        record = json.loads(out)
        check((record["message"], record["type"], record["process_id"], record["app_name"])
              == ('say "x"', "out", 0, "a") and record["timestamp"].endswith("Z"), out)
        check(to_end(home, file, "--formatted")[1] == '0|a        | say "x"\n', "--formatted")
        out = to_end(home, file, "--format")[1]
        check(out.startswith("timestamp=") and out.endswith(' app=a id=0 type=out message=say "x"\n'), out)


def test_what_cannot_be_started_is_one_line_and_nothing_runs():
    with Home() as home:
        code, out, err = to_end(home, apps(home, ("a", "echo never", {}), ("b", "x", {"script": "./nobody"})))
        check(code == 1 and out == "" and "nobody" in err, f"{code} {out!r} {err!r}")
        code, _, err = to_end(home, "--delay", "soon", "app.sh")
        check(code == 1, err)
        check(to_end(home)[0] == 1, "without a word")


if __name__ == "__main__":
    run_tests()
