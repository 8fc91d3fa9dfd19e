"""Two processes of torchrun train like one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cli.command import FIQA
from fiqa_cli.errors import FiqaError
from fiqa_cli.training.parallel import THIS, processes
from training.small_faces import write_faces

LINE = (
    "train distill faces --labels stability --loss l1 --theta 0.5 --copies 1 --backbone fr-n "
    "--mirror --trained 67 --thaw 2 --held-out 1 --steps 4 --batch 4 --every 2 --device cpu -o"
)


def test_two_processes_train_like_one(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", 4, 4)
    subprocess.run([FIQA, *LINE.split(), "alone"], cwd=tmp_path, timeout=600, check=True)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    together = subprocess.run(
        [*torchrun, "--standalone", FIQA, *LINE.split(), "together"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert together.returncode == 0, together.stderr.decode()
    # Only the first process tells people.
    assert together.stderr.count(b"step 4/4") == 1
    assert together.stderr.count(b"embedding 32 pictures") == 1
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "together"))
    assert one.keys() == two.keys()
    # Adam makes full steps of the smallest gradients, whose sign is rounding: single weights may
    # differ by a step or two. In the mean they move by 1.3e-4 in the last three of the four steps.
    for name, value in one.items():
        assert (two[name] - value).abs().mean() < 3e-5, name


def test_without_torchrun_there_is_one_process() -> None:
    device = torch.device("cpu")
    with processes(device) as mine:
        assert mine == THIS
        mine.wait()
        module = torch.nn.Linear(1, 1)
        assert mine.share(module) is module
        assert mine.interleave([1, 2, 3]) == [1, 2, 3]


def test_more_processes_than_gpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "9")
    monkeypatch.setenv("LOCAL_RANK", "8")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(FiqaError, match="2 GPUs"), processes(torch.device("cuda")):
        pass
