"""A receiver of webhooks: keeps what arrives, and answers each path as it is told."""

import threading
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Arrived:
    """One request. headers: names in lower case."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """A server on a port of the loopback interface, in threads of its own. nobody_port: one where nobody listens."""

    def __init__(self, port: int, nobody_port: int) -> None:
        self.port = port
        self.nobody_port = nobody_port
        self._arrived: dict[str, list[Arrived]] = defaultdict(list)
        self._statuses: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def nobody(self) -> str:
        """An address where nobody listens."""
        return f"http://127.0.0.1:{self.nobody_port}/"

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, path: str, status: int) -> None:
        """Answer requests of a path with this status; 200 unless it is set."""
        self._statuses[path] = status

    def arrived(self, path: str) -> list[Arrived]:
        """Return what arrived at a path so far."""
        return list(self._arrived[path])

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._arrived[self.path].append(Arrived(headers, body))
                self.send_response(receiver._statuses.get(self.path, 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
