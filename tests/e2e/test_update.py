"""`pmx update`: another version takes over keeper and daemon, and no worker, line or command is lost."""
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from harness import PMX, Home, alive, check, check_lines, read_log, run_tests, size, wait_for


def other_version(directory: Path) -> Path:
    """These programs with another version's number, which is of the same length, in them."""
    directory.mkdir()
    version = subprocess.run([PMX, "version"], capture_output=True, check=True).stdout.strip()
    newer = version[:-1] + bytes([version[-1] ^ 1])
    for name in ("pmx", "pmx-keeper"):
        data = Path(PMX).with_name(name).read_bytes()
        check(version in data, f"{name} does not hold its version")
        (directory / name).write_bytes(data.replace(version, newer))
        (directory / name).chmod(0o755)
    return directory / "pmx"


def update(home: Home, pmx: Path, ok=True) -> str:
    done = subprocess.run([pmx, "update"], env=home.env, capture_output=True, text=True, timeout=60)
    check((done.returncode == 0) == ok, f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def test_ten_updates_lose_no_line_and_restart_no_worker():
    with Home() as home:
        home.start_numbered("a", "--rotate-max-size", "256K", "--rotate-retain", "0", how="halves")
        home.start_numbered("b", "--log-type", "json")
        workers, keeper = home.worker_pids(), home.ping()["keeper_pid"]
        installed = [home.work / "one", home.work / "two"]
        for directory in installed:
            directory.mkdir()
            for name in ("pmx", "pmx-keeper"):
                shutil.copy2(Path(PMX).with_name(name), directory / name)
        for i in range(size(6, 20)):
            daemon = home.ping()["daemon_pid"]
            program = installed[i % 2] / "pmx"
            check("updated" in update(home, program), "update does not say so")
            ping = home.ping()
            check(ping["keeper_pid"] == keeper, "the keeper is another process")
            check(ping["daemon_pid"] != daemon and not alive(daemon), "the old daemon is there")
            for pid, name in ((keeper, "pmx-keeper"), (ping["daemon_pid"], "pmx")):
                check(os.readlink(f"/proc/{pid}/exe") == str(program.with_name(name)),
                      f"{name} runs {os.readlink(f'/proc/{pid}/exe')}")
            check(home.worker_pids() == workers, "workers were restarted")
        home.kill_daemon()
        check(home.worker_pids() == workers, "workers were restarted by the daemon's death")
        home.stop_all()
        check(not any(map(alive, workers.values())), "a worker was not stopped")
        home.kill()
        check(not alive(keeper), "the keeper is left")
        check_lines(read_log(home.logs / "a-out.log"), {"a": home.count("a")})
        check_lines(read_log(home.logs / "b-out.log"), {"b": home.count("b")}, "json")


def test_an_exit_while_no_daemon_lives_is_known_to_the_next():
    with Home() as home:
        home.start("brief", "/bin/sh", "--no-autorestart", "--interpreter", "none",
                   args=["-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"])
        wait_for("its line", lambda: "up" in home.run("logs", "--nostream", "brief").stdout)
        pid = home.worker_pids()[home.app("brief")["pm_id"]]
        daemon = home.ping()["daemon_pid"]
        os.kill(daemon, signal.SIGSTOP)  # It hears of nothing.
        os.kill(pid, signal.SIGTERM)
        wait_for("its end", lambda: not alive(pid))
        os.kill(daemon, signal.SIGCONT)
        update(home, Path(PMX))
        wait_for("brief ended", lambda: home.status("brief") in ("stopped", "errored"))
        exit_of = home.app("brief")["pmx"]["last_exit"]
        check(exit_of["code"] == 7, f"last exit: {exit_of}")


def test_commands_say_that_the_daemon_is_of_another_version():
    with Home() as home:
        home.start("idle", "/bin/sleep", "--interpreter", "none", args=["1000"])
        newer = other_version(home.work / "newer")
        listed = subprocess.run([newer, "jlist"], env=home.env, capture_output=True, text=True)
        check("pmx update" in listed.stderr, f"no word of the other version: {listed.stderr!r}")
        check(json.loads(listed.stdout)[0]["name"] == "idle", "jlist is no JSON any more")
        check("pmx update" not in home.run("jlist").stderr, "said of the same version")


def test_what_cannot_take_over_is_refused_and_changes_nothing():
    with Home() as home:
        home.start("idle", "/bin/sleep", "--interpreter", "none", args=["1000"])
        before, workers = home.ping(), home.worker_pids()
        broken = home.work / "broken"
        broken.mkdir()
        shutil.copy2(PMX, broken / "pmx")
        text = update(home, broken / "pmx", ok=False)
        check("belong side by side" in text, text)
        (broken / "pmx-keeper").write_text("#!/bin/sh\necho 'pmx-keeper 9.9.9 (protocol 99)'\n")
        (broken / "pmx-keeper").chmod(0o755)
        text = update(home, broken / "pmx", ok=False)
        check("protocol 99" in text, text)
        check(home.ping()["daemon_pid"] == before["daemon_pid"], "the daemon is another one")
        check(home.worker_pids() == workers, "workers were restarted")


def test_without_a_daemon_there_is_nothing_to_update():
    with Home() as home:
        check("No daemon runs" in update(home, Path(PMX)), "it does not say so")


if __name__ == "__main__":
    run_tests()
