"""How a list of images reaches a cluster: as chunks, which stay until their rows are there.

The list is read where the command was given, once, and may be as long as it likes or come from a
pipe; but what is lost with a machine must be handed out again. One actor has it.
"""

import asyncio
import pickle
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from fiqa_cli.sources.entry import Entry

if TYPE_CHECKING:
    import pyarrow as pa


class Chunks:
    """An actor that holds the chunks whose rows are not there yet."""

    def __init__(self) -> None:
        self._entries: dict[int, bytes] = {}
        self._added = 0
        self._ended = False
        self._news = asyncio.Condition()

    async def add(self, entries: list[Entry]) -> None:
        """Take the next chunk."""
        async with self._news:
            self._entries[self._added] = pickle.dumps(entries)
            self._added += 1
            self._news.notify_all()

    async def end(self) -> None:
        """There will be no further chunk."""
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def get(self, number: int) -> bytes | None:
        """The chunk, pickled, once it is known; `None` behind the last one.

        One that was released is empty: Ray may make it again, but nobody will ask for its rows.
        """
        async with self._news:
            await self._news.wait_for(lambda: number < self._added or self._ended)
        return self._entries.get(number, _NOTHING) if number < self._added else None

    async def release(self, number: int) -> None:
        """Forget a chunk whose rows are there."""
        self._entries.pop(number, None)


_NOTHING = pickle.dumps([])


class ChunkSource(Datasource):  # type: ignore[misc]
    """The chunks of an actor from the `first` on, for Ray Data: each is a row, of `entries`."""

    def __init__(self, chunks: Any, first: int) -> None:
        super().__init__()
        self._chunks = chunks
        self._first = first

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known: the list may be without end."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """One task, which asks for one chunk after the other."""
        chunks, first = self._chunks, self._first

        def read() -> "Iterator[pa.Table]":
            import pyarrow as pa
            import ray

            for number in count(first):
                entries = ray.get(chunks.get.remote(number))
                if entries is None:
                    return
                yield pa.table({"entries": pa.array([entries], pa.binary())})

        metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(read, metadata)]
