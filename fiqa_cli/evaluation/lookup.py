"""The qualities of a measure, looked up for the images that pairs name."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.matching import match_paths
from fiqa_cli.evaluation.measures import Measure
from fiqa_cli.evaluation.pairs import Rows

Floats = NDArray[np.float64]
Warn = Callable[[str], None]


class QualityLookup:
    """The qualities of one measure for images `names` `[F]`."""

    def __init__(
        self, measure: Measure, names: Sequence[str], roots: Sequence[str], warn: Warn
    ) -> None:
        self.name = measure.name
        self._measure = measure
        self._names = names
        rows = {path: row for row, path in enumerate(dict.fromkeys(measure.paths))}
        self._images = np.array([rows[path] for path in measure.paths])
        self._found = match_paths(names, list(rows), roots)
        tell_absent(f"the report of {self.name}", names, self._found < 0, warn)

    def of_faces(self, faces: Rows, warn: Warn) -> Floats:
        """The quality of face `faces[i]` of image i, `[F]`; NaN where there is none.

        A negative number is a face that nobody asks for. `warn` is told of images of which the
        report has other faces only.
        """
        wide = int(max(self._measure.faces.max(), faces.max())) + 1
        codes = self._images * wide + self._measure.faces
        order = np.argsort(codes)
        wanted = self._found * wide + faces
        places = order[np.minimum(np.searchsorted(codes[order], wanted), len(order) - 1)]
        there = (codes[places] == wanted) & (self._found >= 0) & (faces >= 0)
        other = (self._found >= 0) & (faces >= 0) & ~there
        if other.any():
            warn(
                f"the report of {self.name} has other faces than the embeddings in "
                f"{np.count_nonzero(other):,} images: score and embed with the same --faces"
            )
        return np.where(there, self._measure.quality[places], np.nan)

    def of_images(self) -> Floats:
        """The quality of the only scored face of each image, `[F]`; NaN where there is none.

        Raises `FiqaError` if an image has several.
        """
        scored = np.flatnonzero(~np.isnan(self._measure.quality))
        images = self._images[scored]
        several = np.bincount(images, minlength=int(self._images.max()) + 1) > 1
        asked = (self._found >= 0) & several[self._found]
        if asked.any():
            raise FiqaError(
                f"{np.count_nonzero(asked):,} images, such as {self._names[int(asked.argmax())]}, "
                f"have several faces in the report of {self.name}, and pairs name images: "
                "score with --faces largest"
            )
        quality = np.full(len(several), np.nan)
        quality[images] = self._measure.quality[scored]
        return np.where(self._found >= 0, quality[self._found], np.nan)


def tell_absent(where: str, names: Sequence[str], absent: NDArray[np.bool_], warn: Warn) -> None:
    """Warn of images that a file does not have; raises `FiqaError` if it has none of them."""
    lacking = np.count_nonzero(absent)
    if not lacking:
        return
    example = names[int(absent.argmax())]
    if lacking == len(names):
        raise FiqaError(
            f"none of the {lacking:,} images of the pairs, such as {example}, is in {where}: are "
            "both of one dataset? (--root FOLDER takes leading folders off the paths)"
        )
    warn(
        f"{lacking:,} of {len(names):,} images ({lacking / len(names):.1%}), such as {example}, "
        f"are not in {where}"
    )
