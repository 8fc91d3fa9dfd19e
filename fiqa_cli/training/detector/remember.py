"""Run the teacher on a pool of canvases and keep its last features, for the student to imitate."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fiqa_cli.training.detector.augmentation import STYLES
from fiqa_cli.training.detector.batches import CanvasBatches, load_sources, to_tensor
from fiqa_cli.training.detector.labels import load_labels
from fiqa_cli.training.detector.photos import photo_names, split_photos
from fiqa_cli.training.detector.teacher_memory import TeacherMemory


class Teacher:
    """An SCRFD network, giving what its score convolutions read at each stride."""

    def __init__(self, path: Path) -> None:
        """Load the ONNX file `path`, made for any size of picture and any batch."""
        import onnx
        import onnxruntime

        model = onnx.load(str(path))
        shape = model.graph.input[0].type.tensor_type.shape.dim
        for axis in (0, 2, 3):
            shape[axis].Clear()
            shape[axis].dim_param = f"axis_{axis}"
        names = [
            node.input[0]
            for node in model.graph.node
            if len(node.input) > 1 and "stride_cls" in node.input[1] and "weight" in node.input[1]
        ]
        del model.graph.output[:]
        for name in names:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        self.input = model.graph.input[0].name
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def __call__(self, images: Tensor) -> list[NDArray[np.float32]]:
        """Map uint8 `[N, 3, H, W]` RGB to features `[N, C, H / stride, W / stride]` per level."""
        pixels = (images.numpy().astype(np.float32) - 127.5) / 128
        features: list[NDArray[np.float32]] = self.session.run(None, {self.input: pixels})
        return features


def main() -> None:
    """Store the teacher's features of a pool of canvases; what is stored already is kept."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(
        description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--labels", type=Path, required=True, help="what `labels` wrote")
    parser.add_argument("--teacher", type=Path, required=True, help="teacher detector, ONNX")
    parser.add_argument("--memory", type=Path, required=True, help="folder to write")
    parser.add_argument("--style", choices=STYLES, default="near", help="of the canvases")
    parser.add_argument("--pool", type=int, default=2000, help="batches of canvases")
    parser.add_argument("--seed", type=int, default=2026, help="of the canvases")
    options = parser.parse_args()

    names = split_photos(photo_names(options.photos)).training
    sources = load_sources(options.photos, names, load_labels(options.labels))
    style = STYLES[options.style]
    batches = CanvasBatches(sources, options.seed, (style, style), 0)
    memory = TeacherMemory(options.memory, options.pool)
    memory.folder.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(options.teacher)
    for index in track(range(memory.pool), "remembering", console=Console(stderr=True)):
        if not memory.path(index).exists():
            canvases = [canvas for canvas, _ in batches.compose(index)]
            memory.store(index, teacher(to_tensor(canvases)))


if __name__ == "__main__":
    main()
