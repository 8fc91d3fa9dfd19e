"""Where a model's weights are on this machine, and whether they are the right ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.builtin import SUMS, weights_folder
from fiqa_cli.zoo.cache import insightface_folder, model_folder
from fiqa_cli.zoo.checksum import cached_sha256, sha256_of
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.receipt import read_receipt
from fiqa_cli.zoo.registry import weights_of


class MissingWeights(FiqaError):
    """The weights are not on this machine; the message holds the command that gets them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the weights of a model are."""

    path: Path
    """The file, or the folder of a pack."""
    state: str
    """`built-in`, `pulled`, `imported`, `insightface` (its own folder) or `file`."""
    expected: dict[Path, str | None]
    """Sha256 that each file must have; `None` where nothing is known to hold it to."""


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of hashing one file."""

    file: Path
    result: str
    """`ok`, `damaged`, `missing`, or `unknown` where there is no hash to compare with."""
    sha256: str


def place(model: Model) -> Place | None:
    """Where `model` is on this machine, its hashes unchecked; `None` if it is nowhere."""
    model = weights_of(model)
    if model.path is not None:
        return Place(model.path, "file", {model.path: None})
    if model.built_in:
        return _built_in(model)
    if model.is_pack:
        return _pack(model)
    return _single_file(model)


def locate(model: Model) -> Path:
    """The weights file of `model`, or the folder of a pack, with its sha256 verified.

    The hash is computed once and remembered while the file does not change. Raises
    `MissingWeights` if it is not on this machine and `FiqaError` if it is not what it should be.
    """
    found = place(model)
    if found is None:
        raise MissingWeights(how_to_get(model))
    sealed = found.expected and all(found.expected.values())
    if found.state == "built-in" and not sealed:
        raise FiqaError(f"{found.path} has no sha256 in {SUMS}: {remedy(model, found)}")
    for file, digest in found.expected.items():
        if digest is None:
            continue
        if not file.is_file():
            raise FiqaError(f"{file} is missing: {remedy(model, found)}")
        # Read anew before it is refused: what was remembered may be what is damaged.
        if cached_sha256(file) != digest and sha256_of(file) != digest:
            raise FiqaError(
                f"{file} has not the sha256 it should have, it is damaged or was replaced:"
                f" {remedy(model, found)}"
            )
    return found.path


def verify(model: Model) -> Iterator[Check]:
    """Hash every file of `model` anew. Raises `MissingWeights` if it is not on this machine."""
    found = place(model)
    if found is None:
        raise MissingWeights(how_to_get(model))
    for file, expected in found.expected.items():
        if not file.is_file():
            yield Check(file, "missing", "")
            continue
        digest = sha256_of(file)
        if expected is None:
            yield Check(file, "unknown", digest)
        else:
            yield Check(file, "ok" if digest == expected else "damaged", digest)


def how_to_get(model: Model) -> str:
    """One line that says how the weights of `model` get onto this machine."""
    model = weights_of(model)
    if model.source == "none":
        return f"{model.name} has no weights: it is ready as it is"
    missing = f"the weights of {model.name} are not on this machine"
    if model.built_in:
        return f"{missing} although they come with fiqa: reinstall fiqa"
    if model.source == "import":
        return f"{missing}: get {model.obtain}, then run: fiqa models import FILE --as {model.name}"
    return f"{missing}; run: fiqa models pull {model.name}"


def remedy(model: Model, found: Place) -> str:
    """What to do about files of `model` that are damaged."""
    if found.state == "built-in":
        return "reinstall fiqa"
    if found.state == "imported":
        return f"run: fiqa models import FILE --as {model.name}"
    return f"run: fiqa models pull {model.name} --force"


def _built_in(model: Model) -> Place | None:
    folder = weights_folder()
    paths = {a.file: folder / a.file for a in model.artifacts if (folder / a.file).exists()}
    if not paths:
        return None
    expected: dict[Path, str | None]
    first = next(iter(paths.values()))
    if model.is_pack:
        expected = {first / name: digest for name, digest in model.members.items()}
    else:
        expected = {paths[a.file]: a.sha256 for a in model.artifacts if a.file in paths}
    return Place(first, "built-in", expected)


def _pack(model: Model) -> Place | None:
    folder = model_folder(model.name)
    receipt = read_receipt(folder)
    if receipt:
        imported = any(entry.imported for entry in receipt.values())
        hashes: dict[str, str | None] = {name: entry.sha256 for name, entry in receipt.items()}
        return Place(
            folder,
            "imported" if imported else "pulled",
            {folder / name: digest for name, digest in (hashes | dict(model.members)).items()},
        )
    folder = insightface_folder(model.name)
    if (folder / model.detector).is_file():
        files = {file: model.members.get(file.name) for file in sorted(folder.glob("*.onnx"))}
        return Place(folder, "insightface", files)
    return None


def _single_file(model: Model) -> Place | None:
    folder = model_folder(model.name)
    receipt = read_receipt(folder)
    for name, entry in receipt.items():
        if entry.imported and (folder / name).is_file():
            return Place(folder / name, "imported", {folder / name: entry.sha256})
    for artifact in model.artifacts:
        file = folder / artifact.file
        if file.is_file() and artifact.file in receipt:
            digest = artifact.sha256 or receipt[artifact.file].sha256
            return Place(file, "pulled", {file: digest})
    return None
