"""A model that fiqa knows, and the files it can be had in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a network expects of a crop: `(x / 255 - mean) / std` per channel."""

    size: int
    """Side of the square crop in pixels."""
    colour: str
    """Order of the channels, `RGB` or `BGR`."""
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a model comes from."""

    label: str
    url: str
    citation: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that holds a model; its name is unique in the registry."""

    file: str
    format: str
    """`torch`, `safetensors`, `onnx`, or `pack` (a zip of ONNX files; built in: a folder)."""
    url: str | None = None
    sha256: str | None = None
    """As published; `None` where nobody publishes one."""
    bytes: int | None = None
    about: int | None = None
    """Rounded size in bytes, where the exact one is not published."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the registry, or a weights file of the user (`path`)."""

    name: str
    kind: str
    """`quality`, `recogniser` or `detector` (an insightface model package)."""
    summary: str
    licence: str
    method: str = ""
    """How qualities come about: `ediffiqa`, `diffiqa-r`, `diffiqa`, `faceqan`, `sharpness` or
    `embedding-norm`."""
    network: str = ""
    """What the weights are of: `mobilefacenet`, `iresnet18`, `iresnet50`, `iresnet100`, `unet`."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the network, where they are not those of the official one."""
    paper: Paper | None = None
    preprocessing: Preprocessing | None = None
    artifacts: tuple[Artifact, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)
    """Known sha256 of the files inside a pack."""
    detector: str = ""
    """File name of the detector inside a pack."""
    recogniser: str = ""
    """File name of the recogniser inside a pack; the model whose embeddings a method compares."""
    obtain: str = ""
    """What a person downloads by hand for `fiqa models import`."""
    card: str = ""
    """Model card of a built-in model, relative to the weights folder."""
    built_in: bool = False
    path: Path | None = None

    @property
    def source(self) -> str:
        """How the weights reach this machine: `built-in`, `download`, `import` or `file`.

        `recogniser` if there are none but the recogniser's, `none` if there are none at all.
        """
        if self.path is not None:
            return "file"
        if not (self.network or self.detector or self.artifacts or self.obtain):
            return "recogniser" if self.recogniser else "none"
        if self.built_in:
            return "built-in"
        return "download" if any(a.url for a in self.artifacts) else "import"

    @property
    def is_pack(self) -> bool:
        """Whether the weights are a folder of ONNX files."""
        return self.kind == "detector"

    def artifact(self, format: str | None = None) -> Artifact | None:
        """The artifact to download: of `format`, with a published hash where there is one."""
        offered = [a for a in self.artifacts if a.url and format in (None, a.format)]
        hashed = [a for a in offered if a.sha256]
        return next(iter(hashed or offered), None)
