import cv2
import numpy as np

from fiqa_cli.training.detector import sample_check
from fiqa_cli.training.detector.labels import Faces


def test_a_box_elsewhere_does_not_stand_in_for_a_missed_face(tmp_path, monkeypatch):
    """Each picture's brightness stands for what the detector finds in it: place and score."""
    answers = {
        10: [(0, 0.9), (3, 0.2)],
        90: [(0, 0.4), (5, 0.8)],
        130: [(5, 0.3)],
        170: [(2, 0.1)],
    }

    def write_samples(folder):
        pictures = {"astronaut": 10, "astronaut-dark-1": 90, "astronaut-dark-2": 130, "cat": 170}
        for name, level in pictures.items():
            path = folder / f"{name}.png"
            cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))
            yield path

    def detect(photo):
        places, scores = np.array(answers[int(photo[0, 0, 0])]).T
        boxes = np.stack([places, places, places + 1, places + 1], 1) * 10
        return Faces(boxes, np.zeros((len(scores), 5, 2)), scores)

    monkeypatch.setattr(sample_check, "write_samples", write_samples)
    monkeypatch.setattr(sample_check, "detector", lambda model, threshold: detect)
    rows = sample_check.check_samples(tmp_path / "x.onnx", 0.5)
    wanted = [(1, 0, 0.9, 0.2), (0, 1, 0.4, 0.8), (0, 0, 0.0, 0.3), (0, 0, 1.0, 0.1)]
    assert [(r["found"], r["false"], r["least"], r["most_false"]) for r in rows] == wanted
