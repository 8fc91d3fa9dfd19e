"""Get the weights of a model onto this machine."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.archive import unpack
from fiqa_cli.zoo.cache import cache_folder, make_folder, model_folder, sync
from fiqa_cli.zoo.checksum import sha256_of
from fiqa_cli.zoo.download import Progress, WrongFile, download
from fiqa_cli.zoo.formats import weights_format
from fiqa_cli.zoo.lock import locked
from fiqa_cli.zoo.model import Artifact, Model
from fiqa_cli.zoo.receipt import Entry, entry, read_receipt, write_receipt
from fiqa_cli.zoo.registry import weights_of
from fiqa_cli.zoo.store import MissingWeights, how_to_get, locate, place


def pull(
    model: Model,
    *,
    format: str | None = None,
    mirror: str | None = None,
    force: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `model` unless it is here, verify it, and return its file or pack folder.

    `format` chooses among the artifacts. `mirror` (else `FIQA_MIRROR`) is a base address under
    which the artifact's file name is looked up. Where no hash is published, the one of the first
    download is recorded and every later one must match it. Raises `MissingWeights` for a model
    that can only be imported, `FiqaError` for a failed download or a wrong file.
    """
    model = weights_of(model)
    if model.built_in or model.path:
        return locate(model)
    artifact = model.artifact(format)
    if artifact is None and format:
        raise FiqaError(f"{model.name} is not published as {format}: see fiqa models show")
    if artifact is None or artifact.url is None:
        raise MissingWeights(how_to_get(model))
    with locked(model.name, notify):
        here = place(model)
        file = model_folder(model.name) / artifact.file
        if not force and here and (model.is_pack or file.is_file()):
            return locate(model)
        base = mirror or os.environ.get("FIQA_MIRROR")
        url = f"{base.rstrip('/')}/{artifact.file}" if base else artifact.url
        arrived = cache_folder() / "downloads" / artifact.file
        recorded = read_receipt(model_folder(model.name)).get(artifact.file)
        expected = artifact.sha256 or (recorded.sha256 if recorded else None)
        try:
            digest = download(
                url,
                arrived,
                sha256=expected,
                size=artifact.bytes,
                offline=offline,
                progress=progress,
                notify=notify,
                sleep=sleep,
            )
        except WrongFile as error:
            if artifact.sha256:
                raise
            raise FiqaError(
                f"{error}; the hash is that of the first download: if the publisher has changed"
                f" the file, delete {model_folder(model.name)} and pull again"
            ) from error
        if expected is None:
            _require_format(arrived, artifact)
            notify(
                f"no sha256 is published for {artifact.file}: recorded {digest},"
                " every later download and use must match it"
            )
        published = artifact.sha256 is not None
        if model.is_pack:
            install_pack(model, arrived, url, published=published, imported=False)
            arrived.unlink()
        else:
            made = entry(arrived, digest, url, published=published, imported=False)
            install_file(model, arrived, artifact.file, made)
        if here and here.state == "imported" and not model.is_pack:
            notify(f"{here.path} was imported and stays in use: delete it to use the download")
    return locate(model)


def install_file(model: Model, arrived: Path, name: str, made: Entry) -> Path:
    """Move the complete file `arrived` into the folder of `model`, with its receipt."""
    folder = make_folder(model_folder(model.name))
    # The receipt first: a file without one is not used, a receipt without a file does no harm.
    write_receipt(folder, {name: made})
    arrived.replace(folder / name)
    sync(folder)
    return folder / name


def install_pack(
    model: Model, archive: Path, origin: str, *, published: bool, imported: bool
) -> Path:
    """Unpack a zip as the folder of `model`, which appears in one step, with its receipt.

    Raises `FiqaError` if the zip is not that pack.
    """
    folder = model_folder(model.name)
    draft = make_folder(folder.parent) / f".{model.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    unpack(archive, draft)
    try:
        entries = {}
        for file in sorted(p for p in draft.rglob("*") if p.is_file()):
            name = file.relative_to(draft).as_posix()
            digest = sha256_of(file)
            if model.members.get(name, digest) != digest:
                raise FiqaError(f"{archive.name}: {name} has not the published sha256")
            known = published or name in model.members
            entries[name] = entry(file, digest, origin, published=known, imported=imported)
            sync(file)
        if model.detector not in entries:
            raise FiqaError(f"{archive.name} is not {model.name}: it holds no {model.detector}")
        write_receipt(draft, entries)
        _replace_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _replace_folder(draft: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    sync(folder.parent)


def _require_format(file: Path, artifact: Artifact) -> None:
    try:
        found = weights_format(file)
    except FiqaError:
        found = "no weights"
    if found != artifact.format.replace("pack", "zip"):
        file.unlink()
        raise FiqaError(f"{artifact.file} turned out to be {found}, not {artifact.format}: deleted")
