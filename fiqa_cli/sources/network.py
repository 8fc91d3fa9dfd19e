"""How a URL is reached: through fsspec, asked again where that may help."""

import random
import re
import time
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, TypeVar

from fiqa_cli.errors import FiqaError
from fiqa_cli.sources.reasons import UnreadableImage

ATTEMPTS = 4
"""Times that a request is made before what it asked for counts as unreadable."""

PACKAGES = {
    "abfs": "adlfs",
    "az": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "s3a": "s3fs",
    "sftp": "paramiko",
}
"""What to install for a protocol."""

WEB = ("http", "https")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL = ("file", "local", "memory")
_PASSING_STATUSES = (408, 425, 429)
_FIRST_PAUSE = 0.5
"""Seconds before the second attempt; then twice as long each time."""

Answer = TypeVar("Answer")


def is_url(path: str) -> bool:
    """Whether `path` has the form of a URL: `s3://bucket/a.jpg`."""
    return _URL.match(path) is not None


def check_url(url: str, offline: bool) -> str:
    """Why no file system can be had for `url`: a few words, or "".

    Raises `FiqaError` if it needs a package that is not here, or the network while `offline`.
    """
    protocol = protocol_of(url)
    if offline and protocol not in _LOCAL:
        raise FiqaError(f"offline, by --offline or FIQA_OFFLINE: {url} was not opened")
    import fsspec

    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        return f"unknown protocol {protocol}://"
    except ImportError as error:
        package = PACKAGES.get(protocol)
        remedy = f"pip install {package}" if package else str(error)
        raise FiqaError(f"{protocol}:// needs a package that is not installed: {remedy}") from error
    return ""


def protocol_of(url: str) -> str:
    """What stands before `://`."""
    return url.partition("://")[0].lower()


def locate(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path there.

    Not by fsspec's own way from a URL, for which `::` joins several: names may hold that, too.
    """
    import fsspec

    protocol = protocol_of(url)
    kind: Any = fsspec.get_filesystem_class(protocol)
    options = kind._get_kwargs_from_urls(url)
    return _system(protocol, tuple(sorted(options.items()))), kind._strip_protocol(url)


@cache
def _system(protocol: str, options: tuple[tuple[str, Any], ...]) -> Any:
    import fsspec

    given = dict(options)
    if protocol in WEB:
        import aiohttp

        # Not five minutes in all, as by default: a shard may take longer.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        given["client_kwargs"] = {"timeout": timeout, "trust_env": True}
    return fsspec.filesystem(protocol, **given)


def read_fully(stream: Any, size: int) -> bytes:
    """The next `size` bytes of a stream that may give fewer at a time; fewer at its end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def attempt(ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives, asked again where that may help. Raises `UnreadableImage`."""
    for number in count(1):
        try:
            return ask()
        except Exception as error:
            if number == ATTEMPTS or not _may_pass(error):
                raise UnreadableImage(_reason(error)) from error
        time.sleep(_FIRST_PAUSE * 2 ** (number - 1) * random.uniform(0.5, 1.5))
    raise AssertionError


def _cause(error: Exception) -> BaseException:
    """fsspec calls whatever goes wrong while it looks for a web file a file that is not there."""
    return error.__cause__ if isinstance(error, OSError) and error.__cause__ else error


def _may_pass(error: Exception) -> bool:
    cause = _cause(error)
    status = getattr(cause, "status", None)
    if isinstance(status, int):
        return status >= 500 or status in _PASSING_STATUSES
    permanent = (
        FileNotFoundError,
        IsADirectoryError,
        NotADirectoryError,
        PermissionError,
        NotImplementedError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    )
    return not isinstance(cause, permanent)


def _reason(error: Exception) -> str:
    cause = _cause(error)
    status = getattr(cause, "status", None)
    if isinstance(cause, FileNotFoundError | KeyError) or status == 404:
        return "no such file or directory"
    if isinstance(status, int):
        return f"the server answers {status}"
    if isinstance(cause, PermissionError):
        return "permission denied"
    if isinstance(cause, TimeoutError):
        return "the server does not answer"
    if isinstance(cause, ConnectionError) or type(cause).__module__.startswith("aiohttp"):
        return "the connection failed"
    lines = str(cause).strip().splitlines()
    return lines[0][:100] if lines else type(cause).__name__
