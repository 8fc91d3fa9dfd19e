"""Error-versus-discard curves as text, for a terminal."""

import numpy as np

from fiqa_cli.evaluation.comparison import Outcome

WIDTH, HEIGHT = 100, 24
MARKERS = "ox+*#@%&$=abcdefghijklmnpqrstuvwyz"
"""One for each curve, so that colour is not needed to tell them apart."""


def draw_curves(outcome: Outcome, right: float, width: int = WIDTH, colour: bool = False) -> str:
    """The curves of all measures, from 0 to the share `right` of discarded pairs, as lines of text.

    `width` is in characters; `colour` asks for ANSI colours.
    """
    # One figure for all that plotext draws, which has no other.
    import plotext

    plotext.clear_figure()
    plotext.plot_size(width, HEIGHT)
    plotext.theme("clear")
    shares = np.linspace(0, right, width)
    for number, (measure, curve) in enumerate(outcome.curves.items()):
        marker = MARKERS[number % len(MARKERS)]
        plotext.plot(
            shares.tolist(),
            curve.error_at(shares).tolist(),
            marker=marker,
            label=measure,
            color=number + 1 if colour else "default",
        )
    definition = next(iter(outcome.curves.values())).definition
    plotext.title(f"{outcome.recogniser}: {definition.error.upper()}")
    plotext.xlabel("share of pairs discarded")
    text: str = plotext.build()
    return text if colour else plotext.uncolorize(text)
