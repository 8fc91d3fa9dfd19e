"""A picture scored from file to row, against what it scored when the weights were made."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fiqa_cli.doctor.finding import Finding, first_line
from fiqa_cli.doctor.golden import read_golden
from fiqa_cli.errors import FiqaError
from fiqa_cli.samples import picture_file

if TYPE_CHECKING:
    from fiqa_cli.pipeline.scorer import ScoreOptions

SECTION = "self-test"
ASTRONAUT = "astronaut"
FACE = (162, 41, 290, 169)
"""The box in the picture that lies as an aligned crop does."""
EXACT, ROUNDED = 0.005, 0.03
"""How far a quality may be off in fp32, and in the arithmetic of another device."""
_REPORT = "report this, with all of these lines"


def self_test() -> Iterator[Finding]:
    """A crop, which needs no detector, then a photo, each in fp32 on the CPU and by default."""
    from fiqa_cli.methods.device import find_device
    from fiqa_cli.methods.precision import Precision, find_precision

    photo, golden = picture_file(ASTRONAUT), read_golden()
    device = find_device()
    used = find_precision(Precision.AUTO, device)
    yield _judged("crop, cpu fp32", photo, crop_options(), golden.crop, EXACT)
    if (device.type, used) != ("cpu", Precision.FP32):
        options = crop_options("auto", Precision.AUTO)
        yield _judged(f"crop, {device} {used}", photo, options, golden.crop, ROUNDED)
    yield _judged("photo, cpu fp32", photo, photo_options(), golden.photo, EXACT)


def crop_options(device: str = "cpu", precision: str = "fp32") -> "ScoreOptions":
    """Of an aligned crop."""
    from fiqa_cli.methods.precision import Precision
    from fiqa_cli.pipeline.scorer import ScoreOptions

    return ScoreOptions(aligned=True, device=device, precision=Precision(precision))


def photo_options() -> "ScoreOptions":
    """Of a photo."""
    from fiqa_cli.faces.choice import FaceChoice
    from fiqa_cli.methods.precision import Precision
    from fiqa_cli.pipeline.scorer import ScoreOptions

    return ScoreOptions(faces=FaceChoice.LARGEST, device="cpu", precision=Precision.FP32)


def quality_of(photo: Path, options: "ScoreOptions") -> float:
    """The quality of the face in `photo`, or of the crop cut out of it.

    Raises `FiqaError` with the row's status and error if there is none.
    """
    from PIL import Image

    from fiqa_cli.pipeline.scorer import Scorer
    from fiqa_cli.sources.listing import expand

    with tempfile.TemporaryDirectory() as folder:
        path = photo
        if options.aligned:
            path = Path(folder, "crop.png")
            with Image.open(photo) as opened:
                size = (112, 112)
                opened.convert("RGB").resize(size, Image.Resampling.BILINEAR, FACE).save(path)
        (row,) = Scorer(options).score(expand([str(path)]))
    if row.quality is None:
        raise FiqaError(f"{row.status} {row.error}".strip())
    return row.quality


def _judged(
    name: str, photo: Path, options: "ScoreOptions", expected: float, tolerance: float
) -> Finding:
    try:
        quality = quality_of(photo, options)
    except FiqaError as error:
        return Finding(SECTION, name, f"no quality: {first_line(error)}", "see above")
    # Whatever a device or a library does wrong shows here first.
    except Exception as error:
        return Finding(SECTION, name, f"{type(error).__name__}: {first_line(error)}", _REPORT)
    value = f"{quality:.4f}, expected {expected:.4f} ± {tolerance}"
    return Finding(SECTION, name, value, "" if abs(quality - expected) <= tolerance else _REPORT)
