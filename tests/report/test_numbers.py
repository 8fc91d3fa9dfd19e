"""What the page counts, against plain loops over the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.batches import JsonBatch
from fiqa_cli.records.groups import folder_of
from fiqa_cli.records.scores import read_scores
from fiqa_cli.report import stops
from fiqa_cli.report.agreement import agreement_of
from fiqa_cli.report.folders import folders_of
from fiqa_cli.report.shown import LISTED, choose_shown, read_shown
from fiqa_cli.report.stops import stops_of

QUALITIES = st.sampled_from([None, 0.1, 0.5, 0.5, 0.9]) | st.floats(0, 1)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["a/1", "a/2", "b/1", "b/2", "c/1"]),
            "face": st.integers(0, 3),
            "quality": QUALITIES,
        }
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda record: (record["path"], record["face"]),
).filter(lambda records: any(record["quality"] is not None for record in records))


class Memory:
    """A reader of rows that are there already."""

    name, format = "memory", "jsonl"

    def __init__(self, records, size=7):
        self.parts = [records[i : i + size] for i in range(0, len(records), size)]

    def __iter__(self):
        return (JsonBatch("jsonl", part, [b""] * len(part)) for part in self.parts)


def scored(records):
    return [record for record in records if record["quality"] is not None]


@given(RECORDS)
def test_stops_count_what_stays(records):
    found = stops_of(read_scores(Memory(records)), [])
    assert found.all
    assert found.quality.tolist() == sorted({record["quality"] for record in scored(records)})
    for place, cut in enumerate(found.quality):
        kept = [record for record in scored(records) if record["quality"] >= cut]
        assert found.faces[place] == len(kept)
        assert found.images[place] == len({record["path"] for record in kept})
        assert found.folders[place] == len({folder_of(record["path"]) for record in kept})


def test_of_many_qualities_some_are_stops(monkeypatch):
    monkeypatch.setattr(stops, "MOST", 100)
    quality = np.random.default_rng(0).random(1000)
    records = [{"path": f"{i}", "quality": float(q)} for i, q in enumerate(quality)]
    found = stops_of(read_scores(Memory(records)), [float(quality[7])])
    assert not found.all
    assert 50 < len(found.quality) <= 101
    assert set(found.quality) <= set(quality)
    assert {quality[7], quality.min(), quality.max()} <= set(found.quality)
    assert found.faces.tolist() == [np.count_nonzero(quality >= cut) for cut in found.quality]


@given(RECORDS)
def test_folders_are_summed_up(records):
    groups = {}
    for number, record in enumerate(records):
        if record["quality"] is not None:
            groups.setdefault(folder_of(record["path"]), []).append((number, record))
    found = folders_of(read_scores(Memory(records)))
    assert {folder.name for folder in found} == set(groups)
    assert [folder.median for folder in found] == sorted(folder.median for folder in found)
    for folder in found:
        rows = groups[folder.name]
        qualities = [record["quality"] for _, record in rows]
        assert (folder.worst, folder.best) == (min(qualities), max(qualities))
        assert folder.median == pytest.approx(np.median(qualities))
        assert folder.faces == len(rows)
        assert folder.images == len({record["path"] for _, record in rows})
        assert folder.best_row == min(n for n, r in rows if r["quality"] == folder.best)
    assert folders_of(read_scores(Memory(records)), most=1) == found[:1]


@settings(deadline=None)
@given(RECORDS, RECORDS)
def test_agreement_is_over_the_faces_that_both_have(one, other):
    from scipy.stats import spearmanr

    first = {(r["path"], r["face"]): (n, r["quality"]) for n, r in enumerate(one)}
    second = {(r["path"], r["face"]): r["quality"] for r in other}
    common = [
        (row, quality, second[key])
        for key, (row, quality) in first.items()
        if quality is not None and second.get(key) is not None
    ]
    scores = read_scores(Memory(one)), read_scores(Memory(other))
    if len(common) < 2:
        with pytest.raises(FiqaError, match="no faces in common"):
            agreement_of(*scores, 3)
        return
    found = agreement_of(*scores, 3)
    assert found.common == len(common)
    assert found.only == (len(scored(one)) - len(common), len(scored(other)) - len(common))
    qualities = np.array([pair[1:] for pair in common])
    if (np.ptp(qualities, axis=0) > 0).all():
        assert found.correlation == pytest.approx(spearmanr(*qualities.T).statistic, abs=1e-9)
    else:
        assert np.isnan(found.correlation)
    rows = {row: (a, b) for row, a, b in common}
    for each in found.disagreements:
        assert each.quality == rows[each.row]
    leads = [each.share[0] - each.share[1] for each in found.first_higher]
    assert leads == sorted(leads, reverse=True)
    assert all(lead > 0 for lead in leads)
    assert all(each.share[0] < each.share[1] for each in found.second_higher)


def test_the_worst_tenth_in_common():
    records = [{"path": f"{i}", "quality": i / 100} for i in range(100)]
    moved = [{**r, "quality": -r["quality"] if i == 3 else r["quality"] + (i == 4)}
             for i, r in enumerate(records)]  # fmt: skip
    found = agreement_of(read_scores(Memory(records)), read_scores(Memory(moved)), 2)
    assert found.worst_in_common == 0.9
    assert found.second_higher[0].row == 4


def test_what_is_shown_lies_all_along_the_qualities_and_around_the_cut():
    rng = np.random.default_rng(0)
    quality = rng.permutation(30_000) / 30_000
    records = [{"path": f"{i}", "quality": float(q)} for i, q in enumerate(quality)]
    reader = Memory(records, 999)
    shown = choose_shown(read_scores(reader), 0.25, 24)
    order = np.argsort(quality)
    assert shown.worst == order[:24].tolist()
    assert shown.best == order[::-1][:24].tolist()
    listed = quality[shown.listed]
    assert (np.diff(listed) > 0).all()
    assert LISTED <= len(listed) <= LISTED + 24
    sampled = quality[shown.sampled]
    assert set(sampled) <= set(listed)
    assert 240 <= len(sampled) <= 264
    assert np.diff(sampled).max() < 2 / 240
    near = np.sort(np.abs(np.arange(30_000) / 30_000 - 0.25))[:20]
    assert np.sort(np.abs(sampled - 0.25))[:20].tolist() == pytest.approx(near.tolist())
    rows = read_shown(reader, shown.sampled)
    assert [rows[place].quality for place in shown.sampled.tolist()] == sampled.tolist()


def test_without_a_gallery_no_face_is_sampled():
    shown = choose_shown(read_scores(Memory([{"path": "a", "quality": 0.5}])), 0.5, 0)
    assert (shown.best, shown.worst, len(shown.sampled)) == ([], [], 0)
    assert shown.listed.tolist() == [0]
