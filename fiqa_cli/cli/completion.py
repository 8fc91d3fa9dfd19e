"""What a shell offers for the name of a model; where no name fits, it offers files."""

from collections.abc import Callable

Complete = Callable[[str], list[tuple[str, str]]]


def models_of(*kinds: str) -> Complete:
    """Completes names of the registry: of `quality`, `recogniser` or `detector` models, or all."""

    def complete(incomplete: str) -> list[tuple[str, str]]:
        from fiqa_cli.zoo.registry import models

        return [
            (model.name, model.summary)
            for model in models().values()
            if model.name.startswith(incomplete) and (not kinds or model.kind in kinds)
        ]

    return complete
