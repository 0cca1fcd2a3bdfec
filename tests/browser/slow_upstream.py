"""A slow upstream that a test holds back and releases; every fourth response is an error."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class SlowUpstream(ThreadingHTTPServer):
    """Answers task N after `pace` * (N % 5 + 1) seconds, and not before `let_go` is set."""

    request_queue_size = 1024
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.let_go = threading.Event()
        self.let_go.set()
        self.never = threading.Event()
        self.pace = 0.0


class Handler(BaseHTTPRequestHandler):
    server: SlowUpstream

    def do_GET(self) -> None:
        number = int(parse_qs(urlsplit(self.path).query)["task_id"][0])
        self.server.let_go.wait()
        self.server.never.wait(self.server.pace * (number * 3 % 5 + 1))
        self.send_response(503 if number % 4 == 3 else 200)
        self.send_header("Content-Length", "2")
        with suppress(ConnectionError):  # The client has cancelled the call.
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@contextmanager
def slow_upstream() -> Iterator[SlowUpstream]:
    """Serve on a free port until the end of the block."""
    with SlowUpstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()
