"""What a user may set of a method; `None` is the paper's value."""

from dataclasses import dataclass, fields

from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo.preprocessing import Pixels

RECOGNISER = frozenset({"recogniser", "preprocessing"})
ACCEPTED = {
    "diffiqa": RECOGNISER | {"seed", "copies", "timestep", "until_se", "compile"},
    "faceqan": RECOGNISER | {"seed", "copies", "iterations", "epsilon", "exponent", "compile"},
    "embedding-norm": RECOGNISER,
    "ediffiqa": frozenset({"compile"}),
    "diffiqa-r": frozenset({"compile"}),
}
"""The settings of each method; others have none."""


@dataclass(frozen=True)
class Settings:
    """Settings of all methods; each takes those of `ACCEPTED`."""

    recogniser: str | None = None
    """A recogniser of the registry or a weights file."""
    preprocessing: Pixels | None = None
    """What that weights file expects."""
    seed: int | None = None
    """Of the noise (0)."""
    copies: int | None = None
    """Noisy copies of each face (10)."""
    timestep: int | None = None
    """DifFIQA: time step that faces are noised to (5)."""
    until_se: float | None = None
    """DifFIQA: standard error of the quality at which a face gets no more copies."""
    iterations: int | None = None
    """FaceQAN: steps of the attack (5)."""
    epsilon: float | None = None
    """FaceQAN: size of a step, of pixels in [0, 1] (0.001)."""
    exponent: float | None = None
    """FaceQAN: power that the quality is raised to (5)."""
    compile: bool = False
    """Whether torch compiles the networks before it runs them."""

    def require_fit(self, model: str, method: str) -> None:
        """Raise FiqaError if `model`, of `method`, has no use for a setting that was given."""
        given = {f.name for f in fields(self) if getattr(self, f.name) not in (None, False)}
        for name in sorted(given - ACCEPTED.get(method, frozenset())):
            *users, last = (m for m, names in ACCEPTED.items() if name in names)
            option = name.replace("_", "-")
            told = f"{', '.join(users)} and {last}" if users else last
            raise FiqaError(f"{model} has no --{option}: it is for {told}")


DEFAULTS = Settings()
