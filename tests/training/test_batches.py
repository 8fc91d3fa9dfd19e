import numpy as np

from fiqa_cli.training.batches import batch_rows, mirrored, to_input


def test_each_epoch_visits_every_row_once_in_its_own_order() -> None:
    rows = np.arange(100, 112)
    first = [batch_rows(rows, step, 4, seed=1) for step in range(3)]
    second = [batch_rows(rows, step, 4, seed=1) for step in range(3, 6)]
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(rows)
    assert not np.array_equal(first, second)


def test_mirroring_turns_some_crops_left_to_right() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (16, 112, 112, 3), dtype=np.uint8)
    out = mirrored(crops, step=0, seed=1)
    same = [np.array_equal(a, b) for a, b in zip(out, crops, strict=True)]
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(out, crops, strict=True)]
    assert 0 < sum(same) < 16
    assert sum(same) + sum(turned) == 16


def test_inputs_run_from_minus_one_to_one() -> None:
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    crop[0, 5, 7] = (255, 0, 102)
    values = to_input(crop)
    assert values.shape == (1, 3, 112, 112)
    np.testing.assert_allclose(values[0, :, 5, 7], (1.0, -1.0, -0.2), atol=1e-6)
    assert (values[0, :, 7, 5] == -1).all()
