"""Runs the real command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

FIQA = str(Path(sys.executable).with_name("fiqa"))


def fiqa(
    *arguments: str | bytes, stdin: bytes = b"", cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `fiqa` with bytes in and out; `variables` join the environment."""
    return subprocess.run(
        [FIQA, *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **variables},
        timeout=120,
        check=False,
    )


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a pipeline in bash; its exit code is that of the first part that fails."""
    path = f"{Path(FIQA).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        timeout=120,
        check=False,
    )
