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
    *,
    unordered: bool = False,
) -> Iterator[Result]:
    """Take every image of `entries` from file to result; yield its results in order.

    If `unordered`, images come as they are ready; the faces of one stay together and in order.

    `workers` threads read, decode and (through `prepare`) detect and align ahead, never further
    than two batches, so memory does not grow with the number of images. `finish` gets the
    prospects of many images at once, with about `batch_size` crops among them, and gives a result
    for each; none waits for an image that is long in coming. It runs on a thread of its own, one
    batch at a time, while the results of the last are taken and the next batch gathers. `inspect`
    sees every prospect, in order, before that.
    """
    waiting: list[Prospect] = []
    crops = 0
    finishing: Future[list[Result]] | None = None
    pool = ThreadPoolExecutor(1, "finish")
    ahead = 2 * batch_size + workers
    try:
        for prospects in _prepared(entries, prepare, workers, ahead, unordered):
            for prospect in prospects:
                inspect(prospect)
                crops += prospect.crop is not None
            waiting += prospects
            # An empty list says that nothing is coming at the moment.
            due = bool(waiting) and (is_due(crops, batch_size) or not prospects)
            if finishing is not None and (due or finishing.done()):
                done, finishing = finishing.result(), None
                yield from done
            if due:
                finishing = pool.submit(list, finish(waiting))
                waiting, crops = [], 0
    except GeneratorExit:
        raise
    except BaseException:
        if finishing is not None:  # what was begun before it is kept
            yield from finishing.result()
        raise
    finally:
        pool.shutdown(wait=False)
    if finishing is not None:
        yield from finishing.result()
    yield from finish(waiting)


def is_due(crops: int, batch_size: int) -> bool:
    """Whether waiting images are taken with no further one: enough crops, or nothing to score."""
    return crops >= batch_size or crops == 0


def _prepared(
    entries: Iterable[Entry], prepare: Prepare, workers: int, ahead: int, unordered: bool
) -> Iterator[list[Prospect]]:
    """The prospects of each entry; an empty list whenever the next one keeps waiting."""
    futures: queue.SimpleQueue[Future[list[Prospect]] | BaseException | None] = queue.SimpleQueue()
    room = threading.Semaphore(ahead)
    stop = threading.Event()

    def is_stopped() -> bool:
        room.acquire()
        return stop.is_set()

    def feed() -> None:
        # Listing has a thread of its own because standard input may block at any time.
        end: BaseException | None = None
        try:
            for entry in entries:
                if is_stopped():
                    return
                future = pool.submit(prepare, entry)
                if unordered:
                    future.add_done_callback(futures.put)
                else:
                    futures.put(future)
        except BaseException as error:
            end = error
        # With all the room to itself it knows that every image has been taken.
        if not any(is_stopped() for _ in range(ahead)):
            futures.put(end)

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
            room.release()
            while not wait([future], timeout=IDLE).done:
                yield []
            yield future.result()
    finally:
        stop.set()
        room.release()  # lets a feeder that waits for room see the flag
        pool.shutdown(wait=False, cancel_futures=True)
