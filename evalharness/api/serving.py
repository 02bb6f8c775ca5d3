"""Serving one page on this machine only: loopback, a secret in the address, no other file, no other host."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


def serve_page(path: Path, ready: Callable[[str], None]) -> None:
    """Serve the file until interrupted; ``ready`` gets its address, which holds a token that nobody can guess.

    Requests without the token, or with a Host that is not this server's (a name rebound to this machine), are refused.
    """
    token = secrets.token_urlsafe(24)
    handler = type("PageHandler", (_PageHandler,), {"path_on_disk": path, "token": token})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        ready(f"http://{HOST}:{server.server_port}/{token}/{path.name}")
        server.serve_forever(poll_interval=0.2)


class _PageHandler(BaseHTTPRequestHandler):
    path_on_disk: Path
    token: str
    server_version = "evalharness"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page, or with 404 to anybody who does not know the address."""
        host = self.headers.get("Host", "")
        port = self.connection.getsockname()[1]
        known = secrets.compare_digest(self.path.encode(), f"/{self.token}/{self.path_on_disk.name}".encode())
        if host != f"{HOST}:{port}" or not known:
            self.send_error(404)
            return
        body = self.path_on_disk.read_bytes()
        self.send_response(200)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Say nothing: the address is a secret."""
