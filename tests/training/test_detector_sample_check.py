import cv2
import numpy as np

from fiqa_cli.training.detector import sample_check
from fiqa_cli.training.detector.labels import Faces


def test_scores_on_either_side_of_the_number_of_faces(tmp_path, monkeypatch):
    """A missed face, a found one and a false alarm, told apart by the photo's brightness."""
    answers = {10: [0.9, 0.8, 0.7, 0.6, 0.55], 90: [0.4, 0.8], 170: [0.2]}

    def write_samples(folder):
        for name, level in (("group", 10), ("astronaut-dark-1", 90), ("cat", 170)):
            path = folder / f"{name}.png"
            cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))
            yield path

    def detect(photo):
        scores = np.array(answers[int(photo[0, 0, 0])])
        return Faces(np.zeros((len(scores), 4)), np.zeros((len(scores), 5, 2)), scores)

    monkeypatch.setattr(sample_check, "write_samples", write_samples)
    monkeypatch.setattr(sample_check, "detector", lambda model, threshold: detect)
    group, astronaut, cat = sample_check.check_samples(tmp_path / "x.onnx", 0.5)
    assert group == {
        "sample": "group",
        "faces": 6,
        "found": 5,
        "least": 0.0,
        "most_false": 0.0,
    }
    assert (astronaut["found"], astronaut["least"], astronaut["most_false"]) == (1, 0.8, 0.4)
    assert (cat["found"], cat["least"], cat["most_false"]) == (0, 1.0, 0.2)
