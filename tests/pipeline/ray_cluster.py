"""A cluster of Ray on this machine: a head and workers, each of processes of its own."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STORE = 80 << 20
"""Bytes of shared memory of each machine; the least that Ray takes."""

QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000}
"""A machine is held to be lost after 5 seconds instead of 20."""


class Machines:
    """A head without cores, and workers of one core each."""

    def __init__(self, folder: Path) -> None:
        from ray._private.utils import get_ray_address_file
        from ray.cluster_utils import Cluster

        self.folder = folder
        # Cluster notes its address in Ray's own folder, which a new machine has not.
        Path(get_ray_address_file(None)).parent.mkdir(parents=True, exist_ok=True)
        head = {
            "num_cpus": 0,
            "num_gpus": 0,
            "object_store_memory": STORE,
            "include_dashboard": False,
            "temp_dir": str(folder),
            "_system_config": QUICK,
        }
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address

    def add_worker(self) -> Any:
        return self._cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=STORE)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@contextmanager
def machines() -> Iterator[Machines]:
    """Start a head, to which workers can be added; at the end no process of all is left."""
    # The paths of Ray's sockets must be short.
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    ended = signal.getsignal(signal.SIGTERM)
    try:
        started = Machines(folder)
        yield started
        with suppress(Exception):  # some of it was killed
            started.shutdown()
    finally:
        for process in of_folder(folder):
            kill(process)
        shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, ended)  # Ray sets one of its own


def of_folder(folder: Path) -> list[int]:
    """The processes with `folder` in their command lines or environments."""
    name = os.fsencode(folder)
    return [process for process in _processes() if name in _said(process, "cmdline", "environ")]


def working(worker: Any) -> list[int]:
    """The processes of a machine that score at the moment; so Ray calls them then."""
    return [process for process in below(worker) if b".submit" in _said(process, "cmdline")]


def below(worker: Any) -> list[int]:
    """All processes of a machine: those that `ray start` leaves there, and what these started."""
    tops = [info.process.pid for infos in worker.all_processes.values() for info in infos]
    found = list(tops)
    parents = {process: _parent(process) for process in _processes()}
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _said(process: int, *files: str) -> bytes:
    said = b""
    for file in files:
        with suppress(OSError):
            said += Path(f"/proc/{process}/{file}").read_bytes()
    return said


def _parent(process: int) -> int:
    stat = _said(process, "stat")
    return int(stat.rpartition(b")")[2].split()[1]) if stat else 0
