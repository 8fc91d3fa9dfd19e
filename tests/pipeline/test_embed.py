"""From prospects to embeddings."""

import numpy as np
import torch
from torch import Tensor

from fiqa_cli.pipeline.embed import embed
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.records.row import Row


class Means:
    """Embeds by the mean of each channel; black is not a number."""

    def embed(self, crops: Tensor) -> Tensor:
        means = crops.float().mean((2, 3))
        return torch.where(means > 0, means, torch.nan)


def test_each_row_gets_its_own_embedding() -> None:
    def prospect(path: str, colour: tuple[int, int, int] | None) -> Prospect:
        crop = None if colour is None else np.full((112, 112, 3), colour, np.uint8)
        return Prospect(Row(path, status="no-face" if crop is None else "ok"), crop)

    given = [
        prospect("a", None),
        prospect("b", (1, 2, 3)),
        prospect("c", (0, 0, 0)),
        prospect("d", None),
        prospect("e", (4, 5, 6)),
    ]
    found = [(row, vector) for row, vector in embed(given, Means())]
    assert [row.path for row, _ in found] == list("abcde")
    assert [None if v is None else v.tolist() for _, v in found] == [
        *(None, [1, 2, 3], None, None, [4, 5, 6])
    ]
    assert [row.status for row, _ in found] == ["no-face", "ok", "failed", "no-face", "ok"]
    assert "--precision fp32" in found[2][0].error
    assert [vector for _, vector in embed(given[:1], Means())] == [None]
