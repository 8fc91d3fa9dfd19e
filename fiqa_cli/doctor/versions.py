"""Versions of what fiqa stands on, and whether the parts in C and C++ load."""

import platform
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from fiqa_cli import __version__
from fiqa_cli.doctor.finding import Finding, first_line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SECTION = "versions"
_MODULES = {
    "insightface": "insightface",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "opencv-python": "cv2",
    "pillow": "PIL.Image",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "torch": "torch",
}
"""What is imported: packages with machine code, which an installation can spoil."""
_LIBRARIES = "libGL", "libgthread", "libglib"


def versions() -> Iterator[Finding]:
    """fiqa, Python, the system, and every package that fiqa requires."""
    from packaging.requirements import Requirement

    yield Finding(SECTION, "fiqa", __version__)
    yield Finding(SECTION, "python", f"{platform.python_version()} on {platform.platform()}")
    required = [Requirement(each) for each in metadata.requires("fiqa") or ()]
    for each in sorted(required, key=lambda each: each.name):
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            yield _version(each)
        elif not each.marker.evaluate({"extra": "test"}):
            yield from _optional(each)


def _version(required: "Requirement") -> Finding:
    name = required.name
    install = f"python -m pip install '{name}{required.specifier}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(SECTION, name, "not installed", install)
    if not required.specifier.contains(version, prereleases=True):
        return Finding(SECTION, name, f"{version}, not {required.specifier}", install)
    try:
        import_module(_MODULES.get(name, "fiqa_cli"))
    # A broken extension fails with anything, not with ImportError alone.
    except Exception as error:
        remedy = f"python -m pip install --force-reinstall {name}"
        if any(library in str(error) for library in _LIBRARIES):
            remedy = "apt-get install libgl1 libglib2.0-0"
        return Finding(SECTION, name, f"{version}, does not load: {first_line(error)}", remedy)
    return Finding(SECTION, name, version)


def _optional(wanted: "Requirement") -> Iterator[Finding]:
    try:
        yield Finding(SECTION, wanted.name, f"{metadata.version(wanted.name)} (optional)")
    except metadata.PackageNotFoundError:
        return
