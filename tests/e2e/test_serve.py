"""pmx serve: the folder and nothing else, over HTTP as browsers and attackers speak it."""
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

from harness import Home, alive, check, run_tests, wait_for
from stores import free_port

SECRET = "the secret outside"


def make_site(home: Home) -> Path:
    site = home.work / "site"
    for name, text in {"index.html": "<home>", "app.js": "0123456789", "sub/index.html": "<sub>", "plain/x.txt": "x",
                       ".env": "KEY=1", ".git/config": "[core]", ".well-known/security.txt": "mail",
                       "a b&c.txt": "odd", "404.html": "<lost>"}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (home.work / "secret.txt").write_text(SECRET)
    return site


def ask(port: int, target: str, method: str = "GET", **headers) -> tuple[int, dict, bytes]:
    """One request, its target sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


PATIENT = ("--listen-timeout", 30000)  # A loaded machine takes its time to start a server.


def serve(home: Home, *options, command="serve", **more) -> int:
    port = free_port()
    home.run(command, "site", port, *PATIENT, *options, **more)
    return port


def test_a_folder_is_served_by_an_app_of_pm2s_name():
    with Home() as home:
        make_site(home)
        port = free_port()
        said = home.run("serve", "site", port, *PATIENT).stdout
        check(f"Serving {home.work}/site on port {port}" in said, said)
        app = home.app(f"static-page-server-{port}")
        check(app["pm2_env"]["status"] == "online", app["pm2_env"]["status"])
        status, headers, body = ask(port, "/")
        check((status, body, headers["Content-Type"]) == (200, b"<home>", "text/html; charset=utf-8"), f"{headers}")
        check(headers["X-Content-Type-Options"] == "nosniff", f"{headers}")
        check(ask(port, "/app.js?v=1")[2] == b"0123456789", "with a query")
        check(ask(port, "/a%20b%26c.txt")[2] == b"odd", "an encoded name")
        status, headers, _ = ask(port, "/sub?x=1")
        check((status, headers["Location"]) == (301, "./sub/?x=1"), f"{status} {headers}")
        check(ask(port, "/sub/")[2] == b"<sub>", "the index of a folder")
        status, headers, body = ask(port, "/none")
        check((status, body) == (404, b"<lost>"), f"{status} {body}")
        again = home.run("serve", "site", port, ok=False).stderr
        check("already launched" in again, again)


def test_head_304_and_parts():
    with Home() as home:
        make_site(home)
        port = serve(home, "--name", "docs", command="expose")
        check(home.status("docs") == "online", "the name that was given")
        status, headers, body = ask(port, "/app.js", "HEAD")
        check((status, headers["Content-Length"], body) == (200, "10", b""), f"{headers}")
        tag, date = headers["ETag"], headers["Last-Modified"]
        for more in ({"If_None_Match": tag}, {"If_None_Match": f'"x", W/{tag}'}, {"If_Modified_Since": date}):
            status, headers, body = ask(port, "/app.js", **more)
            check((status, body, headers["ETag"]) == (304, b"", tag), f"{more}: {status}")
        check(ask(port, "/app.js", If_None_Match='"x"', If_Modified_Since=date)[0] == 200, "the tag decides")
        status, headers, body = ask(port, "/app.js", Range="bytes=2-4")
        check((status, body, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10"), f"{status} {headers}")
        check(ask(port, "/app.js", Range="bytes=-3", If_Range=tag)[2] == b"789", "the end of it")
        check(ask(port, "/app.js", Range="bytes=-3", If_Range='"x"')[0] == 200, "a part of another version")
        status, headers, _ = ask(port, "/app.js", Range="bytes=10-")
        check((status, headers["Content-Range"]) == (416, "bytes */10"), f"{status} {headers}")
        status, headers, _ = ask(port, "/app.js", "POST")
        check((status, headers["Allow"]) == (405, "GET, HEAD"), f"{status} {headers}")


def test_no_path_leads_out_however_it_is_written():
    with Home() as home:
        make_site(home)
        plain, open_to_dots = serve(home), serve(home, "--dotfiles", "--spa", "--ftp", "--name", "open")
        up = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "..%00", "%c0%ae%c0%ae", "..;", "...", "%u002e%u002e"]
        slash = ["/", "%2f", "%5c", "\\", "//", "%252f", "%c0%af"]
        targets = [f"/{dots * depth}{end}" for d in up for s in slash for depth in (1, 2)
                   for dots in [d + s] for end in ("secret.txt", "../secret.txt")]
        targets += ["/sub/../../secret.txt", "/sub/..%2f..%2fsecret.txt", "//secret.txt", "/site/../../secret.txt",
                    f"{home.work}/secret.txt", f"/{home.work}/secret.txt", "/%2f" + str(home.work)[1:] + "/secret.txt",
                    "/proc/self/environ", "/plain/%2e%2e/%2e%2e/secret.txt", "/./../secret.txt"]
        for port in (plain, open_to_dots):
            for target in targets:
                answer = raw(port, f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                check(SECRET.encode() not in answer and b"KEY=1" not in answer, f"{target} gives it away")
                if port == plain:
                    check(answer[9:12] in (b"400", b"404"), f"{target}: {answer[:60]!r}")
            for line in (b"GET ../secret.txt HTTP/1.1", b"GET http://h/../secret.txt HTTP/1.1", b"GET \\..\\secret.txt HTTP/1.1",
                         b"GET /app.js\0/../../secret.txt HTTP/1.1", b"GET file:///etc/passwd HTTP/1.1"):
                answer = raw(port, line + b"\r\nHost: h\r\nConnection: close\r\n\r\n")
                check(SECRET.encode() not in answer and b"root:" not in answer, f"{line!r} gives it away")
        check(ask(plain, "/")[0] == 200, "it serves no more")


def test_no_link_leads_out_and_the_log_says_which_would():
    with Home() as home:
        site = make_site(home)
        (home.work / "outside").mkdir()
        (home.work / "outside/index.html").write_text(SECRET)
        for name, target in {"up.txt": "../secret.txt", "absolute.txt": home.work / "secret.txt", "folder": "../outside",
                             "root": "/", "inside.js": "app.js", "sub/inside.js": "../app.js"}.items():
            (site / name).symlink_to(target)
        os.mkfifo(site / "fifo")
        port = serve(home, "--ftp", "--dotfiles", "--name", "docs")
        for target in ("/up.txt", "/absolute.txt", "/folder/", "/folder", "/folder/index.html", "/root/etc/passwd", "/fifo"):
            status, _, body = ask(port, target)
            check(status == 404 and SECRET.encode() not in body, f"{target}: {status} {body}")
        for target in ("/inside.js", "/sub/inside.js"):
            check(ask(port, target)[2] == b"0123456789", f"{target} stays inside and is not followed")
        home.stop_all()
        check("pmx serve: up.txt: a link leads out" in (home.logs / "docs-error.log").read_text(), "the log does not say it")


def test_dotfiles_are_not_there_unless_asked_for():
    with Home() as home:
        make_site(home)
        port = serve(home)
        for target in ("/.env", "/.git/config", "/.git/", "/%2eenv", "/.git"):
            check(ask(port, target)[0] == 404, f"{target} is there")
        check(ask(port, "/.well-known/security.txt")[2] == b"mail", "RFC 8615 has a folder with a dot")
        asked = serve(home, "--dotfiles")
        check(ask(asked, "/.env")[2] == b"KEY=1", "--dotfiles")


def test_a_single_page_app():
    with Home() as home:
        make_site(home)
        port = serve(home, "--spa")
        for route in ("/users/5", "/users", "/plain/", "/a%2Fb", "/v1.2/"):
            status, _, body = ask(port, route)
            check((status, body) == (200, b"<home>"), f"{route}: {status} {body}")
        for target in ("/none.js", "/users/none.png", "/.env"):
            check(ask(port, target)[0] == 404, f"{target} is the homepage")
        check(ask(port, "/users/app.js")[2] == b"0123456789", "a relative link, as in PM2")


def test_a_listing_where_it_is_asked_for():
    with Home() as home:
        site = make_site(home)
        (site / "plain" / "<b>.txt").write_text("")
        check(ask(serve(home), "/plain/")[0] == 404, "a listing that nobody asked for")
        port = serve(home, "--ftp")
        page = ask(port, "/plain/")[2].decode()
        check('href="./x.txt"' in page and "&lt;b&gt;.txt" in page and "<b>" not in page, page)
        check(ask(port, "/sub/")[2] == b"<sub>", "an index.html goes first")


def test_a_password_is_asked_for_and_shown_nowhere():
    with Home() as home:
        make_site(home)
        word = "hidden:word"
        port = serve(home, "--name", "docs", "--basic-auth-username", "me", "--basic-auth-password", word)

        def login(text: str) -> dict:
            return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        for more in ({}, login("me:hidden"), login("you:" + word), {"Authorization": "Basic x"}, {"Authorization": "Bearer x"}):
            status, headers, body = ask(port, "/", **more)
            check(status == 401 and b"home" not in body, f"{more}: {status} {body}")
            check(headers["WWW-Authenticate"].startswith("Basic realm="), f"{headers}")
        check(ask(port, "/", **login("me:" + word))[2] == b"<home>", "the right one")
        pid = home.app("docs")["pid"]
        check(word.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes(), "it is in the worker's command line")
        for command in (["describe", "docs"], ["env", "0"], ["logs", "--nostream"]):
            check(word not in home.run(*command).stdout, f"{command} shows it")
        only = home.run("serve", "site", free_port(), "--basic-auth-username", "me", ok=False).stderr
        check("go together" in only and len(home.list()) == 1, only)
        port = free_port()
        home.run("serve", "site", port, *PATIENT, "--basic-auth-username", "me", env={"PM2_SERVE_BASIC_AUTH_PASSWORD": "other"})
        check(ask(port, "/")[0] == 401 and ask(port, "/", **login("me:other"))[0] == 200, "from the environment")


def test_folders_of_an_ecosystem_file():
    with Home() as home:
        make_site(home)
        first, second, third = free_port(), free_port(), free_port()
        (home.work / "e.json").write_text(json.dumps({
            "apps": [{"name": "docs", "script": "serve", "env": {"PM2_SERVE_PATH": "./site", "PM2_SERVE_PORT": first,
                                                                 "PM2_SERVE_SPA": "true", "PM2_SERVE_HOMEPAGE": "/app.js"}},
                     {"script": "serve", "cwd": "site", "args": f". {second}"}],
            "static": [{"path": "site", "port": third, "basic_auth": {"username": "me", "password": "x"}}]}))
        done = home.run("start", "e.json")
        check(done.stderr.count("WARN") == 1 and "not running, starting..." in done.stderr, done.stderr)
        names = {app["name"]: app["pm2_env"]["status"] for app in home.list()}
        check(names == {"docs": "online", "serve": "online", f"static-page-server-{third}": "online"}, f"{names}")
        check(ask(first, "/some/route")[2] == b"0123456789", "PM2_SERVE_SPA and PM2_SERVE_HOMEPAGE")
        check(ask(second, "/sub/")[2] == b"<sub>", "arguments")
        check(ask(third, "/")[0] == 401, "basic_auth")
        home.run("restart", "e.json")
        check(ask(first, "/some/route")[0] == 200, "after a restart with the file")


def test_a_deploys_link_is_followed_at_once():
    with Home() as home:
        for release in ("one", "two"):
            (home.work / release).mkdir()
            (home.work / release / "index.html").write_text(release)
        current = home.work / "current"
        current.symlink_to("one")
        port = free_port()
        home.run("serve", "current", port, *PATIENT, "--name", "docs")
        check(ask(port, "/")[2] == b"one", "the first release")
        (home.work / "next").symlink_to("two")
        (home.work / "next").rename(current)
        check(ask(port, "/")[2] == b"two", "the second release without a restart")
        current.unlink()
        check(ask(port, "/")[0] == 503, "between two releases")
        current.symlink_to("one")
        check(ask(port, "/")[2] == b"one", "back again")


def test_it_comes_back_after_a_kill():
    with Home() as home:
        make_site(home)
        port = serve(home, "--name", "docs")
        before = home.app("docs")["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for("another worker", lambda: home.app("docs")["pid"] not in (0, before) and home.status("docs") == "online")
        check(ask(port, "/")[2] == b"<home>", "it does not serve")
        home.kill_daemon()
        check(ask(port, "/")[2] == b"<home>", "the daemon's end is felt")
        home.run("restart", "docs")
        check(ask(port, "/")[2] == b"<home>", "after a restart")


def test_a_port_that_somebody_has_is_said_and_nothing_is_started():
    with Home() as home, socket.socket() as other:
        make_site(home)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        said = home.run("serve", "site", port, ok=False).stderr.splitlines()
        check(len(said) == 1 and f"serve: port {port} of 0.0.0.0 is in use" in said[0], f"{said}")
        check(not (home.path / "pmx.sock").exists(), "a daemon for nothing")
        (home.work / "e.json").write_text(json.dumps({"apps": [
            {"name": "docs", "script": "serve", "max_restarts": 2, "env": {"PM2_SERVE_PATH": "site", "PM2_SERVE_PORT": port}}]}))
        said = home.run("start", "e.json", ok=False).stderr
        check("docs (id 0) ended before it was ready" in said, said)
        wait_for("it is given up", lambda: home.status("docs") == "errored")
        check(f"port {port} of 0.0.0.0 is in use" in home.run("why", "docs").stdout, "why does not tell")


def test_a_stop_lets_open_answers_end():
    with Home() as home:
        site = make_site(home)
        size = 64 << 20
        with open(site / "big.bin", "wb") as file:
            file.truncate(size)
        port = serve(home, "--name", "docs", "--kill-timeout", "30000")
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        idle.request("GET", "/")
        idle.getresponse().read()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(b"GET /big.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            got = len(slow.recv(1000))
            pid = home.app("docs")["pid"]
            stopping = home.spawn("stop", "docs", stdout=subprocess.DEVNULL)
            wait_for("no connection is taken any more", lambda: refused(port))
            check(alive(pid), "it ended in the middle of an answer")
            while piece := slow.recv(1 << 20):
                got += len(piece)
        check(got > size, f"{got} of {size} bytes")
        check(stopping.wait(30) == 0, "the stop failed")
        why = home.app("docs")["pmx"]["last_exit"]
        check((why["code"], why["cause"]) == (0, "asked"), f"{why}")
        idle.close()


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


def test_instances_share_the_port():
    with Home() as home:
        make_site(home)
        port = free_port()
        said = home.run("serve", "site", port, *PATIENT, "-i", "2", "--name", "docs", "--access-log").stderr
        check("WARN" not in said, said)
        pids = home.worker_pids()
        check(len(pids) == 2 and all(app["pm2_env"]["status"] == "online" for app in home.list()), f"{pids}")
        for _ in range(200):
            check(ask(port, "/")[0] == 200, "a request failed")
        home.run("scale", "docs", "3")
        check(len(home.list()) == 3 and ask(port, "/")[0] == 200, "three instances")
        home.stop_all()
        counts = [(home.logs / f"docs-out-{pm_id}.log").read_text().count('"GET / HTTP/1.1" 200 6 ') for pm_id in pids]
        check(all(counts) and sum(counts) >= 200, f"all went to one of them: {counts}")


def test_failures_are_in_the_log_and_all_answers_where_asked_for():
    with Home() as home:
        make_site(home)
        port, all_port = serve(home, "--name", "docs"), serve(home, "--name", "all", "--access-log")
        for where in (port, all_port):
            ask(where, "/")
            ask(where, "/none%0a", User_Agent='a"b')
            ask(where, "/none", User_Agent="curl")
        home.stop_all()
        out, err = (home.logs / "docs-out.log").read_text(), (home.logs / "docs-error.log").read_text()
        check(out == f"Exposing {home.work}/site directory on 0.0.0.0:{port}\n", out)
        lines = err.splitlines()
        check(len(lines) == 2 and '"GET /none%0a HTTP/1.1" 400 16 "-" "a\\x22b"' in lines[0], err)
        check(lines[1].startswith("127.0.0.1 - - [") and '"GET /none HTTP/1.1" 404 6 "-" "curl"' in lines[1], err)
        check(len((home.logs / "all-out.log").read_text().splitlines()) == 4, "not all of them")


def test_many_who_say_nothing_keep_nobody_waiting():
    with Home() as home:
        make_site(home)
        port = serve(home, "--name", "docs")
        idle = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(300)]
        for connection in idle:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(20):
            check(ask(port, "/")[0] == 200, "a request failed")
        for connection in idle:
            connection.close()
        check(ask(port, "/")[0] == 200, "after they have gone")


def test_in_the_foreground_as_a_container_has_it():
    with Home() as home:
        make_site(home)
        port = free_port()
        process = home.spawn("serve", "site", port, "--spa", "--no-daemon", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(process.stdout.readline() == f"Exposing {home.work}/site directory on 0.0.0.0:{port}\n", "it does not say where")
        check(ask(port, "/a/route")[2] == b"<home>", "it does not serve")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        check((process.returncode, out) == (0, ""), f"not its own code: {process.returncode} {out!r} {err!r}")


def test_pm2s_own_server_becomes_ours():
    with Home() as home:
        make_site(home)
        port = free_port()
        home.path.mkdir()
        (home.path / "dump.pm2").write_text(json.dumps([{
            "name": "docs", "pm_exec_path": "/usr/lib/node_modules/pm2/lib/API/Serve.js", "pm_cwd": str(home.work),
            "exec_interpreter": "node", "exec_mode": "fork_mode", "status": "online", "pm_id": 0, "merge_logs": False,
            "env": {"PM2_SERVE_PATH": str(home.work / "site"), "PM2_SERVE_PORT": port, "PM2_SERVE_FTP": False}}]))
        home.run("resurrect")
        wait_for("it serves", lambda: not refused(port))
        check(ask(port, "/")[2] == b"<home>", "PM2's dump")
        home.run("save")
        home.run("delete", "all")
        home.run("resurrect")
        wait_for("it serves", lambda: not refused(port))
        check(ask(port, "/")[2] == b"<home>", "our dump")


if __name__ == "__main__":
    run_tests()
