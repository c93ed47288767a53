"""What lies between a sink and its store: HTTP/2, IPv6, a proxy. The server is Node's own."""
import json
import socket
import subprocess
import sys
from pathlib import Path

from harness import HERE, NUMBERED, Home, check, run_tests, size, text_of
from shipping import wait_until_shipped

LINES = size(5_000, 100_000)


class Server:
    """One process of http_store.js, and the file in which it keeps what it was sent."""

    def __init__(self, home: Home, name: str, *arguments):
        self.kept = home.work / name
        self.kept.touch()
        self.process = subprocess.Popen(["node", str(HERE / "http_store.js"), *map(str, arguments)],
                                        stdout=subprocess.PIPE, text=True)
        home.processes.append(self.process)
        self.port = int(self.process.stdout.readline())

    @classmethod
    def store(cls, home: Home, host: str, *tls) -> "Server":
        return cls(home, "store", home.work / "store", host, *tls)

    @classmethod
    def proxy(cls, home: Home) -> "Server":
        return cls(home, "proxy", "--proxy", home.work / "proxy")

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.kept.read_text().splitlines()]


def certificate(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost, signed by itself."""
    key, pem = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", str(key), "-out", str(pem), "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, pem


def start_shipping(home: Home, ship: dict) -> None:
    (home.work / "app.json").write_text(json.dumps({"ship": ship, "apps": [{
        "name": "a", "script": NUMBERED, "interpreter": sys.executable, "autorestart": False,
        "args": ["a", str(home.work), "--rate", "50000", "--count", str(LINES)]}]}))
    home.run("start", "app.json")


def check_shipped(home: Home, store: Server, ship: dict, version: str) -> None:
    """All lines once and in order, each by this version of HTTP."""
    start_shipping(home, {"type": "http", **ship})
    wait_until_shipped(home, LINES, 120)
    kept = store.lines()
    versions = {entry["version"] for entry in kept}
    check(versions == {version}, f"HTTP {version} was expected, there is {versions}")
    messages = [entry["line"]["line"] for entry in kept]
    check(messages == [text_of("a", n) for n in range(LINES)], f"{LINES} printed, {len(messages)} arrived")


def test_a_store_that_speaks_http2_is_spoken_to_in_http2():
    with Home() as home:
        key, pem = certificate(home.work)
        store = Server.store(home, "127.0.0.1", key, pem)
        check_shipped(home, store, {"url": f"https://localhost:{store.port}/in", "tls": {"ca_file": str(pem)}}, "2.0")


def test_a_store_at_an_ipv6_address():
    with Home() as home:
        store = Server.store(home, "::1")
        check_shipped(home, store, {"url": f"http://[::1]:{store.port}/in"}, "1.1")


def test_a_store_behind_a_proxy_is_reached_by_connect():
    # One that the environment names in the usual way.
    with Home() as home:
        key, pem = certificate(home.work)
        store = Server.store(home, "127.0.0.1", key, pem)
        proxy = Server.proxy(home)
        home.env["https_proxy"] = f"http://127.0.0.1:{proxy.port}"
        check_shipped(home, store, {"url": f"https://localhost:{store.port}/in", "tls": {"ca_file": str(pem)}}, "2.0")
        asked = set(proxy.kept.read_text().splitlines())
        check(asked == {f"localhost:{store.port}"}, f"the proxy was asked for {asked}")


def test_a_proxy_that_is_not_there_is_named_and_no_line_is_lost():
    with Home() as home:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = free.getsockname()[1]
        home.env["http_proxy"] = f"http://127.0.0.1:{nobody}"
        start_shipping(home, {"type": "http", "url": "http://store.invalid/in"})
        status = home.wait_for_state("retrying")
        check(str(nobody) in status["last_error"], f"the proxy is not named: {status['last_error']!r}")
        home.wait_for_end("a")
        status = home.wait_for_ship(lambda sink: sink["captured_lines"] == LINES)
        check(status["waiting_lines"] == LINES, f"lines were lost: {status}")


if __name__ == "__main__":
    run_tests()
