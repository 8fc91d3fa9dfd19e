"""A whole run against the same steps written plainly with insightface and torch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fiqa_cli.methods.precision import Precision
from fiqa_cli.methods.settings import Settings
from fiqa_cli.pipeline.scorer import ScoreOptions, Scorer
from fiqa_cli.samples import write_samples
from fiqa_cli.sources.listing import expand
from fiqa_cli.zoo.builtin import weights_folder


def plain_qualities(photo: Path) -> list[float]:
    import cv2
    from insightface.app import FaceAnalysis
    from insightface.utils.face_align import norm_crop
    from safetensors.torch import load_file

    from fiqa_cli.networks.heads import EDifFIQANetwork
    from fiqa_cli.networks.mobilefacenet import MobileFaceNet

    app = FaceAnalysis(
        str(weights_folder() / "scrfd-n"),
        allowed_modules=["detection"],
        providers=["CPUExecutionProvider"],
    )
    app.prepare(ctx_id=-1, det_size=(640, 640))
    network = EDifFIQANetwork(MobileFaceNet()).eval()
    weights = load_file(weights_folder() / "ediffiqa-n.safetensors")
    network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    image = cv2.imread(str(photo))
    crops = [norm_crop(image, face.kps)[:, :, ::-1] for face in app.get(image)]
    batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        quality: list[float] = network((batch / 255 - 0.5) / 0.5)[1].tolist()
    return quality


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_run_gives_what_the_plain_steps_give(tmp_path: Path) -> None:
    photos = [path for path in write_samples(tmp_path) if path.stem in ("group", "astronaut")]
    for photo in photos:
        # insightface makes photos square, fiqa does not, and in integers that moves landmarks.
        image = Image.open(photo)
        square = Image.new("RGB", (max(image.size),) * 2)
        square.paste(image)
        square.save(photo, quality=95)
    scorer = Scorer(ScoreOptions(precision=Precision.FP32))
    rows = list(scorer.score(expand([str(photo) for photo in photos])))
    expected = [quality for photo in photos for quality in plain_qualities(photo)]
    assert [row.quality for row in rows] == pytest.approx(expected, abs=5e-4)
    assert {row.detector for row in rows} == {"scrfd-n"}
    assert {row.model for row in rows} == {"ediffiqa-n"}


@pytest.mark.parametrize("model", ["diffiqa-n", "faceqan-n"])
def test_methods_of_many_passes_tell_a_blurred_face_from_a_clear_one(
    model: str, tmp_path: Path
) -> None:
    photos = {path.stem: str(path) for path in write_samples(tmp_path)}
    names = ("astronaut", "astronaut-blurred-4")
    scorer = Scorer(ScoreOptions(model, details=True, settings=Settings(copies=2)))
    clear, blurred = scorer.score(expand([photos[name] for name in names]))
    assert clear.quality is not None and blurred.quality is not None
    assert blurred.quality < clear.quality
    assert set(scorer.method.components) <= set(clear.details)
    manifest = scorer.manifest()
    assert manifest.recogniser is not None
    assert (manifest.recogniser.name, manifest.seed) == ("fr-n", 0)


def test_details_columns_are_those_of_the_rows(tmp_path: Path) -> None:
    photo = next(write_samples(tmp_path))
    scorer = Scorer(ScoreOptions(details=True))
    row = next(scorer.score(expand([str(photo)])))
    assert scorer.columns[-len(row.details) :] == tuple(row.details)
    aligned = Scorer(ScoreOptions(details=True, aligned=True))
    assert "nose_x" not in aligned.columns
