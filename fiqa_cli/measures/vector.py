"""The measures of a crop, by the names of their columns."""

from collections.abc import Callable

from torch import Tensor

from fiqa_cli.measures.detail import grey_levels, noise, sharpness
from fiqa_cli.measures.light import contrast, luminance, mirror_symmetry, overexposed, underexposed

MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "sharpness": sharpness,
    "noise": noise,
    "luminance": luminance,
    "underexposed": underexposed,
    "overexposed": overexposed,
    "contrast": contrast,
    "mirror_symmetry": mirror_symmetry,
}
"""From grey levels `[N, 112, 112]` to float32 `[N]`."""


def measure(crops: Tensor) -> dict[str, Tensor]:
    """All measures of aligned RGB crops, uint8 `[N, 3, 112, 112]`: each float32 `[N]`."""
    grey = grey_levels(crops)
    return {name: measured(grey) for name, measured in MEASURES.items()}
