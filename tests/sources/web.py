"""A real web server on loopback that gives files, parts and folders, and fails as told."""

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass
class Site:
    """Files by path, and how the server behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    """Whether parts of files are given."""
    drops: Callable[[str, int], int | None] = lambda path, number: None
    """After how many bytes of the body the connection is cut, by path and number of the request."""
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with, if not as they should be."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each."""
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        site, path = self.site, self.path.partition("?")[0]
        asked = self.headers.get("Range", "")
        site.requests.append((self.command, path, asked))
        if site.statuses:
            self.send(site.statuses.pop(0), b"")
        elif path.endswith("/"):
            self.send(HTTPStatus.OK, self.index(path), {"Content-Type": "text/html"})
        elif path not in site.files:
            self.send(HTTPStatus.NOT_FOUND, b"")
        elif site.ranges and (found := re.fullmatch(r"bytes=(\d+)-(\d+)", asked)):
            body = site.files[path]
            part = body[int(found[1]) : int(found[2]) + 1]
            told = f"bytes {found[1]}-{int(found[1]) + len(part) - 1}/{len(body)}"
            self.send(HTTPStatus.PARTIAL_CONTENT, part, {"Content-Range": told})
        else:
            self.send(HTTPStatus.OK, site.files[path])

    def index(self, folder: str) -> bytes:
        """What Apache and others show of a folder, with a link to its parent and one elsewhere."""
        found = {
            re.match("[^/]*/?", path[len(folder) :])[0]
            for path in self.site.files
            if path.startswith(folder)
        }  # type: ignore[index]
        names = ["../", "?C=N;O=D", "/elsewhere/x.jpg", *sorted(found, reverse=True)]
        return "".join(f'<a href="{name}">{name}</a>\n' for name in names).encode()

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.site.drops(self.path, len(self.site.requests))
        self.wfile.write(body if cut is None else body[:cut])
        self.close_connection = self.close_connection or cut is not None

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client: None  # type: ignore[method-assign]
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
