"""watch: apps are restarted when their files change, once, and only when these are files that count.

What must not lead to a restart is changed first, then a file that must: the one restart that follows names
that file alone."""
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

from harness import PMX, Home, check, run_tests, wait_for

NAME = "web"


class App:
    """A directory with an app in it, which is watched."""

    def __init__(self, home: Home, *options, script="exec sleep 1000", watch=("--watch",)):
        self.home = home
        self.directory = home.work / "app"
        (self.directory / "src").mkdir(parents=True)
        self.write("app.sh", script + "\n")
        # A second: a machine that is busy must not make two restarts of one change.
        home.run("start", self.directory / "app.sh", "--name", NAME, "--cwd", self.directory,
                 "--watch-delay", 1, *options, *watch)

    def write(self, name: str, text: str = "x") -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def processes(self) -> list[dict]:
        return [process for process in self.home.list() if process["name"] == NAME]

    def restarts(self) -> list[int]:
        return [process["pm2_env"]["restart_time"] for process in self.processes()]

    def are_up(self) -> bool:
        return all(p["pm2_env"]["status"] == "online" for p in self.processes())

    def wait_for_restarts(self, count: int) -> None:
        wait_for(f"{count} restart(s) of each instance; there were {self.restarts()}",
                 lambda: min(self.restarts()) >= count and self.are_up())
        check(set(self.restarts()) == {count}, f"{self.restarts()} restarts, not {count}")

    def changes(self) -> list[str]:
        """What the lines of pmx.log name, oldest first."""
        return [line.split("Change detected on path ")[1].split(" for app ")[0]
                for line in self.home.own_log().splitlines() if "Change detected on path " in line]


def test_a_change_restarts_all_instances_once():
    with Home() as home:
        app = App(home, "-i", 3)
        check(len(app.processes()) == 3, "not three instances")
        check("enabled" in home.run("list").stdout, "the list does not say that it is watched")
        app.write("src/a.js")
        app.wait_for_restarts(1)
        check(app.changes() == ["src/a.js"], f"{app.changes()}")
        why = home.run("why", NAME).stdout
        check("files had changed" in why, why)


def test_a_hundred_quick_writes_are_one_restart():
    with Home() as home:
        app = App(home, "--watch-delay", 2)
        for number in range(100):
            app.write(f"src/{number % 10}.js", str(number))
        app.wait_for_restarts(1)
        check(app.changes() == ["src/0.js (and 9 more)"], f"{app.changes()}")


def test_what_does_not_count():
    with Home() as home:
        app = App(home, "--ignore-watch", r"tmp build/out *.css /\.gen\.js$/", "--output", "log/out.log",
                  "--error", "log/err.log", "--pid", "app.pid", script="echo hello; exec sleep 1000")
        for name in (".env", ".git/index", "node_modules/a/index.js", "tmp/a", "src/tmp/b", "build/out/c",
                     "src/d.css", "src/e.gen.js"):
            app.write(name)
        home.run("flush", NAME)
        home.run("rotate", NAME)
        # Its parents are new, and are not ignored: they count.
        app.wait_for_restarts(1)
        check(app.changes()[0].startswith("build"), f"{app.changes()}")
        for name in (".env", ".git/index", "node_modules/a/index.js", "tmp/a", "src/tmp/b", "build/out/c",
                     "src/d.css", "src/e.gen.js"):
            app.write(name)
        app.write("src/counts.js")
        app.wait_for_restarts(2)
        check(app.changes()[1:] == ["src/counts.js"], f"{app.changes()}")


def test_new_directories_editors_and_paths():
    with Home() as home:
        app = App(home, watch=("--watch", "src", "--watch", "config.json"))
        app.write("elsewhere.js")
        app.write("src/new/deep/a.js")
        app.wait_for_restarts(1)
        check(app.changes()[0].startswith("src/new"), f"{app.changes()}")
        app.write("src/new/deep/b.js")
        app.wait_for_restarts(2)
        app.write("config.json")
        app.wait_for_restarts(3)
        for count in (4, 5):  # As editors save: the name is another file each time.
            app.write("config.json.tmp")
            os.rename(app.directory / "config.json.tmp", app.directory / "config.json")
            app.wait_for_restarts(count)
        check(app.changes()[1:] == ["src/new/deep/b.js", "config.json", "config.json", "config.json"],
              f"{app.changes()}")


def test_paths_of_a_file_and_a_release_that_is_swapped():
    with Home() as home:
        for number in (1, 2):
            (home.work / f"releases/{number}/src").mkdir(parents=True)
            (home.work / f"releases/{number}/app.sh").write_text("exec sleep 1000\n")
        (home.work / "current").symlink_to("releases/1")
        config = home.work / "pm2.json"
        config.write_text(json.dumps({"apps": [{"name": NAME, "script": "app.sh", "watch": ["src"],
                                                "ignore_watch": ["tmp"], "cwd": str(home.work / "current")}]}))
        home.run("start", config)
        (home.work / "next").symlink_to("releases/2")
        os.rename(home.work / "next", home.work / "current")
        wait_for("a restart", lambda: home.app(NAME)["pm2_env"]["restart_time"] == 1)
        (home.work / "releases/1/src/old.js").write_text("")
        (home.work / "releases/2/src/a.js").write_text("")
        wait_for("another", lambda: home.app(NAME)["pm2_env"]["restart_time"] == 2)
        check("path src/a.js for app" in home.own_log() and "old.js" not in home.own_log(), "another file")


def test_a_directory_that_is_made_again():
    with Home() as home:
        app = App(home, watch=("--watch", "src"))
        shutil.rmtree(app.directory / "src")
        app.write("src/a.js")
        wait_for("a restart", lambda: min(app.restarts()) >= 1)
        # However the system saw the two: from here on it is watched as before.
        wait_for("that they are up", app.are_up)
        before = len(app.changes())
        app.write("src/later.js")
        wait_for("its restart", lambda: "src/later.js" in app.changes()[before:])


def test_stop_keeps_it_until_it_is_switched_off():
    with Home() as home:
        app = App(home)
        home.run("stop", NAME)
        home.run("reset", NAME)  # Which saves at once: the watch goes with that.
        app.write("src/a.js")
        home.run("start", NAME)
        app.write("src/b.js")
        wait_for("a restart by src/b.js", lambda: "src/b.js" in app.changes())
        check(app.changes() == ["src/b.js"], f"{app.changes()}")
        home.run("stop", NAME, "--watch")
        check("enabled" not in home.run("list").stdout, "still watched")
        home.run("start", NAME)
        app.write("src/c.js")
        home.run("restart", NAME, "--watch")
        check("enabled" in home.run("list").stdout, "not watched again")
        app.write("src/d.js")
        wait_for("a restart by src/d.js", lambda: "src/d.js" in app.changes())
        check("src/c.js" not in app.changes(), f"{app.changes()}")


def test_the_next_daemon_goes_on_watching():
    with Home() as home:
        app = App(home, "-i", 2)
        before = [process["pid"] for process in app.processes()]
        home.kill_daemon()
        wait_for("that they are up", app.are_up)
        check([process["pid"] for process in app.processes()] == before, "they have been restarted")
        # It answers when it has taken over, and watches with the first save of its list.
        home.run("reset", NAME)
        app.write("src/a.js")
        app.wait_for_restarts(1)


def test_an_app_that_writes_what_it_watches_does_not_storm():
    with Home() as home:
        app = App(home, script="echo $$ > data.json; exec sleep 1000")
        app.write("src/a.js")
        said = wait_for("what pmx.log says of it", lambda: [
            line for line in home.own_log().splitlines() if "name it in ignore_watch" in line], 60)
        check(len(said) == 1 and "data.json" in said[0] and NAME in said[0], f"{said}")
        many = min(app.restarts())
        check(many <= 10, f"{many} restarts before it was said")


def test_a_wrong_pattern_is_one_error_and_nothing_is_started():
    with Home() as home:
        script = home.work / "app.sh"
        script.write_text("exec sleep 1000\n")
        answer = home.run("start", script, "--name", NAME, "--watch", "--ignore-watch", "tmp /a(b/", ok=False)
        lines = [line for line in answer.stderr.splitlines() if line.strip()]
        check(len(lines) == 1 and '"/a(b/" is no name, path, glob' in lines[0], f"{answer.stderr!r}")
        config = home.work / "pm2.json"
        config.write_text(json.dumps({"apps": [
            {"name": "good", "script": "app.sh"},
            {"name": NAME, "script": "app.sh", "watch": True, "ignore_watch": ["a[b"]}]}))
        answer = home.run("start", config, ok=False)
        check('ignore_watch: "a[b" is no name' in answer.stderr, f"{answer.stderr!r}")
        check(home.list() == [], "something was started")


def test_the_kernels_limits_are_said():
    """In a user namespace, which has limits of its own."""
    for watches, instances, said in ((20, 5, "max_user_watches"), (1000, 0, "max_user_instances")):
        with Home() as home:
            for number in range(50):
                (home.work / f"app/{number}").mkdir(parents=True)
            (home.work / "app/app.sh").write_text("exec sleep 1000\n")
            limits = " && ".join(f"echo {limit} > /proc/sys/user/max_inotify_{name}"
                                 for name, limit in (("watches", watches), ("instances", instances)))
            command = f"{limits} && exec {PMX} start app.sh --name {NAME} --watch"
            start = subprocess.run(["unshare", "-U", "-r", "sh", "-c", command], env=home.env, text=True,
                                   cwd=home.work / "app", capture_output=True, timeout=60)
            if start.returncode != 0 and not home.path.exists():
                print(f"skipped: no user namespace: {start.stderr}")
                return
            wait_for("the line in pmx.log", lambda: said in home.own_log())
            check(home.status(NAME) == "online", "it does not run")


def test_pmx_run_goes_on_over_a_restart():
    with Home() as home:
        directory: Path = home.work / "app"
        directory.mkdir()
        script = directory / "app.sh"
        script.write_text("echo $$ >> pids.tmp; mv pids.tmp .pids; cp .pids pids.tmp; exec sleep 1000\n")
        process = home.spawn("run", "--watch", "--ignore-watch", "pids.tmp", "--cwd", directory, "--", "/bin/sh",
                             script)
        def pids() -> list[str]:
            path = directory / ".pids"
            return path.read_text().split() if path.exists() else []
        wait_for("its start", lambda: len(pids()) == 1)
        polls = itertools.count()  # Nobody says when it is watched: a change every two seconds.
        wait_for("its restart", lambda: (next(polls) % 100 == 0 and (directory / "a.js").write_text("x") < 0)
                 or len(pids()) >= 2)
        check(process.poll() is None, "pmx run has ended")


if __name__ == "__main__":
    run_tests()
