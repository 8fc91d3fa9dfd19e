"""Defaults for options, from a settings file of the folder the user works in."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fiqa_cli.errors import FiqaError


def read_settings(
    folder: Path, options: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """Defaults per command from `fiqa.toml`, else from `[tool.fiqa]` of `pyproject.toml`.

    One table per command, names as on the command line: `[score]`, `min-face = 20`. `options`
    maps each command to the names that it knows.

    Raises FiqaError for a file that is not TOML, and for names that no command has.
    """
    for name, keys in (("fiqa.toml", ()), ("pyproject.toml", ("tool", "fiqa"))):
        file = folder / name
        if file.is_file():
            table = _table(file, keys)
            if table:
                return {
                    command: _defaults(name, command, given, options)
                    for command, given in table.items()
                }
    return {}


def known_options(commands: Any) -> dict[str, list[str]]:
    """The names of options by command, of the whole command line `commands`."""
    return {
        name: [option.name for option in command.params if option.param_type_name == "option"]
        for name, command in commands.commands.items()
    }


def _table(file: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    import tomllib

    try:
        table: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FiqaError(f"{file.name} cannot be read: {error}") from error
    for key in keys:
        table = table.get(key, {})
    return table if isinstance(table, dict) else {}


def _defaults(
    name: str, command: str, given: Any, options: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    if command not in options or not isinstance(given, dict):
        known = ", ".join(f"[{each}]" for each in options)
        raise FiqaError(f"{name}: {command} is not the table of a command; there are {known}")
    defaults = {key.replace("-", "_"): value for key, value in given.items()}
    for key in defaults:
        if key not in options[command]:
            known = ", ".join(sorted(options[command])).replace("_", "-")
            raise FiqaError(f"{name}: [{command}] has no option {key}; there are {known}")
    return defaults
