"""Clients of the cluster tests that speak something else than plain HTTP: https and websockets, one connection each."""
from __future__ import annotations

import base64
import collections
import concurrent.futures
import hashlib
import http.client
import json
import os
import resource
import socket
import ssl
import subprocess

from cluster import Site
from harness import check

ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
TIMEOUT_SECONDS = 30


def certificate(site: Site) -> None:
    """key.pem and certificate.pem, which tls.js takes from its directory of work."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", site.work / "key.pem",
                    "-out", site.work / "certificate.pem"], check=True, capture_output=True)


def any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Https:
    def __init__(self, site: Site, context: ssl.SSLContext):
        self._connection = http.client.HTTPSConnection("127.0.0.1", site.port, timeout=TIMEOUT_SECONDS, context=context)

    def ask(self) -> int:
        """The pid of whoever answers."""
        self._connection.request("GET", "/")
        answer = self._connection.getresponse()
        body = answer.read()
        check(answer.status == 200, f"{answer.status} {body[:200]!r}")
        return json.loads(body)["pid"]

    def close(self) -> None:
        self._connection.close()


class WebSocket:
    """Of websocket.js."""

    def __init__(self, site: Site):
        self._socket = socket.create_connection(("127.0.0.1", site.port), TIMEOUT_SECONDS)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16))
        self._socket.sendall(b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
        head = b"".join(iter(self._file.readline, b"\r\n"))
        accepted = base64.b64encode(hashlib.sha1(key + ACCEPT).digest())
        check(head.startswith(b"HTTP/1.1 101 ") and accepted in head, f"{head!r}")

    def ask(self) -> int:
        """The pid of whoever sends a short text back."""
        text, mask = b"hello", os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        self._socket.sendall(bytes([0x81, 0x80 | len(text)]) + mask + masked)
        kind, size = self._file.read(2)
        pid, word = self._file.read(size).split()
        check(kind == 0x81 and word == text, f"{kind} {word!r}")
        return int(pid)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def from_threads(ask, each) -> list:
    """What `ask` returns for each; eight are asked at a time."""
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        return list(threads.map(ask, each))


def answers_to_connections(connect, count: int) -> collections.Counter:
    """Who answers, of so many connections with one question each."""
    def ask(_) -> int:
        connection = connect()
        try:
            return connection.ask()
        finally:
            connection.close()

    return collections.Counter(from_threads(ask, range(count)))


def answers_to_open_connections(connect, count: int) -> collections.Counter:
    """Who answers, of so many connections that are open at the same time; each is asked twice."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = from_threads(lambda _: connect(), range(count))
    try:
        first = from_threads(lambda one: one.ask(), connections)
        check(from_threads(lambda one: one.ask(), connections) == first, "a connection has gone to another worker")
        return collections.Counter(first)
    finally:
        for connection in connections:
            connection.close()
