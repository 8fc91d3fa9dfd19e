"""The pictures of a run: every crop and its degraded copies, made anew whenever they are read."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fiqa_cli.training.crops import Crops
from fiqa_cli.training.degradations import degrade, drawn


@dataclass(frozen=True)
class Pictures:
    """Pictures by number: crop `number // columns`, column 0 clean, the others degraded.

    What a copy looks like depends on `seed` and its number alone.
    """

    crops: Crops
    copies: int
    seed: int
    pool: ThreadPoolExecutor | None = None
    """Threads that decode and degrade; `None`: the caller's."""

    @property
    def columns(self) -> int:
        """Pictures of each crop."""
        return 1 + self.copies

    def __len__(self) -> int:
        return len(self.crops) * self.columns

    def read(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """The pictures of these numbers, RGB uint8 `[N, 112, 112, 3]`."""
        read = self.pool.map if self.pool else map
        return np.stack(list(read(self._read, (int(number) for number in numbers))))

    def clean(self, crops: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """The crops of these numbers as they are, `[N, 112, 112, 3]`."""
        return self.read(np.asarray(crops) * self.columns)

    def kinds(self) -> NDArray[np.str_]:
        """`[crops, columns]`, `clean` or the name of the degradation."""
        kinds = np.full((len(self.crops), self.columns), "clean", "U16")
        for crop in range(len(self.crops)):
            for column in range(1, self.columns):
                kinds[crop, column] = drawn(self.seed, self._index(crop, column))[0]
        return kinds

    def _read(self, number: int) -> NDArray[np.uint8]:
        crop, column = divmod(number, self.columns)
        clean = self.crops.read(crop)
        return degrade(clean, self.seed, self._index(crop, column))[0] if column else clean

    def _index(self, crop: int, column: int) -> int:
        return crop * self.copies + column - 1
