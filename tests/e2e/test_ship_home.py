"""pmx set ship: the stores of every app that names none itself."""
import base64
import json
import os
import re
import stat
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from harness import Home, check, run_tests, wait_for

SECRET = "s3cret-pa55"


def ticker(home: Home, name: str, *options) -> None:
    """Prints "name 0", "name 1" … ten times a second."""
    home.start(name, "/bin/sh", "--interpreter", "none", *options,
               args=["-c", f"i=0; while :; do echo {name} $i; i=$((i+1)); sleep 0.1; done"])


def lines_in(path: Path, name: str) -> list[int]:
    """The numbers of this app's lines that have arrived in a file sink."""
    if not path.exists():
        return []
    texts = re.findall(rf'"{name} (\d+)"', path.read_text())
    return [int(text) for text in texts]


def arrive(path: Path, name: str, more: int = 3) -> list[int]:
    before = len(lines_in(path, name))
    wait_for(f"lines of {name} in {path.name}", lambda: len(lines_in(path, name)) >= before + more)
    numbers = lines_in(path, name)
    check(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"{name}: gaps or repeats: {numbers}")
    return numbers


def test_holds_at_once_for_apps_that_name_no_store():
    with Home() as home:
        out, other = home.work / "out.ndjson", home.work / "other.ndjson"
        ticker(home, "before")
        said = home.run("set", "ship", "file://out.ndjson").stdout  # Relative to the shell's directory.
        check(f"ship is file://{out} for every app that names no store itself" in said, f"{said!r}")
        arrive(out, "before")
        ticker(home, "after")
        ticker(home, "own", "--ship", f"file://{other}")
        ticker(home, "none", "--ship", "none")
        check(arrive(out, "after")[0] == 0, "the first lines of an app that was started later are missing")
        arrive(other, "own")
        home.kill_daemon()
        arrive(out, "before")
        arrive(out, "after")
        check(not lines_in(out, "own") and not lines_in(out, "none"), "lines of apps that said where theirs go")
        check([s["name"] for s in home.app("before")["pm2_env"]["ship"]] == ["file-out.ndjson"], "jlist")
        check("file-out.ndjson" in home.run("describe", "before").stdout, "describe")
        # Another one, and none: at once as well.
        home.run("set", "ship", f"file://{home.work}/next.ndjson")
        arrive(home.work / "next.ndjson", "before")
        home.run("unset", "ship")
        check(home.run("get", "ship").stdout == "none\n", "get after unset")
        wait_for("the end of shipping", lambda: home.app("after")["pm2_env"]["ship"] == [])
        # Its apps go on printing, which keeps neither the sink nor their files.
        wait_for("the sink's end", lambda: "file-next.ndjson" not in [s["name"] for s in home.ship_status()])
        at = len(lines_in(home.work / "next.ndjson", "before"))
        time.sleep(1.5)
        check(len(lines_in(home.work / "next.ndjson", "before")) == at, "still shipped after unset")
        arrive(other, "own")


def test_an_app_leaves_it_and_comes_back():
    with Home() as home:
        out, own = home.work / "out.ndjson", home.work / "own.ndjson"
        home.run("set", "ship", f"file://{out}")
        ticker(home, "a")
        arrive(out, "a")

        def sinks():
            return [s["name"] for s in home.app("a")["pm2_env"]["ship"]]
        home.run("restart", "a", "--ship", f"file://{own}")
        check(sinks() == ["file-own.ndjson"], f"{sinks()}")
        home.run("restart", "a")
        check(sinks() == ["file-own.ndjson"], f"after a restart: {sinks()}")
        home.run("restart", "a", "--ship", "null")
        check(sinks() == ["file-out.ndjson"], f"after --ship null: {sinks()}")
        # PMX_SHIP of the shell is nearer than the home's; a file that says nothing takes it back.
        (home.work / "e.json").write_text('{"apps":[{"name":"a","script":"/bin/sleep","args":"60"}]}')
        home.run("restart", "e.json", env={"PMX_SHIP": f"file://{own}"})
        check(sinks() == ["file-own.ndjson"], f"PMX_SHIP: {sinks()}")
        home.run("restart", "e.json")
        check(sinks() == ["file-out.ndjson"], f"a file that names no store: {sinks()}")
        # The list comes back from the disk, and with it who has the home's.
        home.end()
        home.run("set", "ship", f"file://{own}")
        check(sinks() == ["file-own.ndjson"], f"after a reboot: {sinks()}")


def test_a_saved_list_brings_back_whole_sinks_and_takes_the_homes_of_today():
    with Home() as home:
        home.run("set", "ship", "file:///dev/null")
        ticker(home, "own", "--ship", f"file://{home.work}/own.ndjson?labels.team=x&level=trace")
        ticker(home, "home")
        home.run("save")
        home.run("delete", "all")
        (home.work / "own.ndjson").unlink(missing_ok=True)
        home.run("multiset", "ship", f"file://{home.work}/out.ndjson", "max_disk", "2G")
        home.run("resurrect")
        for name, file in (("home", "out.ndjson"), ("own", "own.ndjson")):
            wait_for(f"lines of {name}", lambda: len(lines_in(home.work / file, name)) > 5)
        check('"team":"x"' in (home.work / "own.ndjson").read_text(), "the labels are gone")


def test_a_wrong_value_is_refused_in_one_line_and_changes_nothing():
    with Home() as home:
        home.run("set", "ship", "file:///tmp/x")
        for wrong, words in (("lok://h", "a URL begins with"), ("loki+http://", "no host"),
                             ("loki+http://h?level=loud", "filter.level"), ("[{", "begins as JSON"),
                             (f"loki+http://u:{SECRET}@h:99999", "port"), ('{"type":"loki"}', "needs one"),
                             (f'{{"type":"loki","url":"http://h","auth":{{"token":"{SECRET}","x":1}}}}', "x"),
                             ("es+https://u@h?password_env=NOT_SET", "NOT_SET")):
            done = home.run("set", "ship", wrong, ok=False)
            lines = (done.stdout + done.stderr).splitlines()
            check(len(lines) == 1 and words in lines[0] and SECRET not in lines[0], f"{wrong}: {lines}")
            check(home.run("get", "ship").stdout == "file:///tmp/x\n", f"{wrong} has changed something")
        home.run("set", "ship", ok=False)


class Store(HTTPServer):
    """Takes everything, and remembers who came."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.who: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.who.append(self.headers.get("Authorization", ""))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_its_secret_is_used_and_never_shown():
    store = Store()
    basic = "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()
    with Home() as home:
        ticker(home, "a")
        done = home.run("set", "ship", f"http+http://u:{SECRET}@127.0.0.1:{store.server_port}/in")
        check(SECRET not in done.stdout + done.stderr and "seen in the shell's history" in done.stderr, f"{done}")
        wait_for("a request with the secret", lambda: basic in store.who)
        home.kill_daemon()
        at = len(store.who)
        wait_for("one from the next daemon", lambda: len(store.who) > at)
        check(set(store.who) == {basic}, f"{set(store.who)}")
        url = f"http+http://u@127.0.0.1:{store.server_port}/in"
        check(home.run("get", "ship").stdout == url + "\n", "get")
        for command in (["get"], ["conf"], ["conf", "ship"], ["list"], ["jlist"], ["prettylist"], ["describe", "a"],
                        ["ship", "status"], ["ship", "status", "--json"], ["logs", "PM2", "--nostream"]):
            shown = home.run(*command).stdout
            check(SECRET not in shown, f"pmx {' '.join(command)} shows it")
            check(command != ["conf"] or f"$ pmx set ship {url}" in shown, f"conf: {shown!r}")
        state = home.path / "state"
        holders = [p.name for p, text in home.contents() if state in p.parents and SECRET.encode() in text]
        check(set(holders) <= {"secrets.json"}, f"it is in {holders}")
        for path in (state / "settings.json", *state.rglob("secrets.json")):
            mode = stat.S_IMODE(path.stat().st_mode)
            check(mode == 0o600, f"{path.name} has mode {mode:o}")
        # Another password for the same store.
        home.run("set", "ship", url, env={"PMX_SHIP_PASSWORD": "another"})
        wait_for("the new password", lambda: store.who[-1] != basic)
    store.shutdown()


def test_a_foreground_run_has_it_too():
    with Home() as home:
        out = home.work / "out.ndjson"
        home.run("set", "ship", json.dumps([{"type": "file", "url": str(out)}]))
        home.kill()
        wait_for("the end of the daemon", lambda: not home.pids())
        home.run("run", "--", "/bin/sh", "-c", "echo run 0; echo run 1")
        check(lines_in(out, "run") == [0, 1], f"{out.read_text() if os.path.exists(out) else 'nothing'}")


if __name__ == "__main__":
    run_tests()
