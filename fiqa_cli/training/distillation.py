"""Train a quality network from labels: eDifFIQA's distillation, and DifFIQA(R)'s.

eDifFIQA (Babnik et al., TBIOM 2024) takes a recogniser, puts a head on it and trains both with two
terms: L1 between the quality and a label that is lower the farther the embedding is from the
centre of its class, and representation consistency, which keeps the embedding where a frozen copy
of the recogniser has it. DifFIQA(R) (IJCB 2023) has a linear head and L1 to the plain label alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fiqa_cli.errors import FiqaError
from fiqa_cli.methods.distilled import normalise
from fiqa_cli.networks.heads import DifFIQARNetwork, EDifFIQANetwork
from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.backbones import Backbone, config_of, open_backbone
from fiqa_cli.training.batches import Batch, channels_first, mirrored
from fiqa_cli.training.distill_recipe import (
    EMBEDDED,
    EXPECTED,
    STABILITY,
    DistillRecipe,
    Head,
    Loss,
)
from fiqa_cli.training.embeddings import open_inner_features, open_teacher
from fiqa_cli.training.folding import fold, is_foldable
from fiqa_cli.training.lessons import Lessons, from_expectation, from_report, from_stability
from fiqa_cli.training.loop import Objective, Task, Terms
from fiqa_cli.training.parallel import Processes
from fiqa_cli.training.pictures import Pictures
from fiqa_cli.training.plan import Architecture, Plan, digest

WATCHED = 2048
"""Pictures at most that a validation looks at; evenly spread over those set aside."""


class Student(nn.Module):
    """A quality network, and the projection to another recogniser's embedding if there is one."""

    def __init__(self, backbone: Backbone, head: Head, target: int | None) -> None:
        """`target` is the width of the frozen recogniser's embedding, where that is another."""
        super().__init__()
        wrap = EDifFIQANetwork if head is Head.MLP else DifFIQARNetwork
        self.network: EDifFIQANetwork | DifFIQARNetwork = wrap(backbone.module, backbone.features)
        self.projection: nn.Linear | None = None
        if target is not None:
            self.projection = nn.Linear(backbone.features, target, bias=False)
            nn.init.eye_(self.projection.weight)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Give the embedding `[N, D]`, projected if need be, and the quality `[N]`."""
        embedding, quality = self.network(crops)
        return (self.projection(embedding) if self.projection else embedding), quality

    def begin(self, mean_label: float) -> None:
        """Scale a fresh head for the embeddings it will see, and start it at the mean label."""
        first, last = (
            (self.network.mlp.l1, self.network.mlp.l2)
            if isinstance(self.network, EDifFIQANetwork)
            else (self.network.linear, self.network.linear)
        )
        with torch.no_grad():
            if isinstance(self.network.recogniser, MobileFaceNet):
                # It reads unit vectors; layers are initialised for values of unit size.
                first.weight *= first.in_features**0.5
            last.bias.fill_(mean_label)


def optimised_label(label: Tensor, embedding: Tensor, centre: Tensor, epsilon: float) -> Tensor:
    """Labels `[N]` lowered by the distance of embeddings to class centres, both `[N, D]`.

    label - epsilon * (1 - cosine), clipped to [0, 1]; no gradient flows into the embeddings.
    """
    distance = 1 - F.cosine_similarity(embedding.detach().float(), centre)
    return (label - epsilon * distance).clamp(0, 1)


class Distillation(Objective):
    """θ · (1 - cosine to the frozen embedding) + (1 - θ) · L1 to the label, optimised or not."""

    def __init__(self, student: Student, theta: float, epsilon: float) -> None:
        super().__init__()
        self.student: Student = student
        self.theta = theta
        self.epsilon = epsilon

    def forward(
        self,
        crops: Tensor,
        label: Tensor,
        frozen: Tensor | None = None,
        centre: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of crops, uint8 `[N, 3, 112, 112]`, with labels `[N]` and its terms.

        `frozen` and `centre` are `[N, D]`: the frozen recogniser's embeddings, and class centres
        for labels that are to be optimised.
        """
        embedding, quality = self.student(normalise(crops))
        if centre is not None:
            label = optimised_label(label, embedding, centre, self.epsilon)
        to_label = F.l1_loss(quality.float(), label)
        if frozen is None or not self.theta:
            return to_label, {"quality": to_label}
        consistency = (1 - F.cosine_similarity(embedding.float(), frozen)).mean()
        loss = self.theta * consistency + (1 - self.theta) * to_label
        return loss, {"quality": to_label, "consistency": consistency}


def prepare(
    recipe: DistillRecipe,
    pictures: Pictures,
    out: Path,
    processes: Processes,
    notify: Callable[[str], None],
) -> Plan:
    """Embed, label and split the pictures, and put the student together.

    Raises `FiqaError` where the recipe, the data and the models do not fit together.
    """
    lessons = _lessons(recipe, pictures, out, processes, notify)
    torch.manual_seed(recipe.seed)
    backbone = open_backbone(recipe.backbone, 512, pictures, recipe.seed)
    width = None if lessons.embeddings is None else lessons.embeddings.shape[1]
    if lessons.centres is not None and width != backbone.features:
        raise FiqaError(
            f"label optimisation compares embeddings of {recipe.backbone} ({backbone.features} "
            f"values) with those of {recipe.recogniser} ({width}): take one for both, or --loss l1"
        )
    student = Student(backbone, recipe.head, None if width in (None, backbone.features) else width)
    student.begin(float(lessons.labels[lessons.rows].mean()))
    folded = is_foldable(student)
    # A folded network keeps the statistics of its last normalisation, too.
    student.train(not folded)
    if folded:
        fold(student)
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective = Distillation(student, recipe.consistency, recipe.epsilon)
    schedule = recipe.over(len(lessons.rows))
    weights = list(student.network.recogniser.parameters())
    still = weights[: -recipe.trained] if recipe.trained else []

    def tensors(batch: Batch) -> tuple[Tensor, ...]:
        return _tensors(batch, pictures, lessons, recipe.mirror)

    watched = lessons.watched[:: max(1, len(lessons.watched) // WATCHED)]

    def monitor(kept: nn.Module) -> Terms:
        if not len(watched):
            return {}
        judged = Distillation(kept, recipe.consistency, recipe.epsilon)  # type: ignore[arg-type]
        total = 0.0
        for first in range(0, len(watched), recipe.batch):
            part = watched[first : first + recipe.batch]
            batch = Batch(0, recipe.seed, len(part), part, slice(None))
            given = _tensors(batch, pictures, lessons, False)
            # As in the official code, the plain label is what a validation compares with.
            loss, _ = judged(*(tensor.to(processes.device) for tensor in given[:3]))
            total += loss.item() * len(part)
        return {"validation": total / len(watched)}

    task = Task(
        objective,
        _optimiser(student, recipe),
        lessons.rows,
        tensors,
        monitor,
        lowest="validation" if recipe.validation else "",
        frozen=still,
        thaw=recipe.thaw or None,
    )
    method = "ediffiqa" if recipe.head is Head.MLP else "diffiqa-r"
    config = config_of(backbone.network, backbone.features)
    counts = {"pictures": len(lessons.rows), "validation pictures": len(watched)}
    architecture = Architecture(method, backbone.network, config)
    taught = digest(lessons.rows, lessons.labels, lessons.identities)
    return Plan(task, schedule, architecture, counts, taught, folded)


def _lessons(
    recipe: DistillRecipe,
    pictures: Pictures,
    out: Path,
    processes: Processes,
    notify: Callable[[str], None],
) -> Lessons:
    embeddings = None
    if recipe.consistency or recipe.loss is Loss.OPTIMISED or recipe.labels in EMBEDDED:
        teacher = open_teacher(recipe.recogniser or recipe.backbone, processes.device)
        notify(f"embedding {len(pictures):,} pictures by {teacher.name}")
        embeddings = teacher.embed_pictures(pictures, out / "embeddings.npz", processes)
    if recipe.labels == STABILITY:
        assert embeddings is not None
        return from_stability(
            pictures.crops, embeddings, recipe.epsilon, recipe.held_out, recipe.seed, notify
        )
    if recipe.labels == EXPECTED:
        assert embeddings is not None
        inner = open_inner_features(
            recipe.recogniser or recipe.backbone, out / "inner.onnx", processes.device, processes
        )
        features = inner.embed_pictures(pictures, out / "features.npz", processes)
        return from_expectation(
            pictures.crops, embeddings, features, recipe.held_out, recipe.seed, notify
        )
    return from_report(
        Path(recipe.labels),
        pictures.crops,
        None if embeddings is None else embeddings[:, 0],
        recipe.loss is Loss.OPTIMISED,
        recipe.best,
        recipe.fewest,
        recipe.validation,
        notify,
    )


def _tensors(
    batch: Batch, pictures: Pictures, lessons: Lessons, mirror: bool
) -> tuple[Tensor, ...]:
    """What `Distillation` takes of a batch. Labels hold for mirror images, too."""
    numbers = batch.numbers
    crops = pictures.read(numbers)
    given: list[Any] = [
        channels_first(mirrored(crops, batch) if mirror else crops),
        torch.from_numpy(lessons.labels[numbers]),
    ]
    if lessons.embeddings is not None:
        given.append(torch.from_numpy(lessons.embeddings[numbers]))
    if lessons.centres is not None:
        given.append(torch.from_numpy(lessons.centres[lessons.identities[numbers]]))
    return tuple(given)


def _optimiser(student: Student, recipe: DistillRecipe) -> torch.optim.AdamW:
    """Adam with a slower backbone than head and projection; without weight decay AdamW is Adam."""
    head = list(student.network.head.parameters())
    if student.projection:
        head += student.projection.parameters()
    groups = [
        {"params": list(student.network.recogniser.parameters()), "lr": recipe.backbone_rate},
        {"params": head, "lr": recipe.head_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
