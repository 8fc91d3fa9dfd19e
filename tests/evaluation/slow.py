"""The error-versus-discard curve by its definition: fractions, and a count for every question."""

from fractions import Fraction
from itertools import pairwise


def matching(x, impostors, fmr):
    """Whether similarity x matches at an FMR: is it high enough that few impostors reach it?"""
    return sum(i >= x for i in impostors) <= Fraction(fmr) * len(impostors)


def slow_curve(similarity, quality, mated, definition, fmr="0.001"):
    """Points (discard, error) of pairs with qualities (a, b); `fmr` as text, to be exact."""
    pairs = [(s, min(q), m) for s, q, m in zip(similarity, quality, mated, strict=True)]
    judged = [(s, q) for s, q, m in pairs if m == (definition.error == "fnmr")]
    reference = [s for s, _, m in pairs if not m]
    points = []
    for cut in sorted({q for _, q in judged}):
        left = [s for s, q in judged if q >= cut]
        if definition.re_estimated and len(left) < len(judged):
            rest = [s for s, q, m in pairs if not m and q >= cut]
            if Fraction(fmr) * len(rest) >= 1:
                reference = rest
        if definition.threshold is not None:
            matches = [s >= definition.threshold for s in left]
        else:
            matches = [matching(s, reference, fmr) for s in left]
        wrong = sum(match == (definition.error == "fmr") for match in matches)
        points.append((Fraction(len(judged) - len(left), len(judged)), Fraction(wrong, len(left))))
    return [*points, (Fraction(1), Fraction(0))]


def slow_area(points, limit, linear):
    """The area up to a limit (text), piece by piece."""
    limit, area = Fraction(limit), Fraction(0)
    for (x, y), (next_x, next_y) in pairwise(points):
        end = min(next_x, limit)
        if end > x:
            at_end = y + (next_y - y) * (end - x) / (next_x - x) if linear else y
            area += (end - x) * (y + at_end) / 2
    return area
