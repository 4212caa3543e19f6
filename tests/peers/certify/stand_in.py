# A stand-in in another process, for the scripts in Python beside this one.

import json
import queue
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StandIn:
    """The stand-in `name`; `settings` is what the adapter is told, as a dictionary of its TOML lines."""

    def __init__(self, name):
        self.child = subprocess.Popen([sys.argv[1], name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.came = {"settings": queue.Queue(), "done": queue.Queue(), "read": queue.Queue()}
        threading.Thread(target=self._listen, daemon=True).start()
        lines = [line.split(" = ", 1) for line in self.came["settings"].get().splitlines()]
        self.settings = {key: json.loads(value) for key, value in lines}

    def _listen(self):
        for line in self.child.stdout:
            kind, _, text = line.rstrip("\n").partition(" ")
            self.came[kind].put(json.loads(text) if text else None)

    def _say(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        self.came["done"].get()

    def call_at(self, url):
        """The bot's web hook is there."""
        self._say(f"call {url}")

    def write(self, text):
        """The first person writes to the bot."""
        self._say(f"write {text}")

    def read(self):
        """The next text that reaches the first person."""
        return self.came["read"].get()

    def end(self):
        self.child.stdin.close()
        self.child.wait()


def listen(answer):
    """A web server on a loopback port: `answer` is given the method, the path, the headers and the body of each call, and
    returns a status and a text. Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, text = answer(self.command, self.path, self.headers, body)
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def same(got, expected, what):
    """Fails unless both are the same."""
    if got != expected:
        sys.exit(f"{what}: {got!r} in place of {expected!r}")
