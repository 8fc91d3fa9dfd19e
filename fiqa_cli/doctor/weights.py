"""The weights that are on this machine, and whether they are the right ones."""

from collections.abc import Iterator

from fiqa_cli.doctor.finding import Finding, discreet
from fiqa_cli.zoo.builtin import weights_folder
from fiqa_cli.zoo.cache import insightface_folder
from fiqa_cli.zoo.model import Model
from fiqa_cli.zoo.registry import models
from fiqa_cli.zoo.store import how_to_get, place, remedy, verify


def weights() -> Iterator[Finding]:
    """Every model that is here, its files hashed anew, and built-in ones that are not."""
    for model in models().values():
        if model.source not in ("none", "recogniser"):
            yield from _weights(model)
    folder = insightface_folder("any").parent
    for package in sorted(folder.iterdir()) if folder.is_dir() else ():
        if package.name not in models() and any(package.glob("*.onnx")):
            yield Finding("detectors", package.name, f"--detector {discreet(package)}")


def _weights(model: Model) -> Iterator[Finding]:
    section = "detectors" if model.is_pack else "models"
    found = place(model)
    if found is None:
        if model.built_in:
            yield Finding(section, model.name, "missing", how_to_get(model))
        return
    checks = list(verify(model))
    wrong = [check for check in checks if check.result in ("damaged", "missing")]
    if wrong:
        value = f"{discreet(wrong[0].file)} is {wrong[0].result}"
        yield Finding(section, model.name, value, remedy(model, found))
        return
    size = sum(check.file.stat().st_size for check in checks)
    known = "right" if all(check.result == "ok" for check in checks) else "unknown"
    value = f"{found.state}, {size / 1e6:.1f} MB, sha256 {known}"
    if not found.path.is_relative_to(weights_folder()):
        value += f", {discreet(found.path)}"
    yield Finding(section, model.name, value)
