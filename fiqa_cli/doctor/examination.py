"""All that is looked at, in the order it is told."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fiqa_cli.doctor.cache import cache
from fiqa_cli.doctor.devices import devices, providers
from fiqa_cli.doctor.finding import Finding, first_line
from fiqa_cli.doctor.images import images
from fiqa_cli.doctor.self_test import self_test
from fiqa_cli.doctor.settings import settings
from fiqa_cli.doctor.versions import versions
from fiqa_cli.doctor.weights import weights


def examine(
    read_settings: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
) -> Iterator[Finding]:
    """Look at everything; each finding as soon as it is known, and none keeps another back.

    `read_settings` gives the defaults of a settings file by command; `FiqaError` is told.
    """
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        versions,
        devices,
        providers,
        images,
        weights,
        cache,
        lambda: settings(read_settings),
        self_test,
    )
    for part in parts:
        try:
            yield from part()
        # What is missing or broken fails anywhere; that is what is looked for.
        except Exception as error:
            name = getattr(part, "__name__", "settings")
            value = f"{type(error).__name__}: {first_line(error)}"
            yield Finding(name, "not found out", value, "install what is missing, or report this")
