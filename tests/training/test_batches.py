import numpy as np
import pytest

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.batches import Batch, channels_first, draw, mirrored


def test_each_epoch_visits_every_row_once_in_its_own_order() -> None:
    rows = np.arange(100, 112)
    first = [draw(rows, step, 4, seed=1).numbers for step in range(3)]
    second = [draw(rows, step, 4, seed=1).numbers for step in range(3, 6)]
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(rows)
    assert not np.array_equal(first, second)


def test_processes_share_the_batch_that_one_would_have() -> None:
    rows = np.arange(20)
    alone = draw(rows, 3, 6, seed=1)
    shares = [draw(rows, 3, 6, seed=1, rank=rank, processes=3) for rank in range(3)]
    for share in shares:
        np.testing.assert_array_equal(share.numbers, alone.numbers[share.share])
    assert sorted(np.concatenate([share.numbers for share in shares])) == sorted(alone.numbers)


def test_fewer_rows_than_a_batch_are_told() -> None:
    with pytest.raises(FiqaError, match="3 pictures do not fill a batch of 4"):
        draw(np.arange(3), 0, 4, seed=1)


def whole(count: int) -> Batch:
    return Batch(0, 1, count, np.arange(count), slice(None))


def test_mirroring_turns_some_crops_left_to_right() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (16, 112, 112, 3), dtype=np.uint8)
    out = mirrored(crops, whole(16))
    same = [np.array_equal(a, b) for a, b in zip(out, crops, strict=True)]
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(out, crops, strict=True)]
    assert 0 < sum(same) < 16
    assert sum(same) + sum(turned) == 16
    half = Batch(0, 1, 16, np.arange(16)[1::2], slice(1, None, 2))
    np.testing.assert_array_equal(mirrored(crops[1::2], half), out[1::2])


def test_channels_come_first_and_memory_stays() -> None:
    crops = np.zeros((1, 112, 112, 3), np.uint8)
    crops[0, 5, 7] = (255, 0, 102)
    planes = channels_first(crops)
    assert planes.shape == (1, 3, 112, 112)
    assert planes[0, :, 5, 7].tolist() == [255, 0, 102]
    assert planes.data_ptr() == crops.ctypes.data
