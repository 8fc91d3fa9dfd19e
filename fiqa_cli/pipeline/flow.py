"""The flow: images in, results out, in the order of the input."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from fiqa_cli.pipeline.prospect import Prospect
from fiqa_cli.sources.listing import Entry

IDLE = 0.2
"""Seconds without a new image after which waiting faces are taken in a batch that is not full."""

Prepare = Callable[[Entry], list[Prospect]]

Result = TypeVar("Result")


def flow(
    entries: Iterable[Entry],
    prepare: Prepare,
    finish: Callable[[list[Prospect]], Iterable[Result]],
    batch_size: int,
    workers: int,
    inspect: Callable[[Prospect], None] = lambda prospect: None,
) -> Iterator[Result]:
    """Take every image of `entries` from file to result; yield its results in order.

    `workers` threads read, decode and (through `prepare`) detect and align ahead, never further
    than two batches, so memory does not grow with the number of images. `finish` gets the
    prospects of many images at once, with about `batch_size` crops among them, and gives a result
    for each; none waits for an image that is long in coming. `inspect` sees every prospect, in
    order, before that.
    """
    waiting: list[Prospect] = []
    crops = 0
    for prospects in _prepared(entries, prepare, workers, ahead=2 * batch_size + workers):
        for prospect in prospects:
            inspect(prospect)
            crops += prospect.crop is not None
        waiting += prospects
        # An empty list says that nothing is coming at the moment.
        if is_due(crops, batch_size) or not prospects:
            yield from finish(waiting)
            waiting, crops = [], 0
    yield from finish(waiting)


def is_due(crops: int, batch_size: int) -> bool:
    """Whether waiting images are taken with no further one: enough crops, or nothing to score."""
    return crops >= batch_size or crops == 0


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
