"""Train a recogniser that embeds as a teacher does the faces that the teacher knows.

DifFIQA and FaceQAN ask how little an embedding moves when the picture is noised, restored, attacked
or mirrored, so poor pictures have to move more. A teacher may not do that by itself: it maps
destroyed faces to much the same embedding, which stays where it is. Hence two terms, where the
stability of a degraded copy is the cosine of the teacher's embedding to that of the clean crop:

- 1 - cosine to the teacher's embedding of the same picture, weighted by its stability: the student
  learns what the teacher knows, and not where it puts the faces that it does not know;
- `symmetry` times the L1 distance of the cosine between a copy and its mirror image to the
  stability. Clean crops are left out of it, and no mirror image is ever given the teacher's
  embedding of the unmirrored one: they differ by pose and light, which should show.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.training.backbones import config_of, open_backbone, untrained
from fiqa_cli.training.batches import Batch, channels_first
from fiqa_cli.training.crops import hold_out
from fiqa_cli.training.embeddings import cosine, open_teacher
from fiqa_cli.training.folding import fold, is_foldable
from fiqa_cli.training.loop import Objective, Task, Terms
from fiqa_cli.training.parallel import Processes
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Architecture, Plan, digest
from fiqa_cli.training.schedule import Decay, Schedule

MONITORED = 120
"""Crops of the held-out identities that are watched, and a copy of each."""

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class RecogniserRecipe(Schedule):
    """Everything that decides the weights; the defaults are those of `fr-n`, but for its start."""

    command: ClassVar[str] = "recogniser"

    data: tuple[str, ...]
    recogniser: str
    """The teacher."""
    backbone: str = ""
    """A recogniser to begin with; '': random weights."""
    network: str = "mobilefacenet"
    """The architecture that begins with random weights."""
    features: int = 128
    """Width of the embedding."""
    epochs: float = 5
    batch: int = 16
    rate: float = 2e-4
    warm_up: int = 200
    decay: Decay = Decay.COSINE
    average: float = 0.998
    weight_decay: float = 1e-4
    symmetry: float = 0.2
    """Weight of the mirror images of degraded copies."""
    copies: int = 2
    """Degraded copies of each crop."""
    held_out: int = 0
    """Identities that are watched and not trained on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.copies:
            raise FiqaError("a recogniser learns from degraded copies: give --copies 1 or more")


class Imitation(Objective):
    """The stability-weighted distance to the teacher, and the symmetry of degraded copies."""

    def __init__(self, student: nn.Module, symmetry: float) -> None:
        super().__init__()
        self.student = student
        self.symmetry = symmetry

    def forward(
        self, crops: Tensor, frozen: Tensor, stable: Tensor, degraded: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of crops, uint8 `[N, 3, 112, 112]`, and its terms.

        `frozen` `[N, D]` are the teacher's embeddings, `stable` `[N]` their stability; `degraded`
        `[N]` tells degraded copies from clean crops.
        """
        faces = normalise(crops)
        # In one pass: batch normalisation fails on a single mirror image.
        embedded = self.student(torch.cat((faces, faces[degraded].flip(-1)))).float()
        embedding, mirror = embedded[: len(faces)], embedded[len(faces) :]
        distance = 1 - F.cosine_similarity(embedding, frozen)
        imitation = (stable * distance).sum() / stable.sum().clamp(min=1e-6)
        alike = F.cosine_similarity(embedding[degraded], mirror)
        symmetry = F.l1_loss(alike, stable[degraded], reduction="sum") / len(crops)
        terms = {"imitation": imitation, "symmetry": symmetry}
        return imitation + self.symmetry * symmetry, terms


def stability(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine `[N, columns]` of embeddings `[N, columns, D]` to those of clean crops, at least 0."""
    return np.maximum(cosine(embeddings, embeddings[:, :1]), 0)


def prepare(
    recipe: RecogniserRecipe,
    pictures: Pictures,
    out: Path,
    processes: Processes,
    notify: Callable[[str], None],
) -> Plan:
    """Embed the pictures by the teacher, and put the student together.

    What `watch` says of the held-out identities goes along with every checkpoint.
    Raises `FiqaError` where the recipe, the data and the models do not fit together.
    """
    teacher = open_teacher(recipe.recogniser, processes.device)
    notify(f"embedding {len(pictures):,} pictures by {teacher.name}")
    embeddings = teacher.embed_pictures(pictures, out / "embeddings.npz", processes)
    stable = stability(embeddings)
    held_out = hold_out(pictures.crops.identities, recipe.held_out, recipe.seed)
    rows = np.flatnonzero(np.repeat(~held_out, pictures.columns))
    watched = np.flatnonzero(held_out)
    watched = watched[:: max(1, len(watched) // MONITORED)]

    torch.manual_seed(recipe.seed)
    if recipe.backbone:
        backbone = open_backbone(recipe.backbone, recipe.features, pictures, recipe.seed)
    else:
        backbone = untrained(recipe.network, recipe.features)
    if backbone.features != embeddings.shape[-1]:
        raise FiqaError(
            f"{recipe.recogniser} embeds as {embeddings.shape[-1]} values, the student as "
            f"{backbone.features}: give --features {embeddings.shape[-1]}, or another --backbone"
        )
    folded = is_foldable(backbone.module)
    # A folded network keeps the statistics of its last normalisation, too.
    student = backbone.module.train(not folded)
    if folded:
        fold(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def tensors(batch: Batch) -> tuple[Tensor, ...]:
        crop, column = np.divmod(batch.numbers, pictures.columns)
        return (
            channels_first(pictures.read(batch.numbers)),
            torch.from_numpy(embeddings[crop, column]),
            torch.from_numpy(stable[crop, column]),
            torch.from_numpy(column > 0),
        )

    def monitor(kept: nn.Module) -> Terms:
        if not len(watched):
            return {}
        return watch(lambda crops: embed(kept, crops), pictures, embeddings[watched], watched)

    optimiser = torch.optim.AdamW(
        student.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True
    )
    task = Task(Imitation(student, recipe.symmetry), optimiser, rows, tensors, monitor)
    config = config_of(backbone.network, backbone.features)
    counts = {"pictures": len(rows), "crops watched": len(watched)}
    architecture = Architecture("", backbone.network, config)
    taught = digest(rows, pictures.crops.identities)
    return Plan(task, recipe.over(len(rows)), architecture, counts, taught, folded)


@torch.inference_mode()
def embed(network: nn.Module, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings `[N, D]` of crops `[N, 112, 112, 3]`, where the network is."""
    device = next(network.parameters()).device
    parts = [
        network(normalise(channels_first(crops[first : first + 40]).to(device))).cpu()
        for first in range(0, len(crops), 40)
    ]
    return torch.cat(parts).numpy()


def watch(
    student: Embed,
    pictures: Pictures,
    embeddings: NDArray[np.float32],
    crops: NDArray[np.int64],
) -> Terms:
    """How a student does on some crops and the first degraded copy of each.

    `crops` `[N]` are their numbers, `embeddings` `[N, 2 or more, D]` the teacher's of both. Tells
    the mean cosine to them of the `clean` crops, of the `copies` and of the `known` ones among
    them, whose stability is 0.5 or more; and Spearman's correlation `rank` between the stability of
    the copies and the cosine to their mirror images.
    """
    clean, copies = pictures.clean(crops), pictures.read(crops * pictures.columns + 1)
    stable = stability(embeddings)[:, 1]
    embedding = student(copies)
    to_teacher = cosine(embedding, embeddings[:, 1])
    symmetry = cosine(embedding, student(np.ascontiguousarray(copies[:, :, ::-1])))
    return {
        "clean": float(cosine(student(clean), embeddings[:, 0]).mean()),
        "copies": float(to_teacher.mean()),
        "known": float(to_teacher[stable >= 0.5].mean()),
        "rank": float(spearmanr(symmetry, stable).statistic),
    }
