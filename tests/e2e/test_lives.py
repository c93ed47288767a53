"""Workers' lives: starts, stops, restarts, exit codes, ids; and pmx run, a container's entry point."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import PMX, Home, alive, check, read_log, run_tests, wait_for
from stores import free_port


def shell(home: Home, name: str, script: str, *options, **more) -> None:
    home.start(name, "/bin/sh", "--interpreter", "none", *options, args=["-c", script], **more)


def test_start_stop_restart_delete_keep_the_id():
    with Home() as home:
        shell(home, "a", "sleep 1000")
        shell(home, "b", "sleep 1000")
        first = home.app("b")
        check((first["pm_id"], first["pm2_env"]["status"]) == (1, "online") and alive(first["pid"]), f"{first}")
        home.run("restart", "b")
        second = home.app("b")
        check(second["pm_id"] == 1 and second["pid"] != first["pid"], "restart")
        check(second["pm2_env"]["restart_time"] == 1 and not alive(first["pid"]), "restart")
        home.run("stop", 1)
        check(home.status("b") == "stopped" and not alive(second["pid"]), "stop by id")
        home.run("start", "b")
        check(home.status("b") == "online" and home.app("b")["pm_id"] == 1, "start of a stopped app")
        home.run("delete", "a")
        check([app["name"] for app in home.list()] == ["b"], "delete")
        shell(home, "c", "sleep 1000")
        check(home.app("c")["pm_id"] == 2, "an id was used twice")
        home.run("delete", "all")
        check(home.list() == [], "delete all")


def test_stop_kills_the_whole_group_after_the_timeout():
    with Home() as home:
        shell(home, "stubborn", "trap '' INT TERM; sleep 1000 & echo $! > child; while :; do sleep 1; done",
              "--kill-timeout", "500", "--cwd", home.work)
        child = int(wait_for("the child", lambda: (home.work / "child").exists() and (home.work / "child").read_text()))
        leader = home.app("stubborn")["pid"]
        begin = time.monotonic()
        home.run("stop", "stubborn")
        took = time.monotonic() - begin
        check(0.4 < took < 5, f"stopped after {took:.2f} s")
        wait_for("leader and child dead", lambda: not alive(leader) and not alive(child), 3)


SERVER_BEHIND_A_SHELL = """
import signal, socket, sys, time
def end(*_):
    time.sleep(0.7)  # As one that answers its last clients.
    print('ended in order', flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('listens', flush=True)
while True: signal.pause()
"""


def behind_a_shell(home: Home, port: int) -> None:
    """`npm start` and many a start.sh: the shell ends at once, the server behind it when it has done its work."""
    (home.work / "server.py").write_text(SERVER_BEHIND_A_SHELL)
    (home.work / "start.sh").write_text(f"#!/bin/bash\ntrap 'exit 0' INT TERM\n{sys.executable} server.py {port} & wait\n")
    (home.work / "start.sh").chmod(0o755)


def count_of(home: Home, name: str, text: str) -> int:
    return read_log(home.logs / f"{name}-out.log").decode().count(text)


def test_a_stop_and_a_restart_wait_for_the_whole_tree():
    with Home() as home:
        port = free_port()
        behind_a_shell(home, port)
        home.run("start", "start.sh", "--name", "a", "--cwd", home.work, "--kill-timeout", 60000)
        wait_for("it listens", lambda: count_of(home, "a", "listens") == 1)
        home.run("restart", "a")
        wait_for("it listens again", lambda: count_of(home, "a", "listens") == 2)
        check(count_of(home, "a", "ended in order") == 1, "the first was not waited for")
        check(home.app("a")["pm2_env"]["restart_time"] == 1, "the port was taken")
        home.run("stop", "a")
        check(count_of(home, "a", "ended in order") == 2, "the stop did not wait")
        home.run("start", "a")
        wait_for("it listens once more", lambda: count_of(home, "a", "listens") == 3)
        home.run("kill")
        check(count_of(home, "a", "ended in order") == 3, "the daemon's end did not wait")


def test_in_the_foreground_too_the_whole_tree_is_waited_for():
    with Home() as home:
        behind_a_shell(home, free_port())
        process = home.spawn("run", "--", "./start.sh", stdout=subprocess.PIPE, text=True)
        check(process.stdout.readline() == "listens\n", "not up")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        check(out == "ended in order\n", f"{out!r}")


def test_stop_reaches_those_who_have_left_the_group():
    with Home() as home:
        script = ("setsid sh -c 'echo $$ > heeds; exec sleep 1000' & "
                  "setsid sh -c 'trap \"\" INT; echo $$ > stubborn; while :; do sleep 0.1; done' & "
                  "setsid sh -c 'setsid sh -c \"echo \\$\\$ > deep; exec sleep 1000\" & wait' & wait")
        shell(home, "a", script, "--kill-timeout", "500", "--cwd", home.work)
        files = [home.work / name for name in ("heeds", "stubborn", "deep")]
        wait_for("its children", lambda: all(file.exists() and file.read_text() for file in files))
        pids = [int(file.read_text()) for file in files]
        home.run("stop", "a")
        wait_for("all of them have ended", lambda: not any(alive(pid) for pid in pids), 10)
        home.run("delete", "a")
        shell(home, "b", "sh -c 'trap \"\" INT; echo $$ > kept; exec sleep 1000' & wait", "--no-treekill",
              "--kill-timeout", "300", "--cwd", home.work)
        kept = home.work / "kept"
        wait_for("its child", lambda: kept.exists() and kept.read_text())
        home.run("stop", "b")
        time.sleep(1)  # Longer than it would have to end.
        check(alive(int(kept.read_text())), "no-treekill ends others")
        os.kill(int(kept.read_text()), signal.SIGKILL)


def test_cron_restarts_and_jobs_run_at_their_times():
    with Home() as home:
        shell(home, "served", "echo up; exec sleep 1000", "--cron", "* * * * * *")
        shell(home, "job", "echo ran; sleep 0.1", "--no-autorestart", "--cron-restart", "* * * * * *")
        shell(home, "long", "echo began; sleep 1000", "--no-autorestart", "--cron", "*/2 * * * * *")
        out = lambda name: (home.logs / f"{name}-out.log").read_text()
        wait_for("it was restarted twice", lambda: home.app("served")["pm2_env"]["restart_time"] >= 2)
        wait_for("the job has run three times", lambda: out("job").count("ran") >= 3)
        check(home.app("job")["pm2_env"]["restart_time"] == 0, "a job's runs are counted as restarts")
        check(out("long").count("began") == 1, "a job that still runs is started again")
        wait_for("that is said", lambda: "long" in home.own_log() and "left out" in home.own_log())
        check("cron_restart" in home.run("why", "served").stdout, "why says nothing of cron")
        home.kill_daemon()
        before = out("job").count("ran")
        wait_for("the next daemon goes on", lambda: out("job").count("ran") > before)
        stopped = home.run("stop", "served")
        check("CRON RESTART is still UP" in stopped.stdout + stopped.stderr, f"{stopped}")
        refused = home.run("start", "/bin/sleep", "--name", "wrong", "--cron", "99 * * * *", "--", "1", ok=False)
        check("cron_restart" in refused.stderr and "99 * * * *" in refused.stderr, refused.stderr)
        check(all(app["name"] != "wrong" for app in home.list()), "started all the same")
        home.run("restart", "job", "--cron-restart", "0")
        check("cron_restart" not in home.app("job")["pm2_env"], "0 does not end it")


def test_a_worker_with_too_much_memory_is_restarted():
    with Home() as home:
        grower = "a = []\nimport time\nwhile True: a.append(bytearray(4 << 20)); time.sleep(0.05)"
        home.start("grower", sys.executable, "--interpreter", "none", "--max-memory-restart", "80M",
                   args=["-c", grower])
        home.start("small", "/bin/sleep", "--max-memory-restart", "80M", args=["1000"])
        wait_for("it was restarted three times", lambda: home.app("grower")["pm2_env"]["restart_time"] >= 3, 60)
        check(home.app("small")["pm2_env"]["restart_time"] == 0, "a small one was restarted")
        said = home.run("why", "grower").stdout
        check("max_memory_restart" in said and "in the last minute: 0" not in said, said)
        check("max memory restart" in home.run("describe", "grower").stdout, "describe does not show the limit")
        warned = home.run("start", "/bin/sleep", "--name", "huge", "-i", 4, "--max-memory-restart", "900G", "--", "1000")
        check("more than the" in warned.stdout + warned.stderr, f"not warned: {warned}")


def test_exit_codes_and_signals_are_true():
    with Home() as home:
        shell(home, "seven", "exit 7", "--no-autorestart")
        shell(home, "killed", "kill -9 $$", "--no-autorestart")
        for name in ("seven", "killed"):
            wait_for(f"{name}'s end", lambda n=name: home.status(n) in ("stopped", "errored"))
        check(home.app("seven")["pm2_env"]["exit_code"] == 7, "exit code 7")
        check("SIGKILL" in home.run("describe", "killed").stdout + home.own_log(), "the signal is not shown")


def test_restarts_by_policy():
    with Home() as home:
        shell(home, "crash", "exit 1", "--max-restarts", "3")
        wait_for("errored", lambda: home.status("crash") == "errored")
        shell(home, "code", "exit 3", "--stop-exit-codes", "3")
        wait_for("stopped by its exit code", lambda: home.status("code") == "stopped")
        check(home.app("code")["pm2_env"]["restart_time"] == 0, "restarted despite stop_exit_codes")
        shell(home, "delayed", "exit 1", "--restart-delay", "1s")
        wait_for("waiting", lambda: home.status("delayed") == "waiting restart")
        home.run("stop", "delayed")
        restarts = home.app("delayed")["pm2_env"]["restart_time"]
        time.sleep(1.5)
        check(home.status("delayed") == "stopped", "stop did not cancel the restart")
        check(home.app("delayed")["pm2_env"]["restart_time"] == restarts, "restarted though stopped")
        shell(home, "lives", "sleep 0.3; exit 1", "--min-uptime", "100")
        wait_for("restarts", lambda: home.app("lives")["pm2_env"]["restart_time"] >= 3)


def test_interpreters_cwd_and_environment():
    with Home() as home:
        (home.work / "job.py").write_text("import os; print(os.getcwd(), os.environ['COLOUR'], flush=True)\n"
                                          "import time; time.sleep(1000)\n")
        (home.work / "job.sh").write_text("echo $0 $1; sleep 1000\n")
        (home.work / "job.js").write_text("console.log('node', process.argv[2]); setInterval(() => {}, 1000)\n")
        home.run("start", "job.py", "--name", "py", env={"COLOUR": "blue"})
        home.run("start", "job.sh", "--name", "sh", "--", "x y")
        home.run("start", "job.js", "--name", "js", "--", "arg")
        home.run("start", "python3 -u -c 'print(1+1); import time; time.sleep(1000)'", "--name", "line")
        expected = {"py": f"{home.work} blue\n", "sh": f"{home.work}/job.sh x y\n", "js": "node arg\n", "line": "2\n"}
        for name, text in expected.items():
            wait_for(f"{name} prints {text!r}", lambda n=name, t=text:
                     read_log(home.logs / f"{n}-out.log") == t.encode(), 10)


def test_the_state_survives_an_orderly_end():
    with Home() as home:
        shell(home, "a", "sleep 1000")
        home.run("restart", "a")
        home.run("stop", "a")
        shell(home, "b", "sleep 1000")
        home.end()
        check(not home.pids(), f"left over after SIGTERM: {home.pids()}")
        check((home.status("a"), home.app("a")["pm2_env"]["restart_time"]) == ("stopped", 1), "a is not as it was")
        wait_for("b is back", lambda: home.status("b") == "online")
        home.kill()
        check(not home.pids(), f"left over after kill: {home.pids()}")


def foreground(home: Home, *arguments, **options) -> subprocess.Popen:
    return home.spawn("run", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def test_run_passes_output_and_exit_code_through():
    with Home() as home:
        run = foreground(home, "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 42")
        out, err = run.communicate(timeout=20)
        check(run.returncode == 42, f"exit code {run.returncode}")
        check(b"out\n" in out and b"err\n" in err, f"{out!r} {err!r}")
        run = foreground(home, "--", "/bin/sh", "-c", "kill -TERM $$; sleep 5")
        run.communicate(timeout=20)
        check(run.returncode in (143, -signal.SIGTERM), f"a worker killed by SIGTERM: {run.returncode}")
        run = foreground(home, "--", "/no/such/program")
        _, err = run.communicate(timeout=20)
        check(run.returncode != 0 and b"/no/such/program" in err, f"{run.returncode} {err!r}")


def test_run_in_a_home_that_is_in_use_says_what_to_do_and_touches_nothing():
    with Home() as home:
        home.start("a", "/bin/sleep", "--interpreter", "none", args=["1000"])
        refused = home.run("run", "--", "/bin/true", ok=False)
        check("pmx kill" in refused.stderr and "PMX_HOME=" in refused.stderr, refused.stderr)
        check(not (home.path / "state/run.json").exists(), "run.json was written")
        check(home.status("a") == "online", "the other app was disturbed")


def test_run_forwards_signals_and_reaps_orphans():
    with Home() as home:
        ready = home.work / "ready"
        script = ("import signal, sys, time\n"
                  "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(5)))\n"
                  f"open({str(ready)!r}, 'w').close()\n"
                  "time.sleep(1000)\n")
        run = foreground(home, "--", sys.executable, "-c", script)
        wait_for("the program is ready", ready.exists)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=20)
        check(run.returncode == 5, f"exit code {run.returncode}")
        orphan = home.work / "orphan"
        run = foreground(home, "--", "/bin/sh", "-c", f"(sh -c 'sleep 0.2' & echo $! > {orphan}) ; sleep 1; exit 0")
        run.communicate(timeout=20)
        check(run.returncode == 0, f"exit code {run.returncode}")
        check(not Path(f"/proc/{orphan.read_text().strip()}").exists(), "the orphan is a zombie")
        wait_for("nothing left over", lambda: not home.pids(), 5)


def test_a_link_named_pm2_is_enough():
    with Home() as home:
        link = home.work / "pm2"
        link.symlink_to(PMX)
        env = {k: v for k, v in home.env.items() if k != "PMX_HOME"} | {"HOME": str(home.work)}
        def pm2(*arguments) -> subprocess.CompletedProcess:
            return subprocess.run([str(link), *arguments], env=env, capture_output=True, text=True,
                                  timeout=30)
        try:
            check(pm2("start", "/bin/sleep", "--name", "a", "--", "1000").returncode == 0, "pm2 start")
            check((home.work / ".pm2/pmx.pid").exists() or (home.work / ".pm2/pmx.log").exists(), "not in ~/.pm2")
            check("online" in pm2("list").stdout, "pm2 list")
        finally:
            pm2("kill")


if __name__ == "__main__":
    os.umask(0o022)
    run_tests()
