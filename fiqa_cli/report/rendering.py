"""The HTML of the page: assets and facts into one file that loads nothing."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(facts: dict[str, Any]) -> str:
    """The page of `facts`, the variables of `assets/report.html`.

    All text is escaped. Its content security policy allows no request, and no script or style
    but the two that are in it, told by their hashes.
    """
    style, script = _asset("style.css"), _asset("live.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            facts,
            style=style,
            style_hash=_hash(style),
            script=script,
            script_hash=_hash(script),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("fiqa_cli.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return files("fiqa_cli.report").joinpath("assets", name).read_text("utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
