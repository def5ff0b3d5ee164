"""Settings in a file: `fesnet.toml` in the current folder, or in the user's folder for settings.

    [spot]
    faces = "all"
    device = "cpu"

A table has the name of a command, a key that of an option without its dashes. What the command line
gives wins over the folder's file, and that over the user's.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from fesnet._io import file_exists, read_toml
from fesnet.errors import UsageError

NAME = "fesnet.toml"
VARIABLE = "FESNET_CONFIG"  # the one file to read instead of both; empty: none


@dataclass(frozen=True)
class ConfigFile:
    """One file and its tables; values is None where there is no such file."""

    path: Path
    values: dict[str, Any] | None


def user_config_folder() -> Path:
    """The user's folder for settings of fesnet, by the platform's habit. Not created. Raises
    RuntimeError without a home folder.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "fesnet"
    xdg = os.environ.get("XDG_CONFIG_HOME")
    if sys.platform == "darwin" and not xdg:
        return Path.home() / "Library" / "Application Support" / "fesnet"
    return (Path(xdg) if xdg else Path.home() / ".config") / "fesnet"


def config_paths() -> list[Path]:
    """Where settings may be, the weaker first."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return [Path(chosen)] if chosen else []
    found = []
    for folder in (user_config_folder, Path.cwd):
        # No home folder and no such user; a current folder that was removed.
        with suppress(RuntimeError, FileNotFoundError):
            found.append(folder() / NAME)
    return found


def read_config_files() -> list[ConfigFile]:
    """All files that count, the weaker first. Raises UsageError for one that is no TOML, for an
    unknown command, and where the named one is missing.
    """
    from fesnet.cli.lazy import COMMANDS

    out = []
    for path in config_paths():
        values: dict[str, Any] | None = None
        # A folder of another user's, as after sudo, holds no settings of ours.
        if file_exists(path) or os.environ.get(VARIABLE):
            try:
                values = read_toml(path)
            except (OSError, ValueError) as error:
                raise UsageError(f"expected settings as TOML in {path}, but {error}") from error
            for name, table in values.items():
                if name not in COMMANDS or not isinstance(table, dict):
                    known = ", ".join(COMMANDS)
                    raise UsageError(
                        f"expected tables named as commands in {path} ({known}), got {name!r}"
                    )
        out.append(ConfigFile(path, values))
    return out


def command_defaults(name: str, command: Any) -> dict[str, Any]:
    """The settings of all files for one command, by the names of its parameters. Raises UsageError
    for what is no option of it.
    """
    out: dict[str, Any] = {}
    for file in read_config_files():
        table = (file.values or {}).get(name, {})
        out = merge_tables(out, parameter_values(command, table, f"[{name}]", file.path))
    return out


def merge_tables(weaker: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Both, subcommands one by one."""
    out = dict(weaker)
    for key, value in stronger.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge_tables(out[key], value) if both else value
    return out


def parameter_values(command: Any, table: Any, where: str, path: Path) -> dict[str, Any]:
    """A table's values by parameter. Paths in a file are relative to its folder."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        unknown = [key for key in table if key not in inner or not isinstance(table[key], dict)]
        if unknown:
            raise UsageError(
                f"expected tables named as commands ({', '.join(inner)}) in {where} of {path}, got "
                f"{unknown[0]!r}"
            )
        return {
            key: parameter_values(inner[key], value, f"{where[:-1]}.{key}]", path)
            for key, value in table.items()
        }
    options, kinds = option_parameters(command), get_type_hints(inspect.unwrap(command.callback))
    out = {}
    for key, value in table.items():
        option = options.get(key.replace("_", "-"))
        if option is None:
            raise UsageError(
                f"expected options out of {', '.join(options)} in {where} of {path}, got {key!r}"
            )
        kind = kinds.get(option.name)
        is_path = isinstance(value, str) and Path in (kind, *get_args(kind))
        out[option.name] = str(path.parent / value) if is_path else value
    return out


def option_parameters(command: Any) -> dict[str, Any]:
    """A command's options by their long name without dashes; not --help."""
    return {
        opt.removeprefix("--"): parameter
        for parameter in command.params
        if getattr(parameter, "param_type_name", "") == "option"
        for opt in parameter.opts
        if opt.startswith("--") and opt != "--help"
    }


def describe_config() -> list[str]:
    """The settings in force as TOML, with the files they come from. Raises UsageError."""
    lines = ["# What the command line gives wins; a file further down wins over one above."]
    for file in read_config_files():
        lines += ["", f"# {file.path}" + ("" if file.values is not None else ": no such file")]
        for table, values in flat_tables(file.values or {}):
            lines.append(f"[{table}]")
            lines += [f"{key} = {toml_value(value)}" for key, value in values.items()]
    if len(lines) == 1:
        lines.append(f"# {VARIABLE} is empty: no file is read.")
    return lines


def flat_tables(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """(dotted name, own values) of each table that has any."""
    out = []
    for name, table in values.items():
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        inner = {key: value for key, value in table.items() if isinstance(value, dict)}
        if own:
            out.append((prefix + name, own))
        out += flat_tables(inner, f"{prefix}{name}.")
    return out


def toml_value(value: Any) -> str:
    """A plain value as TOML writes it."""
    import json

    if isinstance(value, bool | str | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
