"""Recipes as people write them: a TOML file, and options that override it."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from fiqa_cli.errors import FiqaError


class Written(Protocol):
    """A recipe: a dataclass with the name of its command, which is that of its table."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    command: ClassVar[str]


Recipe = TypeVar("Recipe", bound=Written)

_SOURCES = {
    "data": "folders, tar shards, .rec files or lists of faces",
    "photos": "a folder of photos",
}
_LISTS = {tuple[str, ...]: str, tuple[int, ...]: int}


def make_recipe(kind: type[Recipe], config: Path | None, given: Mapping[str, Any]) -> Recipe:
    """The recipe of `kind` with the values of its table in `config`, and those `given` over them.

    Values of `given` that are `None` were not given. Raises `FiqaError` for a file that cannot be
    read, for names that the recipe does not have, and for values that are not of their type.
    """
    values = _read(config, kind) if config else {}
    types = get_type_hints(kind)
    for name, value in given.items():
        if value is not None:
            values[name] = _typed(_option(name), value, types[name])
    for each in fields(kind):
        if each.default is MISSING and each.name not in values:
            if each.name in _SOURCES:
                raise FiqaError(f"nothing to train on: name {_SOURCES[each.name]}")
            raise FiqaError(f"{_option(each.name)} is missing: give it, or write it in --config")
    return kind(**values)


def to_toml(recipe: Written) -> str:
    """The TOML that makes this recipe again."""
    lines = [f"[{recipe.command}]"]
    lines += [f"{_key(name)} = {_literal(value)}" for name, value in asdict(recipe).items()]
    return "\n".join(lines) + "\n"


def _read(config: Path, kind: type[Written]) -> dict[str, Any]:
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise FiqaError(f"cannot read {config}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FiqaError(f"{config} is no TOML: {error}") from error
    table = content.get(kind.command)
    if set(content) != {kind.command} or not isinstance(table, dict):
        raise FiqaError(f"{config} has to hold the table [{kind.command}], and nothing else")
    types = get_type_hints(kind)
    known = {_key(each.name): each.name for each in fields(kind)}
    for key in table:
        if key not in known:
            raise FiqaError(f"{config}: there is no {key}; there are {', '.join(sorted(known))}")
    return {
        known[key]: _typed(f"{config}: {key}", value, types[known[key]])
        for key, value in table.items()
    }


def _typed(name: str, value: Any, kind: Any) -> Any:
    """The value as the recipe has it; TOML knows neither enumerations nor tuples."""
    if kind in _LISTS:
        element = _LISTS[kind]
        if isinstance(value, list | tuple) and all(isinstance(each, element) for each in value):
            return tuple(value)
        raise FiqaError(f"{name} is {value!r}, and should be a list of {element.__name__}")
    if issubclass(kind, StrEnum):
        if value in list(kind):
            return kind(value)
        raise FiqaError(f"{name} is one of {', '.join(kind)}, not {value!r}")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise FiqaError(f"{name} is {value!r}, and should be {kind.__name__}")
    return value


def _key(name: str) -> str:
    return name.replace("_", "-")


def _option(name: str) -> str:
    return f"--{_key(name)}"


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    # JSON writes booleans, numbers and text as TOML does.
    return json.dumps(value, ensure_ascii=False)
