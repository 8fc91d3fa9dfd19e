"""A run on several machines, by Ray Data: the rows of one process, in the same order.

The process that gives the command lists the images, hands them out in chunks, and gets their rows
back in the order of the list; so it writes, counts and resumes as any run does. Workers hold the
very scorer of a run on one machine.

When a worker is lost, all of them start anew, from the first chunk whose rows are missing. Ray
would rather bring back the one, but waits for ever where the others leave no room for it.
"""

import logging
import os
import pickle
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from typing import Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.pipeline.cluster_worker import Scored, Surroundings, Worker, describe
from fiqa_cli.pipeline.scorer import ScoreOptions
from fiqa_cli.records.manifest import Manifest
from fiqa_cli.records.row import Row
from fiqa_cli.sources.entry import Entry

CHUNK = 4
"""Batches of images that a worker gets at once: while one is scored the next is read."""
AHEAD = 1024
"""Chunks that may be under way, which bounds the memory of the process that gives the command."""
CORES = 4
"""Of a worker, unless the options say."""

MOST_LOSSES = 5
"""Workers lost in a row, without rows in between, after which a run ends."""

_STORE = 256 << 20
"""Bytes of shared memory for a cluster of this machine alone; chunks are small."""
_AGAIN = "what was finished is kept: give the same command with --resume"


@dataclass(frozen=True)
class Cluster:
    """Where Ray is, and what a run takes of it."""

    address: str | None = None
    """`auto` (the cluster of this machine), `local` (one of its own) or HOST:PORT; by default
    `RAY_ADDRESS`, else `local`."""
    pool: int | None = None
    """Most workers; by default as many as there is room for."""
    gpus: float | None = None
    """Of each worker; by default 1 if there are GPUs and the device may be one, else 0."""


class ClusterScorer:
    """What `Scorer` is, on the workers of a cluster; each reserves `options.workers` cores.

    Connects to Ray unless that was done before. Raises FiqaError if there is no Ray or no such
    cluster, and as `Scorer` does on a worker.
    """

    def __init__(
        self,
        options: ScoreOptions,
        cluster: Cluster,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        _connect(cluster.address)
        import ray

        self._warn = warn
        self._cluster = cluster
        self._gpus = _gpus(cluster, options)
        most = max((node.get("CPU", 0) for node in _nodes()), default=0)
        self._cores = options.workers or max(1, min(CORES, int(most)))
        if not self._room():
            warn(
                f"no machine of the cluster has {self._cores} cores and {self._gpus:g} GPUs for a "
                "worker (--workers, --gpus-per-worker): waiting for one"
            )
        self._surroundings = Surroundings.here()
        ask = ray.remote(num_cpus=self._cores, num_gpus=self._gpus)(describe)
        with _said_plainly():
            found = ray.get(ask.remote(options, self._surroundings, self._cores, self._gpus))
        for finding in found.notes:
            warn(finding)
        self.columns: tuple[str, ...] = found.columns
        """The columns of the rows, in order."""
        self.batch_size: int = found.batch_size
        """Crops that are scored at once."""
        self._manifest: Manifest = replace(found.manifest, command=list(sys.argv))
        # Cores, and with them the batch, may be more elsewhere.
        self._options = replace(options, batch_size=self.batch_size)

    def manifest(self) -> Manifest:
        """How the rows come about, to be kept with them."""
        return replace(self._manifest, options=dict(self._manifest.options))

    def score(self, entries: Iterable[Entry]) -> Iterator[Row]:
        """The rows of all entries, in their order, a chunk at a time.

        Paths must name the same images on all machines. Raises FiqaError as `Scorer` does on a
        worker, and if workers are lost again and again.
        """
        from ray.exceptions import RayError, RayTaskError

        told = False
        losses = 0
        with _said_plainly(), _Handout(entries, CHUNK * self.batch_size) as handout:
            while True:
                try:
                    for scored in self._run(handout):
                        losses = 0
                        if scored.notes and not told:
                            self._warn(scored.notes[0])
                            told = True
                        yield from scored.rows
                    return
                except RayError as error:
                    losses += 1
                    if isinstance(error, RayTaskError) or losses > MOST_LOSSES:
                        raise
                    self._warn("a worker was lost: going on from the last row without it")

    def _run(self, handout: "_Handout") -> Iterator[Scored]:
        """The chunks that are left, until they end or a worker is lost."""
        for cells in self._dataset(handout.chunks, handout.done).iter_rows():
            yield pickle.loads(cells["scored"])
            handout.release()

    def _dataset(self, chunks: Any, first: int) -> Any:
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        from fiqa_cli.pipeline.cluster_chunks import ChunkSource

        context = DataContext.get_current().copy()
        context.execution_options.preserve_order = True
        context.target_max_block_size = 1  # a chunk goes on as it is, never many together
        context.execution_no_progress_timeout_s = -1  # a list from a pipe may pause
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        most = self._cluster.pool
        room = max(1, self._room())
        workers = ActorPoolStrategy(
            min_size=1,
            max_size=most,
            initial_size=min(room, most or room),
            max_tasks_in_flight_per_actor=2,
        )
        # max_restarts and max_task_retries have no other place so far.
        with DataContext.current(context), warnings.catch_warnings(action="ignore"):
            listed = ray.data.read_datasource(
                ChunkSource(chunks, first), num_cpus=0, override_num_blocks=1
            )
            return listed.map_batches(
                Worker,
                batch_size=1,
                compute=workers,
                num_cpus=self._cores,
                num_gpus=self._gpus,
                fn_constructor_args=(
                    self._options,
                    self._surroundings,
                    self._cores,
                    self._gpus,
                ),
                max_restarts=0,
                max_task_retries=0,
            )

    def _room(self) -> int:
        """Workers that the machines have room for."""
        return sum(
            int(
                min(
                    node.get("CPU", 0) // self._cores,
                    node.get("GPU", 0) / self._gpus if self._gpus else inf,
                )
            )
            for node in _nodes()
        )


class _Handout:
    """Hands a list of images to an actor `Chunks`, never more than `AHEAD` before their rows."""

    def __init__(self, entries: Iterable[Entry], size: int) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from fiqa_cli.pipeline.cluster_chunks import Chunks

        self._entries = iter(entries)
        self._size = size
        self._room = threading.Semaphore(AHEAD)
        self._stopped = False
        self.done = 0
        """Chunks whose rows are there, from the first on."""
        self._error: BaseException | None = None
        # On this machine it is safe: if that is lost, so is the run.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.chunks: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(Chunks).remote()

    def __enter__(self) -> "_Handout":
        threading.Thread(target=self._feed, name="chunks", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        import ray

        self._stopped = True
        self._room.release()
        ray.kill(self.chunks)
        if kind is None and self._error:
            raise self._error

    def release(self) -> None:
        """Forget the first chunk that is left, as its rows are there."""
        self.chunks.release.remote(self.done)
        self.done += 1
        self._room.release()

    def _feed(self) -> None:
        import ray

        try:
            while part := list(islice(self._entries, self._size)):
                self._room.acquire()
                if self._stopped:
                    return
                ray.get(self.chunks.add.remote(part))
        except BaseException as error:
            self._error = error
        finally:
            if not self._stopped:
                self.chunks.end.remote()


_QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # what it says of lost workers, on standard output
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables that Ray reads when it is imported."""


def _connect(address: str | None) -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise FiqaError("Ray is not installed: pip install 'fiqa[ray]'") from error
    if ray.is_initialized():
        return
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    own = {"include_dashboard": False, "object_store_memory": _STORE} if address == "local" else {}
    try:
        _require_listener(address)
        ended = signal.getsignal(signal.SIGTERM)
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ended)  # Ray would abort, with a dump of its stack
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise FiqaError(f"no Ray cluster at {address}: {_essence(error)}") from error


def _require_listener(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT; Ray would look for it for many minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn what Ray raises into a FiqaError: the one that a worker raised, if it did."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause: BaseException | None = error
        while cause is not None:
            # Ray's own error is a FiqaError too, but says a whole traceback.
            if isinstance(cause, FiqaError) and not isinstance(cause, RayError):
                raise cause from None
            cause = getattr(cause, "cause", None) or cause.__cause__
        raise FiqaError(f"Ray: {_essence(error)}; {_AGAIN}") from error


def _essence(error: BaseException) -> str:
    """The line that tells most: the last of a traceback, else the first."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "ray::" in lines[0] else 0]


def _gpus(cluster: Cluster, options: ScoreOptions) -> float:
    if cluster.gpus is not None:
        return cluster.gpus
    may = options.device == "auto" or options.device.startswith("cuda")
    return 1.0 if may and any(node.get("GPU") for node in _nodes()) else 0.0


def _nodes() -> list[dict[str, float]]:
    """The resources of each machine that is there."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
