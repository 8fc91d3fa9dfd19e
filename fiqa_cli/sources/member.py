"""Images that are no files of their own, one at a time: taken out of their container."""

from pathlib import Path

from fiqa_cli.sources.container import select, split
from fiqa_cli.sources.entry import Entry
from fiqa_cli.sources.formats import EXTENSIONS, sniff
from fiqa_cli.sources.network import check_url, is_url
from fiqa_cli.sources.reasons import UnreadableImage
from fiqa_cli.sources.remote import RemoteFile

_EXTENSIONS = {"JPEG": ".jpg", "JPEG 2000": ".jp2", "Netpbm": ".pnm", "TIFF": ".tif"}
"""Those that are not the format's name."""


def path_if_unpacked(path: str) -> str | None:
    """Where an image would lie were its container a folder; `None` if it is a file of its own.

    `a.tar::x/1.jpg` gives `a.tar/x/1.jpg`. Names that lead elsewhere (`/`, `..`) do not here.
    """
    if member := split(path):
        container, name = member
        parts = [part for part in name.split("/") if part not in ("", ".", "..")]
        return "/".join([container, *parts])
    return path if is_url(path) else None


def take_out(path: str, target: Path, *, offline: bool = False) -> Path:
    """Write the encoded image that `path` names in a container, or as a URL, to `target`.

    Where that has no extension of an image, the fitting one is added. Raises `FileExistsError` if
    it is there, `OSError` if the image cannot be had, also where several have its name, and
    `FiqaError` for a URL that needs the network while `offline`.
    """
    try:
        content = _read(path, offline)
    except UnreadableImage as error:
        raise OSError(str(error)) from error
    target = target.with_name(target.name + _lacking(target.name, content))
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except BaseException:
            target.unlink()
            raise
    return target


def find(path: str) -> Entry:
    """The local image that a row calls `path`: a file, or a member of a container.

    Raises `UnreadableImage` for a member that is not there, or several times, and `FiqaError` for
    a frame without PyAV.
    """
    member = split(path)
    if member is None:
        return Entry(path)
    entries = list(select(*member))
    if len(entries) > 1:
        raise UnreadableImage("several members have this name")
    if entries[0].reason:
        raise UnreadableImage(entries[0].reason)
    return entries[0]


def _read(path: str, offline: bool) -> bytes:
    if is_url(path) and (reason := check_url(path, offline)):
        raise UnreadableImage(reason)
    place = find(path).place or RemoteFile(path)
    return place.read()


def _lacking(name: str, content: bytes) -> str:
    """The extension that a file of this name and content lacks."""
    known = sniff(content[:64])
    if known is None or Path(name).suffix.lower() in EXTENSIONS:
        return ""
    return _EXTENSIONS.get(known.name, f".{known.name.lower()}")
