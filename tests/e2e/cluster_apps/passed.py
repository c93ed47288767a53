"""A server that is started with its sockets (sd_listen_fds(3)): it finishes its requests when it is told to end.

    GET /        who answers, and with what it was started       GET /300    after 300 ms
    GET /health  503 where UNWELL is set, else 200
"""
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

version = Path(__file__).with_name("version")
sockets = [socket.socket(fileno=3 + i) for i in range(int(os.environ.get("LISTEN_FDS", "0")))]
ABOUT = {"pid": os.getpid(), "instance": os.environ.get("NODE_APP_INSTANCE"),
         "version": version.read_text().strip() if version.exists() else "1",
         "env": {name: value for name, value in os.environ.items() if name.startswith("LISTEN_")},
         "listening": [bool(s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) for s in sockets],
         "blocking": [os.get_blocking(s.fileno()) for s in sockets],
         "addresses": [s.getsockname() for s in sockets],
         "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        word = self.path.strip("/")
        if word.isdigit():
            time.sleep(int(word) / 1000)
        unwell = word == "health" and os.environ.get("UNWELL")
        if word == "health":
            print(f"{os.getpid()} was asked", flush=True)
        body = json.dumps(ABOUT).encode()
        self.send_response(503 if unwell else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, listener: socket.socket):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        listener.setblocking(False)  # Others may have the same one, and be faster.


if os.environ.get("DIES"):
    sys.exit("no database password in this release")
print(json.dumps(ABOUT), flush=True)
# Waited for, not handled: handlers run in the main thread, which a signal taken by another one does not wake.
ends = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, ends)
servers = [Server(listener) for listener in sockets]
for server in servers:
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
signal.sigwait(ends)
for server in servers:
    server.shutdown()
