import builtins
import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fiqa_cli.errors import FiqaError
from fiqa_cli.training.loop import Report
from fiqa_cli.training.reporting import line, on_console, on_tensorboard


def report(step: int, is_checkpoint: bool) -> Report:
    return Report(step, 20, {"loss": 0.25, "validation": 0.5}, 12.34, 3725.0, is_checkpoint)


def test_a_line_tells_step_loss_rate_and_time_left() -> None:
    expected = "step 3/20  loss 0.2500  validation 0.5000  12.3 crops/s  1:02:05 left"
    assert line(report(3, True)) == expected


def test_a_log_gets_plain_lines_for_checkpoints_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    with on_console(Console(file=stream, width=40)) as write:
        write(report(1, False))
        write(report(2, True))
        monkeypatch.setattr("fiqa_cli.training.reporting.BETWEEN", 0.0)
        write(report(3, False))
    lines = stream.getvalue().splitlines()
    assert [each.split("  ")[0] for each in lines] == ["step 2/20", "step 3/20"]
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar_and_a_line_for_each_checkpoint() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with on_console(console) as write:
        write(report(1, False))
        write(report(2, True))
    assert "step 2/20  loss 0.2500" in stream.getvalue()
    assert "step 1/20" not in stream.getvalue()
    assert "2/20" in stream.getvalue()
    assert "12.3 crops/s" in stream.getvalue()


def test_tensorboard_that_is_missing_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "tensorboard":
            raise ModuleNotFoundError("No module named 'tensorboard'")
        return found(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    for name in [each for each in sys.modules if each.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(FiqaError, match="pip install tensorboard"), on_tensorboard(tmp_path):
        pass
