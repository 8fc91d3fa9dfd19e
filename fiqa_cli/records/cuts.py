"""Cuts: the least quality to keep, and what stays then.

A cut is always a quality that occurs among the given ones, and that one stays: so it means the
same rows to every tool, however it rounds in between.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fiqa_cli.errors import FiqaError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fiqa_cli.records.scores import Scores

ROUNDING = 1e-9
"""Added before rounding down, as 0.29 * 100 is less than 29."""

BINS = 2048
"""Places at which the density is known, over the range of the qualities."""

FEWEST = 100
"""Qualities of which a density can be said to have a valley."""

SIDE = 0.05
"""Share of the qualities that must lie on either side of a valley."""

DEPTH = 0.75
"""What a valley may have at most of the density of the lower of its two peaks."""


def cut_at_discard(quality: "NDArray[np.float64]", share: float) -> float:
    """The highest cut that discards no more than `share` in [0, 1) of qualities `[N]`, N > 0.

    Equal ones are kept or discarded together. Raises `FiqaError` for another share.
    """
    import numpy as np

    if not 0 <= share < 1:
        raise FiqaError(f"a discard of {share:g} is no fraction from 0 to below 1, such as 0.1")
    place = math.floor(share * len(quality) + ROUNDING)
    return float(np.partition(quality, place)[place])


def cut_at_valley(quality: "NDArray[np.float64]") -> float:
    """The cut at the deepest valley between two peaks of the density of qualities `[N]`.

    The density is a Gaussian kernel estimate with the bandwidth of Silverman's rule of thumb,
    0.9 * min(deviation, interquartile range / 1.34) * N**-0.2 (Silverman: Density Estimation for
    Statistics and Data Analysis, 1986, equation 3.31). A valley has no more than `DEPTH` of the
    lower peak beside it and `SIDE` of the qualities on each side; the deepest is that with the
    least ratio to that peak.

    Raises `FiqaError` if there is none, or for fewer than `FEWEST` qualities.
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    if len(quality) < FEWEST:
        raise FiqaError(
            f"{len(quality):,} qualities are too few to find a valley, which takes {FEWEST}: "
            "choose a fraction with --discard"
        )
    low, high = float(quality.min()), float(quality.max())
    counts, edges = np.histogram(quality, BINS, (low, high))
    quarter, three_quarters = np.quantile(quality, [0.25, 0.75])
    spread = min(quality.std(), (three_quarters - quarter) / 1.34)
    bandwidth = 0.9 * spread * len(quality) ** -0.2 / (edges[1] - edges[0])
    # Below one bin's width there is nothing left to smooth.
    density = gaussian_filter1d(counts.astype(float), max(bandwidth, 1.0), mode="constant")
    peak_before = np.maximum.accumulate(density)
    peak_after = np.maximum.accumulate(density[::-1])[::-1]
    lower_peak = np.minimum(peak_before, peak_after)
    ratio = np.divide(density, lower_peak, out=np.ones(BINS), where=lower_peak > 0)
    below = np.cumsum(counts) / len(quality)
    ratio[(below < SIDE) | (below > 1 - SIDE)] = np.inf
    deepest = int(ratio.argmin())
    if not ratio[deepest] <= DEPTH:
        raise FiqaError(
            "the qualities have one peak and no valley to cut at: choose a fraction with --discard"
        )
    return float(quality[quality >= edges[deepest + 1]].min())


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays of a report at a cut; faces have a quality, images and folders such a face."""

    faces: int
    all_faces: int
    images: int
    all_images: int
    folders: int
    all_folders: int


def kept_at(scores: "Scores", cut: float) -> Kept:
    """Count what stays of `scores` with a quality of `cut` or more."""
    import numpy as np

    scored, stays = scores.scored, scores.quality >= cut

    def images(mask: "NDArray[np.bool_]") -> int:
        return len(np.unique(scores.image[mask]))

    def folders(mask: "NDArray[np.bool_]") -> int:
        return len(np.unique(scores.folder[mask]))

    return Kept(
        faces=int(np.count_nonzero(stays)),
        all_faces=int(np.count_nonzero(scored)),
        images=images(stays),
        all_images=images(scored),
        folders=folders(stays),
        all_folders=folders(scored),
    )
