"""The pipeline: images in, rows out, in the order of the input."""

import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
import torch

from fiqa_cli.methods.method import Method
from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.records.row import Row
from fiqa_cli.sources.listing import Entry

IDLE = 0.2
"""Seconds without a new image after which waiting faces are scored in a batch that is not full."""

Prepare = Callable[[Entry], list[Prospect]]


def score(
    entries: Iterable[Entry],
    prepare: Prepare,
    method: Method,
    workers: int,
    inspect: Callable[[Prospect], None] = lambda prospect: None,
    *,
    details: bool = False,
) -> Iterator[Row]:
    """Score every image of `entries`; yield its rows as soon as all rows before it are done.

    `workers` threads read, decode and (through `prepare`) detect and align ahead of the scoring,
    never further than two batches, so memory does not grow with the number of images. Faces of
    many images share a batch. `inspect` sees every prospect, in order, before it is scored. With
    `details` the rows get the method's components.
    """
    waiting: list[Prospect] = []
    crops = 0
    for prospects in _prepared(entries, prepare, workers, ahead=2 * method.batch_size + workers):
        for prospect in prospects:
            inspect(prospect)
            crops += prospect.crop is not None
        waiting += prospects
        # An empty list says that nothing is coming at the moment.
        if crops >= method.batch_size or crops == 0 or not prospects:
            yield from _finish(waiting, method, details)
            waiting, crops = [], 0
    yield from _finish(waiting, method, details)


def _prepared(
    entries: Iterable[Entry], prepare: Prepare, workers: int, ahead: int
) -> Iterator[list[Prospect]]:
    """The prospects of each entry in order; an empty list whenever the next one keeps waiting."""
    futures: queue.Queue[Future[list[Prospect]] | BaseException | None] = queue.Queue(ahead)
    stop = threading.Event()

    def feed() -> None:
        # Listing has a thread of its own because standard input may block at any time.
        try:
            for entry in entries:
                futures.put(pool.submit(prepare, entry))
                if stop.is_set():
                    return
            futures.put(None)
        except BaseException as error:
            futures.put(error)

    pool = ThreadPoolExecutor(workers, "prepare")
    feeder = threading.Thread(target=feed, name="list", daemon=True)
    feeder.start()
    try:
        while True:
            try:
                future = futures.get(timeout=IDLE)
            except queue.Empty:
                yield []
                continue
            if future is None:
                return
            if isinstance(future, BaseException):
                raise future
            if not wait([future], timeout=IDLE).done:
                yield []
            yield future.result()
    finally:
        stop.set()
        while not futures.empty():  # lets a feeder that waits for room see the flag
            futures.get_nowait()
        pool.shutdown(wait=False, cancel_futures=True)


def _finish(prospects: list[Prospect], method: Method, details: bool) -> Iterator[Row]:
    """Score the crops among the prospects and yield all their rows."""
    scored = [prospect for prospect in prospects if prospect.crop is not None]
    if scored:
        batch = np.stack([prospect.crop for prospect in scored if prospect.crop is not None])
        scores = method.score(torch.from_numpy(batch).permute(0, 3, 1, 2))
        quality = scores.quality.tolist()
        components = scores.components if details else {}
        columns = {name: values.tolist() for name, values in components.items()}
        for number, prospect in enumerate(scored):
            row = prospect.row
            if math.isfinite(quality[number]):
                row.quality = quality[number]
            else:
                row.status = "failed"
                row.error = "quality is not a finite number; try --precision fp32"
            row.details |= {name: values[number] for name, values in columns.items()}
    for prospect in prospects:
        prospect.row.model = method.name
        yield prospect.row
