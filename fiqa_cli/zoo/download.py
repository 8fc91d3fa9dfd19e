"""Download one file over HTTP: resumed, retried, checked, never half there."""

import contextlib
import email.utils
import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fiqa_cli import __version__
from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.cache import make_folder, require_space, sync
from fiqa_cli.zoo.checksum import sha256_of, write_json

ATTEMPTS = 5
"""Failures in a row, without a byte gained, after which a download gives up."""
_TIMEOUT = (10.0, 60.0)
_LONGEST_WAIT = 120.0
_CHUNK = 2**14
"""A connection that drops loses the chunk being read: small chunks lose little."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes there will be, if known."""


class _TryAgainError(Exception):
    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class WrongFile(FiqaError):
    """What came is complete, and not the file that was expected."""


def is_offline() -> bool:
    """Whether `FIQA_OFFLINE` forbids every connection."""
    return os.environ.get("FIQA_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Download `url` to `target` and return the sha256 of what came.

    A dropped connection, a time-out, a 5xx or a 429 is tried again with growing, randomised
    waits; what has arrived stays in `target` + `.part` and is continued, also by a later call.
    A file that has not the given `sha256` or `size` (bytes) is deleted. `target` appears in one
    step, complete and on the disk. `offline`, or `FIQA_OFFLINE`, refuses before any connection.
    Raises `WrongFile` for a wrong file and `FiqaError` if nothing of this helps.
    """
    if offline or is_offline():
        raise FiqaError(f"offline, by --offline or FIQA_OFFLINE: {url} was not downloaded")
    make_folder(target.parent)
    part = target.with_name(target.name + ".part")
    failures, fresh_start = 0, False
    while True:
        before = _size(part)
        try:
            _fetch(url, part, size, sha256 is not None, progress)
        except _TryAgainError as problem:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise FiqaError(
                    f"cannot download {url}: {problem}; what has arrived is kept and the next try"
                    " continues it (proxy: set HTTPS_PROXY; mirror: --mirror or FIQA_MIRROR)"
                ) from problem
            wait = problem.wait if problem.wait is not None else _back_off(failures)
            notify(f"{problem}; trying again in {wait:.0f} s")
            sleep(wait)
            continue
        digest, length = sha256_of(part), _size(part)
        if sha256 in (None, digest) and size in (None, length):
            break
        _discard(part)
        # Two halves of different files can meet in a continued download: start over once.
        if before and not fresh_start:
            fresh_start = True
            continue
        raise WrongFile(
            f"{url} gave {length} bytes with sha256 {digest} instead of {_wanted(sha256, size)}:"
            " deleted; the file there was changed or something on the way replaces it"
        )
    sync(part)
    part.replace(target)
    _note(part).unlink(missing_ok=True)
    sync(target.parent)
    return digest


def _fetch(
    url: str, part: Path, size: int | None, has_hash: bool, progress: Progress | None
) -> None:
    """Bring `part` to its full length, from where it stands."""
    import requests

    have = _size(part)
    validator = _validator(part, url)
    # With neither validator nor hash, a continued file could be half old and half new.
    if validator is None or not (validator or has_hash):
        have = 0
    headers = {"Accept-Encoding": "identity", "User-Agent": f"fiqa/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            _receive(response, url, part, have, size, progress)
    except requests.exceptions.SSLError as error:
        raise FiqaError(
            f"cannot download {url}: its certificate is not trusted here"
            " (behind an inspecting proxy set REQUESTS_CA_BUNDLE)"
        ) from error
    except requests.exceptions.Timeout as error:
        raise _TryAgainError("the server does not answer") from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _TryAgainError("the connection failed") from error
    except requests.RequestException as error:
        raise FiqaError(f"cannot download {url}: {error}") from error
    except OSError as error:
        raise FiqaError(f"cannot write {part}: {error.strerror}") from error


def _receive(
    response: Any, url: str, part: Path, have: int, size: int | None, progress: Progress | None
) -> None:
    status = response.status_code
    if status == 416:
        _range_refused(response, part, have)
        return
    if status in (408, 425, 429) or status >= 500:
        raise _TryAgainError(f"the server answers {status}", _retry_after(response))
    if status not in (200, 206):
        raise FiqaError(
            f"cannot download {response.url}: the server answers {status} {response.reason}"
            " (another source: --mirror, or fiqa models import FILE)"
        )
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise FiqaError(
            f"{response.url} is a web page and no weights file: a log-in or proxy page is between"
        )
    if status == 206:
        start, total = _content_range(response)
        if start != have:
            _discard(part)
            raise _TryAgainError("the server sent another part of the file")
    else:
        have, total = 0, _content_length(response)
    if size is not None and total is not None and total != size:
        _discard(part)
        raise WrongFile(f"{response.url} has {total} bytes instead of {size}: not downloaded")
    require_space(part.parent, (total or size or 0) - have)
    write_json(_note(part), {"url": url, "validator": _strong(response)})
    _append(response, part, have, total, progress)


def _append(
    response: Any, part: Path, have: int, total: int | None, progress: Progress | None
) -> None:
    with part.open("ab" if have else "wb") as file:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            if progress:
                progress(have, total)
    if total is not None and have < total:
        raise _TryAgainError("the connection dropped")
    if total is not None and have > total:
        _discard(part)
        raise _TryAgainError("the server sent more than it announced")


def _range_refused(response: Any, part: Path, have: int) -> None:
    """A 416 means that nothing is left to fetch, if the server's length is what is here."""
    if response.headers.get("Content-Range", "") != f"bytes */{have}":
        _discard(part)
        raise _TryAgainError("the server cannot continue the file")


def _content_range(response: Any) -> tuple[int, int | None]:
    match = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
    )
    if not match:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _content_length(response: Any) -> int | None:
    # With a content encoding the length is that of the compressed body.
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _retry_after(response: Any) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return min(float(value), _LONGEST_WAIT)
    with contextlib.suppress(ValueError, TypeError):
        wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return min(max(wait, 0.0), _LONGEST_WAIT)
    return None


def _back_off(failures: int) -> float:
    return float(2 ** (failures - 1) * random.uniform(0.5, 1.5))


def _strong(response: Any) -> str:
    """What tells this version of the file apart: only a strong ETag or a date may continue it."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return str(etag)
    return str(response.headers.get("Last-Modified", ""))


def _validator(part: Path, url: str) -> str | None:
    """The validator of `part`; empty if its server gave none, `None` if `part` is not of `url`."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        return str(note["validator"]) if note["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _wanted(sha256: str | None, size: int | None) -> str:
    return " and ".join(
        [f"{size} bytes"] * (size is not None) + [f"sha256 {sha256}"] * (sha256 is not None)
    )
