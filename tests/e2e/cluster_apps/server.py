"""A plain server, which knows nothing of clusters: it finishes its requests on SIGTERM, and tells clients that keep
their connections to make new ones. Who says nothing for 2 s is not waited for.

    GET /        who answers             GET /300       after 300 ms
    GET /health  with $HEALTH_STATUS, and its pid is printed
    GET /also/N  it serves port N too    GET /others/N  what else it binds: UDP on port N, and a free port
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
ABOUT = {"pid": os.getpid(), "instance": os.environ.get("NODE_APP_INSTANCE"),
         "version": version.read_text().strip() if version.exists() else "1"}
servers = []
ending = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2

    def do_GET(self):
        words = self.path.strip("/").split("/")
        about = ABOUT
        status = 200
        if words[0].isdigit():
            time.sleep(int(words[0]) / 1000)
        elif words[0] == "health":
            status = int(os.environ.get("HEALTH_STATUS", "200"))
            print(os.getpid(), "was asked", flush=True)
        elif words[0] == "also":
            serve(int(words[1]))
        elif words[0] == "others":
            about = ABOUT | others(int(words[1]))
        body = json.dumps(about).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if ending.is_set():
            self.send_header("Connection", "close")  # Which closes it, too.
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False
    block_on_close = True


def others(port: int) -> dict:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as free:
        udp.bind(("127.0.0.1", port))
        free.bind(("127.0.0.1", 0))
        return {"udp": udp.getsockname()[1], "free": free.getsockname()[1],
                "listens": bool(free.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))}


def serve(port: int) -> None:
    servers.append(Server(("127.0.0.1", port), Handler))
    threading.Thread(target=servers[-1].serve_forever, args=(0.05,)).start()


def end(*_) -> None:
    ending.set()
    for server in servers:
        threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, end)
if os.environ.get("DIES"):
    sys.exit("no database password in this release")
if os.environ.get("MUTE"):
    signal.pause()
    sys.exit(0)
serve(int(os.environ["PORT"]))
