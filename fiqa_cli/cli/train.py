"""`fiqa train`: quality networks, recognisers, U-Nets and detectors from faces of one's own."""

from typing import Annotated

import typer

from fiqa_cli.cli.completion import models_of
from fiqa_cli.cli.train_calibrate import calibrate
from fiqa_cli.cli.train_detector import detector
from fiqa_cli.cli.train_options import (
    LABELS,
    LEARNING,
    NETWORK,
    Accumulate,
    Average,
    Batch,
    Board,
    Clip,
    Config,
    Copies,
    Data,
    Decay,
    Device,
    Epochs,
    Every,
    Half,
    HeldOut,
    Output,
    PrecisionOption,
    Quiet,
    Seed,
    Steps,
    WarmUp,
    WeightDecay,
    Workers,
    option,
)
from fiqa_cli.cli.train_prune import prune
from fiqa_cli.cli.train_run import run_training

app = typer.Typer(
    no_args_is_help=True,
    help="Train models on faces and photos of your own.",
    epilog="Several GPUs: torchrun --nproc-per-node 4 $(which fiqa) train ...",
)


@app.command()
def distill(
    output: Output,
    data: Data = None,
    config: Config = None,
    labels: Annotated[
        str | None,
        option(
            LABELS,
            "A report of 'fiqa score' on these images, by any method; or stability, what "
            "degradation does to their embeddings; or expected, the similarity to its identity "
            "that the recogniser's layers let expect (both with --copies and --loss l1).",
            metavar="REPORT|stability|expected",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        option(
            LABELS,
            "Hold the quality to labels optimised by class centres, or to plain ones.",
            "optimised",
            metavar="optimised|l1",
        ),
    ] = None,
    best: Annotated[
        float | None,
        option(LABELS, "β: best part of all images, which makes the class centres.", 0.2),
    ] = None,
    fewest: Annotated[
        int | None,
        option(
            LABELS,
            "Images among the best part that an identity needs; those with fewer are dropped.",
            10,
            min=1,
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        option(LABELS, "ε: how much the distance to its class centre lowers a label.", 0.5),
    ] = None,
    theta: Annotated[
        float | None,
        option(
            LABELS,
            "θ: share of the loss that keeps embeddings where they were.",
            "0.5; with --loss l1 0",
        ),
    ] = None,
    validation: Annotated[
        float | None,
        option(LABELS, "Part of the images that chooses the weights to keep.", 0.1),
    ] = None,
    backbone: Annotated[
        str | None,
        option(
            NETWORK,
            "Where training begins: a recogniser or quality model of 'fiqa models list', or "
            "a file.",
            autocompletion=models_of("recogniser", "quality"),
        ),
    ] = None,
    recogniser: Annotated[
        str | None,
        option(
            NETWORK,
            "The frozen recogniser whose embeddings are kept; raw:FILE.onnx tells the pixels.",
            "the backbone as it was",
            autocompletion=models_of("recogniser"),
        ),
    ] = None,
    head: Annotated[
        str | None,
        option(
            NETWORK, "mlp as in eDifFIQA, linear as in DifFIQA(R).", "mlp", metavar="mlp|linear"
        ),
    ] = None,
    trained: Annotated[
        int | None,
        option(NETWORK, "Last parameters of the backbone to train; 0: all.", 100, min=0),
    ] = None,
    thaw: Annotated[
        int | None, option(NETWORK, "Step from which all are trained; 0: never.", 0, min=0)
    ] = None,
    head_rate: Annotated[
        float | None, option(LEARNING, "Learning rate of the head.", "1e-3")
    ] = None,
    backbone_rate: Annotated[
        float | None, option(LEARNING, "Learning rate of the backbone.", "1e-4")
    ] = None,
    epochs: Epochs = None,
    steps: Steps = None,
    batch: Batch = None,
    accumulate: Accumulate = None,
    warm_up: WarmUp = None,
    decay: Decay = None,
    average: Average = None,
    weight_decay: WeightDecay = None,
    clip: Clip = None,
    mirror: Annotated[
        bool | None,
        option(LEARNING, "Mirror half of the images.", "no", "--mirror/--no-mirror"),
    ] = None,
    copies: Copies = None,
    held_out: HeldOut = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    device: Device = "auto",
    workers: Workers = None,
    every: Every = 200,
    half: Half = False,
    tensorboard: Board = None,
    quiet: Quiet = False,
) -> None:
    """A quality network from labels, as eDifFIQA is trained: any method can teach.

    The defaults are the official recipe: 3 epochs, batches of 128, Adam, gradients up to 5.
    DifFIQA(R): --loss l1 --head linear --epochs 1.

    Examples:

    fiqa score faces --aligned --model diffiqa -o labels.csv

    fiqa train distill faces --labels labels.csv --backbone cosface-r100 -o my-model
    """
    from fiqa_cli.training.distill_recipe import DistillRecipe

    run_training(DistillRecipe, locals())


@app.command()
def recogniser(
    output: Output,
    data: Data = None,
    config: Config = None,
    recogniser: Annotated[
        str | None,
        option(
            NETWORK,
            "The teacher: of 'fiqa models list' or a file; raw:FILE.onnx tells the pixels.",
            autocompletion=models_of("recogniser"),
        ),
    ] = None,
    backbone: Annotated[
        str | None, option(NETWORK, "Where training begins, in place of random weights.")
    ] = None,
    network: Annotated[
        str | None,
        option(NETWORK, "mobilefacenet, iresnet18, iresnet50 or iresnet100.", "mobilefacenet"),
    ] = None,
    features: Annotated[
        int | None, option(NETWORK, "Width of the embedding, the teacher's.", 128, min=1)
    ] = None,
    symmetry: Annotated[
        float | None,
        option(LEARNING, "Weight of the mirror images of degraded copies.", 0.2, min=0.0),
    ] = None,
    rate: Annotated[float | None, option(LEARNING, "Learning rate.", "2e-4")] = None,
    epochs: Epochs = None,
    steps: Steps = None,
    batch: Batch = None,
    accumulate: Accumulate = None,
    warm_up: WarmUp = None,
    decay: Decay = None,
    average: Average = None,
    weight_decay: WeightDecay = None,
    clip: Clip = None,
    copies: Copies = None,
    held_out: HeldOut = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    device: Device = "auto",
    workers: Workers = None,
    every: Every = 200,
    half: Half = False,
    tensorboard: Board = None,
    quiet: Quiet = False,
) -> None:
    """A small recogniser that imitates a larger one, for DifFIQA and FaceQAN.

    It embeds as its teacher does the faces that the teacher knows, and lets degraded ones move.
    The defaults: 5 epochs, batches of 16, two degraded copies, AdamW with a cosine decay.

    Example:

    fiqa train recogniser faces --recogniser cosface-r100 --features 512 -o my-recogniser
    """
    from fiqa_cli.training.recogniser import RecogniserRecipe

    run_training(RecogniserRecipe, locals())


@app.command()
def diffusion(
    output: Output,
    data: Data = None,
    config: Config = None,
    dim: Annotated[int | None, option(NETWORK, "Channels of the first level.", 128, min=8)] = None,
    patch: Annotated[
        int | None,
        option(NETWORK, "Side in pixels of what the first level sees as one place.", 1, min=1),
    ] = None,
    heads: Annotated[int | None, option(NETWORK, "Heads of every attention.", 4, min=1)] = None,
    head_width: Annotated[int | None, option(NETWORK, "Channels of a head.", 32, min=1)] = None,
    identity: Annotated[
        bool | None,
        option(
            NETWORK,
            "Begin as a network that gives back its input: for short trainings.",
            "no",
            "--identity/--no-identity",
        ),
    ] = None,
    rate: Annotated[float | None, option(LEARNING, "Learning rate.", "8e-5")] = None,
    steps: Steps = None,
    batch: Batch = None,
    accumulate: Accumulate = None,
    warm_up: WarmUp = None,
    decay: Decay = None,
    average: Average = None,
    weight_decay: WeightDecay = None,
    clip: Clip = None,
    copies: Copies = None,
    held_out: HeldOut = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    device: Device = "auto",
    workers: Workers = None,
    every: Every = 200,
    half: Half = False,
    tensorboard: Board = None,
    quiet: Quiet = False,
) -> None:
    """The diffusion U-Net of DifFIQA: it restores degraded and noised faces.

    The defaults are the official recipe: 100,000 steps of 64 pictures in 4 parts, Adam, averaged
    weights, 142.9 M parameters. The degradations are fiqa's own.

    Example:

    fiqa train diffusion faces --dim 16 --patch 2 --heads 2 --head-width 16 --identity \
--rate 1e-3 --batch 16 --accumulate 1 --steps 2000 -o my-unet
    """
    from fiqa_cli.training.diffusion import DiffusionRecipe

    run_training(DiffusionRecipe, locals())


app.command()(detector)
app.command()(calibrate)
app.command()(prune)
