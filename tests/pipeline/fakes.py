"""A method and a detector that are simple enough to predict, and images that suit them."""

import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import TEMPLATE
from fiqa_cli.faces.face import Face
from fiqa_cli.methods.method import Scores


class Brightness:
    """Quality = mean pixel / 255; remembers the sizes of the batches it got."""

    name = "brightness"
    precision = "fp32"
    components: Sequence[str] = ("red",)

    def __init__(self, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        self.batches: list[int] = []

    def score(self, crops: torch.Tensor) -> Scores:
        assert crops.dtype == torch.uint8
        assert crops.shape[1:] == (3, 112, 112)
        self.batches.append(len(crops))
        pixels = crops.float() / 255
        return Scores(pixels.mean((1, 2, 3)), {"red": pixels[:, 0].mean((1, 2))})


class Corners:
    """Finds as many faces as the top left pixel's red says, each 10 pixels larger and surer."""

    size = 640

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.threads.add(threading.get_ident())
        faces = []
        for number in range(int(image[0, 0, 0])):
            side = 10.0 * (number + 1)
            box = np.array([0, 0, side, side], np.float32)
            faces.append(Face(box, 0.5 + number / 100, TEMPLATE.astype(np.float32)))
        return faces


def picture(faces: int, level: int = 128) -> NDArray[np.uint8]:
    image = np.full((120, 130, 3), level, np.uint8)
    image[0, 0, 0] = faces
    return image
