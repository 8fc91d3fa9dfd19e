"""Faces turned out of the picture's plane: a generic relief under the crop, seen from aside.

A frontal face has no depth to turn, so all get the same one: a head as an ellipsoid, with a nose.
What the turn shows of the head's side was never in the picture; it is stretched from the rim, as in
face profiling (Zhu et al., Face Alignment in Full Pose Range, 2017).
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fiqa_cli.faces.alignment import CROP_SIZE, TEMPLATE, similarity

Floats = NDArray[np.float32]

CENTRE = np.array((56.0, 66.0), np.float32)
"""Of the head in an aligned crop, in pixels."""
HALVES = np.array((44.0, 62.0, 50.0), np.float32)
"""Half the head's width, height and depth, in pixels of the crop: the eyes are 35 apart."""
NOSE = np.array((0.0, 6.0, 11.0), np.float32)
"""The tip of the nose from `CENTRE`, and how far it stands out."""
NOSE_WIDTHS = np.array((6.0, 11.0), np.float32)
"""Standard deviations of the nose across and along."""
BEHIND = 0.3
"""How far beyond the rim, in parts of the radius, the back of the head takes its colours."""
PROFILE = 36.0
"""Longest way of a line of sight from the nose to the head behind it, in pixels."""
STEPS, REFINEMENTS = 12, 4
"""Places on that way that are tried, and halvings of the distance between two."""
SOFT = 0.06
"""Width of the seam between head and background, in parts of the head's radius."""


def rotation(yaw: float, pitch: float) -> Floats:
    """The matrix `[3, 3]` of a nod by `pitch` and a turn by `yaw`, in radians.

    x points right, y down and z to the camera; positive angles look to the right and down.
    """
    cos, sin = np.cos(pitch), np.sin(pitch)
    nod = np.array(((1, 0, 0), (0, cos, sin), (0, -sin, cos)))
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos)))
    return np.asarray(turn @ nod, np.float32)


def relief(x: Floats, y: Floats) -> Floats:
    """Depth of the face, in pixels towards the camera, at `x` and `y` from `CENTRE`."""
    dome = HALVES[2] * np.sqrt(np.maximum(1 - _radius(x, y) ** 2, 0))
    across, along = (x - NOSE[0]) / NOSE_WIDTHS[0], (y - NOSE[1]) / NOSE_WIDTHS[1]
    return np.asarray(dome + NOSE[2] * np.exp(-0.5 * (across**2 + along**2)), np.float32)


def turn_head(crop: NDArray[np.uint8], yaw: float, pitch: float) -> NDArray[np.uint8]:
    """The crop `[112, 112, 3]` as if the head had turned by `yaw` and `pitch`, in radians.

    It is aligned anew by its five landmarks, as a detector would, so a turned face is enlarged.
    """
    turn = rotation(yaw, pitch)
    x, y, seen = _sources(turn, _realigned(turn))
    head = cv2.remap(crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    share = seen[..., None]
    mixed = share * head + (1 - share) * _background(crop)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def _radius(x: Floats, y: Floats) -> Floats:
    """0 in the middle of the head, 1 at its rim."""
    return np.asarray(np.hypot(x / HALVES[0], y / HALVES[1]), np.float32)


def _realigned(turn: Floats) -> Floats:
    """The 2×3 matrix from an aligned crop of the turned head to positions from `CENTRE`."""
    points = (TEMPLATE - CENTRE).astype(np.float32)
    landmarks = np.column_stack((points, relief(points[:, 0], points[:, 1])))
    matrix = similarity((landmarks @ turn.T)[:, :2])
    return np.asarray(cv2.invertAffineTransform(matrix), np.float32)


@cache
def _grid() -> Floats:
    """`[112, 112, 3]`: x, y and 1 of every pixel."""
    y, x = np.mgrid[0:CROP_SIZE, 0:CROP_SIZE]
    return np.stack((x, y, np.ones_like(x)), -1).astype(np.float32)


def _sources(turn: Floats, placed: Floats) -> tuple[Floats, Floats, Floats]:
    """Where in the crop each pixel's colour is, x and y, and how surely it sees the head.

    Each line of sight comes from the camera and ends where it first meets the head.
    """
    along = turn[2]
    # The inverse of a rotation is its transpose.
    start = np.asarray((_grid() @ placed.T).reshape(-1, 2) @ turn[:2], np.float32)
    # Where a line meets the ellipsoid is a quadratic equation.
    squared = float(((along / HALVES) ** 2).sum())
    linear = (start / HALVES) @ (along / HALVES)
    nearest = ((start / HALVES) ** 2).sum(1) - linear**2 / squared
    half = np.sqrt(np.maximum(1 - nearest, 0) / squared)
    depth = np.asarray(half - linear / squared, np.float32)
    depth = np.asarray(depth + _before_nose(start, along, depth), np.float32)
    x, y, z = (np.asarray(start[:, axis] + depth * along[axis], np.float32) for axis in range(3))
    radius = np.maximum(_radius(x, y), 1e-3)
    outward = np.where(z < 0, (1 + BEHIND * (1 - radius)) / radius, 1)
    sure = np.clip((1 - np.sqrt(np.maximum(nearest, 0))) / SOFT, 0, 1)
    shape = (CROP_SIZE, CROP_SIZE)
    x, y, sure = (
        np.asarray(values, np.float32).reshape(shape)
        for values in (CENTRE[0] + x * outward, CENTRE[1] + y * outward, sure)
    )
    return x, y, sure


def _before_nose(start: Floats, along: Floats, depth: Floats) -> Floats:
    """How much nearer to the camera than at `depth`, on the head, lines meet the nose; 0: not."""

    def inside(nearer: Floats) -> NDArray[np.bool_]:
        x, y, z = (start[:, axis] + (depth + nearer) * along[axis] for axis in range(3))
        return np.asarray((z > 0) & (z < relief(x, y)) & (_radius(x, y) < 1))

    tried = np.linspace(PROFILE, 0, STEPS, dtype=np.float32)
    hits = np.stack([inside(step) for step in tried[:-1]] + [np.ones(len(depth), bool)])
    first = hits.argmax(0)
    inner, outer = tried[first], tried[np.maximum(first - 1, 0)]
    for _ in range(REFINEMENTS):
        middle = (inner + outer) / 2
        hit = inside(middle)
        inner, outer = np.where(hit, middle, inner), np.where(hit, outer, middle)
    return np.asarray(inner, np.float32)


def _background(crop: NDArray[np.uint8]) -> Floats:
    """The crop without the head: what is around it, spread smoothly over its place."""
    offsets = _grid()[..., :2] - CENTRE
    radius = _radius(offsets[..., 0], offsets[..., 1])[..., None]
    weight = np.clip(radius - 0.9, 1e-4, 0.2)
    spread = cv2.GaussianBlur(np.concatenate((crop * weight, weight), -1), (0, 0), 14)
    smooth = spread[..., :3] / spread[..., 3:]
    kept = np.clip((radius - 1) / SOFT + 2, 0, 1)
    return np.asarray(kept * crop + (1 - kept) * smooth, np.float32)
