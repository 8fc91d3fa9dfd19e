"""A real HTTP server on loopback that misbehaves as told."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Handler"], None]


@dataclass
class Site:
    """Files by address path, and what the next answers do instead of serving them."""

    files: dict[str, bytes] = field(default_factory=dict)
    next: list[Behaviour] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    etag: str = '"one"'
    url: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        self.site.requests.append({"path": self.path, **self.headers})
        (self.site.next.pop(0) if self.site.next else serve)(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def body(self) -> bytes:
        return self.site.files[self.path]

    def answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        """Send `body`, or only its first `cut` bytes under the full Content-Length."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        self.wfile.flush()
        self.close_connection = True


def serve(handler: Handler, cut: int | None = None) -> None:
    """A well-behaved answer: ranges, If-Range, 416 and 404."""
    if handler.path not in handler.site.files:
        handler.answer(404, b"")
        return
    body, etag = handler.body, {"ETag": handler.site.etag}
    wanted = handler.headers.get("Range")
    if wanted and handler.headers.get("If-Range", handler.site.etag) == handler.site.etag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            handler.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        told = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}", **etag}
        handler.answer(206, body[start:], told, cut)
        return
    handler.answer(200, body, etag, cut)


def drop_after(count: int) -> Behaviour:
    return lambda handler: serve(handler, cut=count)


def status(code: int, **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(code, b"", named)


def ignore_range(handler: Handler) -> None:
    handler.answer(200, handler.body)


def send(body: bytes, **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(200, body, named)


@contextmanager
def running() -> Iterator[Site]:
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
