import os
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiqa_cli.errors import FiqaError
from fiqa_cli.evaluation.bin_set import read_bin_set
from fiqa_cli.sources.verification_set import _PlainUnpickler

ANA, ANA_2, BO, CEM = b"\xff\xd8ana", b"\xff\xd8ana 2.", b"", b"\x89PNG\x80\xff" * 50
IMAGES = [ANA, ANA_2, ANA, BO, CEM, CEM]
FLAGS = [True, False, True]
SET = (IMAGES, FLAGS)


def python_2(protocol):
    """The set as Python 2 pickles it: its `str` are bytes."""
    if protocol == 2:
        short = [b"U" + bytes([len(i)]) + i for i in IMAGES if len(i) < 256]
        long = [b"T" + struct.pack("<i", len(i)) + i for i in IMAGES if len(i) >= 256]
        flags = [b"\x88" if flag else b"\x89" for flag in FLAGS]
        return b"\x80\x02]q\x00(%be]q\x01(%be\x86q\x02." % (
            b"".join([*short, *long]),
            b"".join(flags),
        )
    images = [b"S%b\na" % repr(image)[1:].encode() for image in IMAGES]
    flags = [b"I0%d\na" % flag for flag in FLAGS]
    return b"((lp0\n%b(lp1\n%btp2\n." % (b"".join(images), b"".join(flags))


@pytest.fixture
def file(tmp_path):
    def write(raw):
        (tmp_path / "lfw.bin").write_bytes(raw)
        return tmp_path / "lfw.bin"

    return write


PICKLES = [pickle.dumps(SET, protocol) for protocol in range(6)]


@pytest.mark.parametrize("raw", [*PICKLES, python_2(0), python_2(2)])
def test_sets_of_any_python_and_protocol(file, raw):
    assert pickle.loads(raw, encoding="bytes") == SET
    path = file(raw)
    found = read_bin_set(path)
    assert found.images == [ANA, ANA_2, BO, CEM]
    assert found.pairs.faces == [f"{path}::{place}" for place in (0, 1, 3, 4)]
    assert found.pairs.first.tolist() == [0, 0, 3]
    assert found.pairs.second.tolist() == [1, 2, 3]
    assert found.pairs.mated.tolist() == FLAGS
    assert found.pairs.identities.tolist() == [0, 0, 1, 2]


class Command:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_a_command_is_refused(file, tmp_path, protocol):
    marker = tmp_path / "ran"
    raw = pickle.dumps(([Command(os.system, (f"touch {marker}",))], [True]), protocol)
    with pytest.raises(FiqaError, match=r"refused to unpickle .*system") as refusal:
        read_bin_set(file(raw))
    assert "\n" not in str(refusal.value)
    assert not marker.exists()
    pickle.loads(raw)
    assert marker.exists()  # it would have


def test_only_opcodes_of_plain_values_are_carried_out():
    """What a pickle could do beyond that, by the standard library's own table."""
    carried_out = {
        opcode.name
        for opcode in pickletools.opcodes
        if not _PlainUnpickler.dispatch[ord(opcode.code)].__qualname__.startswith("_refuse")
    }
    assert not carried_out & {
        "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "EXT1", "EXT2", "EXT4", "PERSID",
        "BINPERSID", "NEXT_BUFFER", "BYTEARRAY8", "DICT", "SETITEMS", "FROZENSET",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"(S'touch ran'\nios\nsystem\n.", "opcode INST"),
        (b"c_codecs\nencode\n(Vx\nVzip\ntR.", "asks for a codec"),
        (b"cbuiltins\neval\n(Vx\ntR.", "builtins.eval"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (b"c_codecs\nencode\n}b.", "opcode EMPTY_DICT"),
        (b"c_codecs\nencode\n(VxVytb.", "opcode BUILD|cut off"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"Pname\n.", "opcode PERSID"),
        (b"cx\x1b[31m\ny\n.", r"x\\x1b"),
        (b"]r\xff\xff\xff\x7f.", "two encoded images for each flag"),  # a memo of 2³¹ entries
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x00x.", "cut off"),
        (b"", "is empty"),
        (b"\x80", "cut off"),
        (b"\x89PNG\r\n\x1a\n", "refused|cut off"),
        (b"R.", "cut off"),
        (b"h\x00.", "cut off"),
        (pickle.dumps((np.zeros((2, 3), np.uint8), [True])), "numpy"),
        (pickle.dumps(([b"x", b"y"], np.array([True]))), "numpy"),
        (pickle.dumps(([b"x"], [True])), "two encoded images for each flag"),
        (pickle.dumps(([], [])), "two encoded images for each flag"),
        (pickle.dumps(([b"x", "y"], [True])), "two encoded images for each flag"),
        (pickle.dumps(([b"x", b"y"], [2])), "two encoded images for each flag"),
        (pickle.dumps([1, 2, 3]), "two encoded images for each flag"),
        (pickle.dumps(5), "two encoded images for each flag"),
    ],
)
def test_refused(file, tmp_path, monkeypatch, raw, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FiqaError, match=message) as refusal:
        read_bin_set(file(raw))
    assert str(refusal.value).isprintable()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("raw", [PICKLES[0], PICKLES[2], PICKLES[4], python_2(0), python_2(2)])
def test_a_truncated_set_is_refused_wherever_it_ends(file, raw):
    for length in range(0, len(raw), 7):
        with pytest.raises(FiqaError):
            read_bin_set(file(raw[:length]))


@pytest.mark.filterwarnings("ignore:invalid escape")
@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60)
    | st.tuples(
        st.sampled_from([*PICKLES, python_2(0)]), st.integers(0, 10**4), st.binary(max_size=3)
    ).map(lambda edit: edit[0][: (at := edit[1] % len(edit[0]))] + edit[2] + edit[0][at + 1 :])
)
def test_broken_pickles_give_one_error(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "broken.bin"
    path.write_bytes(raw)
    try:
        found = read_bin_set(path)
    except FiqaError as error:
        assert str(error).isprintable()
    else:
        assert all(isinstance(image, bytes) for image in found.images)
