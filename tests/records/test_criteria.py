import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import JsonBatch
from fiqa_cli.records.best import Best
from fiqa_cli.records.criteria import Criteria, filter_batches
from fiqa_cli.records.groups import folder_of

QUALITIES = st.none() | st.sampled_from([0.1, 0.2, 0.5, 0.5, 0.9, -1.0, math.nan, math.inf])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["a/1", "a/2", "b/1", "c", "t.tar::1", "t.tar::d/1"]),
            "status": st.sampled_from(["ok", "no-face"]),
            "quality": QUALITIES,
            "model": st.sampled_from(["m", "m", "m", ""]),
        }
    ),
    max_size=30,
)
CRITERIA = st.builds(
    Criteria,
    minimum=st.none() | st.sampled_from([0.1, 0.2, 0.4]),
    maximum=st.none() | st.sampled_from([0.5, 0.9]),
    statuses=st.none() | st.just(("ok",)),
    best=st.none()
    | st.builds(Best, st.integers(1, 3), st.sampled_from([("folder",), ("status",)])),
    keep=st.none() | st.sampled_from([0.01, 0.5, 0.8, 1.0]),
    top=st.none() | st.integers(1, 5),
    invert=st.booleans(),
    model=st.none() | st.just("m"),
)


class Memory:
    """A reader of batches that are there already."""

    name, format = "memory", "jsonl"

    def __init__(self, records, size=4):
        parts = [records[i : i + size] for i in range(0, len(records), size)]
        self.batches = [JsonBatch("jsonl", part, [b""] * len(part)) for part in parts]

    def __iter__(self):
        return iter(self.batches)


def plain_filter(records, c):
    """The definition, with sorted lists and nothing clever; the numbers of the rows that stay."""
    q = [math.nan if r["quality"] is None else r["quality"] for r in records]
    left = [i for i, r in enumerate(records) if c.statuses is None or r["status"] in c.statuses]
    if c.model is not None:
        left = [i for i in left if records[i]["model"] in ("", c.model)]
    if c.minimum is not None:
        left = [i for i in left if q[i] >= c.minimum]
    if c.maximum is not None:
        left = [i for i in left if q[i] <= c.maximum]
    if c.ranks:
        left = [i for i in left if not math.isnan(q[i])]

    def best(rows, count):
        return sorted(sorted(rows, key=lambda i: (-q[i], i))[:count])

    if c.best is not None:
        groups = defaultdict(list)
        for i in left:
            by_folder = c.best.by == ("folder",)
            group = folder_of(records[i]["path"]) if by_folder else records[i]["status"]
            groups[group].append(i)
        left = sorted(i for rows in groups.values() for i in best(rows, c.best.count))
    if c.keep is not None:
        left = best(left, math.floor(c.keep * len(left) + 0.5))
    if c.top is not None:
        left = best(left, c.top)
    return [i for i in range(len(records)) if (i in left) != c.invert]


@given(RECORDS, CRITERIA, st.booleans())
def test_filter_is_its_definition(records, criteria, with_another):
    if with_another and criteria.model:
        records = [{**r, "model": "n" if i % 3 == 1 else "m"} for i, r in enumerate(records)]
    records = [{**record, "number": i} for i, record in enumerate(records)]
    pairs = list(filter_batches(Memory(records), criteria))
    assert sum(len(batch) for batch, _ in pairs) == len(records)
    kept = [record["number"] for _, batch in pairs for record in batch.records()]
    assert kept == plain_filter(records, criteria)


def test_qualities_of_several_models_are_compared_only_within_each():
    records = [
        {"path": f"{i}", "quality": i, "model": "mn"[i % 2], "status": "ok"} for i in range(9)
    ]

    def kept(*criteria, **more):
        batches = filter_batches(Memory(records), Criteria(*criteria, **more))
        return [path for _, batch in batches for path in batch.paths()]

    for mixed in ({"top": 2}, {"keep": 0.5}, {"best": Best(1)}, {"minimum": 1.0}, {"maximum": 1.0}):
        with pytest.raises(FiqaError, match="memory has qualities of m, n, which do not compare"):
            kept(**mixed)
        assert kept(**mixed, model="n")
    assert kept(top=2, model="n") == ["5", "7"]
    assert kept(best=Best(1, ("model",))) == ["7", "8"]
    with pytest.raises(FiqaError, match="do not compare"):
        kept(best=Best(1, ("model",)), top=1)
    assert len(kept(statuses=("ok",))) == len(kept()) == 9
    with pytest.raises(FiqaError, match="memory has no row of k: choose of m, n"):
        kept(model="k")


def test_of_equal_rows_the_earlier_stay():
    records = [{"path": str(i), "quality": 0.5} for i in range(10)]
    for criteria in (Criteria(top=3), Criteria(keep=0.3), Criteria(best=Best(3))):
        kept = [
            name for _, batch in filter_batches(Memory(records), criteria) for name in batch.paths()
        ]
        assert kept == ["0", "1", "2"]


def test_json_rows_may_leave_quality_out_but_not_all_of_them():
    records = [{"path": "a"}, {"path": "b", "quality": 0.9}]
    assert [len(kept) for _, kept in filter_batches(Memory(records, 1), Criteria(0.5))] == [0, 1]
    with pytest.raises(FiqaError, match="memory has no column quality"):
        list(filter_batches(Memory(records[:1]), Criteria(0.5)))
