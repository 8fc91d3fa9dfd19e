"""Embeddings of a dataset in a file: `.npz` or Parquet, told apart by content.

Embeddings are kept as the recogniser computes them, before any normalisation: their norm is a
measure of quality too. Divide each by its norm before comparing. Paths are those of the report of
`fiqa score`, and faces its numbers; an aligned crop, which has none there, is face 0 of its image.

`.npz`: arrays `path` `[N]` of text, `face` int64 `[N]` and `embedding` float32 `[N, D]`; texts
`recogniser` and `sha256` (of its weights). Images and faces without an embedding are in
`missing_path`, `missing_face` (-1 for none), `missing_status` and `missing_error`, `[M]` each, and
`missing_after` is the number of embeddings before each in the order of the input. Bytes of a name
that are not UTF-8 are surrogate escapes (`os.fsdecode`).

Parquet: a row for each face, and for each image that has none, in the order of the input: `path`,
`face`, `status`, `error`, `embedding` (a list of float32, null unless `status` is `ok`) and
`path_bytes`, for names that are not UTF-8 (see `parquet.py`). Recogniser and sha256 are
`fiqa.recogniser` and `fiqa.sha256` of the schema's metadata.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiqa_cli.errors import FiqaError
from fiqa_cli.records.row import from_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECOGNISER, SHA256 = b"fiqa.recogniser", b"fiqa.sha256"
"""Keys of the metadata in Parquet."""

COLUMNS = ("path", "face", "status", "error", "embedding")
"""Of Parquet, but for `path_bytes`, and of a journal."""

_FOREIGN = "expected an .npz or Parquet file that fiqa embed wrote"


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The embeddings of N faces by one recogniser."""

    paths: list[str]
    """As the user gave them; bytes that are not UTF-8 as surrogate escapes (`os.fsdecode`)."""
    faces: "NDArray[np.int64]"
    """`[N]`, number of each face within its image, from 0."""
    vectors: "NDArray[np.float32]"
    """`[N, D]`, finite, not normalised; `[0, 0]` if there are none."""
    recogniser: str
    """Its name, with `+flip` where the vectors end with the embedding of the mirrored crop."""
    sha256: str = ""
    """Of the recogniser's weights."""


def read_embeddings(path: Path) -> Embeddings:
    """Read what `fiqa embed` wrote; images without an embedding are left out.

    Nothing in the file is executed. Raises `FiqaError` if it cannot be read, is cut off or
    damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise FiqaError(f"cannot read {path}: {error.strerror}") from error
    readers = {b"PK\x03\x04": _read_npz, b"PAR1": _read_parquet}
    if head not in readers:
        raise FiqaError(f"{path} holds no embeddings: {_FOREIGN}")
    try:
        return readers[head](path)
    except _Foreign as error:
        raise FiqaError(f"{path} holds no embeddings ({error}): {_FOREIGN}") from None
    # Broken files make zip, numpy and Arrow raise nearly anything.
    except Exception as error:
        raise FiqaError(f"{path} is damaged or cut off: {_FOREIGN}") from error


def made_by(path: Path) -> tuple[str, str]:
    """The recogniser that a whole file of `fiqa embed` names, and the sha256 of its weights."""
    if path.suffix.lower() == ".npz":
        import numpy as np

        with np.load(path, allow_pickle=False) as arrays:
            return str(arrays["recogniser"]), str(arrays["sha256"])
    import pyarrow.parquet as pq

    metadata = _require_schema(pq.read_schema(path))
    return from_bytes(metadata[RECOGNISER]), from_bytes(metadata[SHA256])


class _Foreign(Exception):
    """A whole file that holds something else."""


def _read_npz(path: Path) -> Embeddings:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        names = ("path", "face", "embedding", "recogniser", "sha256")
        if absent := [name for name in names if name not in arrays.files]:
            raise _Foreign(f"no array {absent[0]}")
        paths, faces, vectors, recogniser, sha256 = (arrays[name] for name in names)
    if (paths.dtype.kind, recogniser.dtype.kind, sha256.dtype.kind) != ("U", "U", "U"):
        raise _Foreign("paths or names are no text")
    if paths.ndim != 1 or recogniser.ndim or sha256.ndim:
        raise _Foreign("paths or names are not of the right shape")
    return _checked(paths.tolist(), faces, vectors, str(recogniser), str(sha256))


def _read_parquet(path: Path) -> Embeddings:
    import numpy as np

    from fiqa_cli.records.parquet import ParquetBatch, parquet_batches

    paths: list[str] = []
    faces, vectors = [np.empty(0, np.int64)], []
    with path.open("rb") as stream:
        batches = parquet_batches(stream)
        # The first batch, an empty one, tells the columns.
        metadata = _require_schema(next(batches).arrow.schema)
        for batch in batches:
            arrow = batch.arrow.filter(batch.arrow.column("embedding").is_valid())
            if arrow.num_rows:
                paths += ParquetBatch(arrow).column("path")
                faces.append(arrow.column("face").to_numpy(zero_copy_only=False))
                vectors.append(_matrix(arrow.column("embedding")))
    if len({part.shape[1] for part in vectors}) > 1:
        raise _Foreign("embeddings of different lengths")
    return _checked(
        paths,
        np.concatenate(faces),
        np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32),
        from_bytes(metadata[RECOGNISER]),
        from_bytes(metadata[SHA256]),
    )


def _require_schema(schema: Any) -> dict[bytes, bytes]:
    import pyarrow as pa

    wanted = {"path": pa.string(), "face": pa.int64(), "embedding": pa.list_(pa.float32())}
    for name, kind in wanted.items():
        if name not in schema.names or schema.field(name).type != kind:
            raise _Foreign(f"no column {name} of type {kind}")
    metadata: dict[bytes, bytes] = schema.metadata or {}
    if not {RECOGNISER, SHA256} <= metadata.keys():
        raise _Foreign("no recogniser is named")
    return metadata


def _matrix(column: Any) -> "NDArray[np.float32]":
    """The lists of a column without nulls, `[n, D]` with `n` at least 1."""
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    if (lengths != lengths[0]).any():
        raise _Foreign("embeddings of different lengths")
    flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), lengths[0])


def _checked(
    paths: list[Any], faces: Any, vectors: Any, recogniser: str, sha256: str
) -> Embeddings:
    import numpy as np

    count = len(paths)
    if not all(isinstance(path, str) for path in paths):
        raise _Foreign("a face without a path")
    if faces.dtype != np.int64 or faces.shape != (count,):
        raise _Foreign("face numbers are not int64 [N]")
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != count:
        raise _Foreign("embeddings are not float32 [N, D]")
    if not np.isfinite(vectors).all():
        raise _Foreign("embeddings are not finite")
    return Embeddings(paths, faces, vectors, recogniser, sha256)
