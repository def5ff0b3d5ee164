"""The list of commands, and their modules, which are imported when a command is called.

`fesnet --help` shows the list in the order of work, and imports no command (ADR 0084).
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# Section -> command -> (module of fesnet.cli, what it does in a line of help).
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin": {
        "demo": ("demo", "Make a video with known expressions, spot it, show found beside truth."),
        "doctor": ("maintenance", "What is installed, what is missing for which command."),
        "models": ("maintenance", "The face models: fetch them, or take them from a file."),
        "config": ("maintenance", "Show the settings of fesnet.toml and where they come from."),
    },
    "Spot": {
        "spot": ("spot", "Find the expressions of videos; a folder of videos is a batch."),
        "live": ("spot", "Spot a camera or a stream while it happens."),
        "rethreshold": ("rethreshold", "Other thresholds on a stored result, without the network."),
    },
    "Look and hand on": {
        "report": ("report", "Write a page of a result: video, timeline, pictures."),
        "review": ("review", "Look and correct in the browser, on this machine."),
        "export": ("export", "Write files for ELAN, Praat, BORIS and others."),
        "import": ("export", "Read corrected expressions back: ELAN, Praat, BORIS, tables."),
        "summary": ("summary", "Tables, statistics and a page of a folder of results."),
        "score": ("score", "Compare two sets of intervals: F1, false alarms, kappa."),
    },
    "Research": {
        "data": ("data", "Data sets: what is in them; their faces prepared once."),
        "synth": ("synth", "Make labelled videos of face photos."),
        "train": ("train", "Train weights on synthetic video."),
        "tune-rules": ("tune_rules", "Choose and measure the interval rules of weights."),
        "benchmark": ("benchmark", "Methods against a data set, leave-one-subject-out."),
        "evaluate": ("evaluate", "Weights against graded nuisances, and against copies of clips."),
        "challenge": ("challenge", "Files of a challenge, from a folder of results."),
    },
}
# Commands that may load torch, whose MKL ends the process where the current folder was removed.
WITH_TORCH = ("doctor", "train", "benchmark", "evaluate")
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class LazyGroup(TyperGroup):
    """The top of the command line. A command's settings of fesnet.toml become its defaults."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All commands, in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, after its module was imported; None where there is none of that name."""
        from fesnet.cli.base import app

        if cmd_name not in self.commands and cmd_name in COMMANDS:
            import_module(f"fesnet.cli.{COMMANDS[cmd_name][0]}")
            built: Any = typer.main.get_command(app)
            self.commands.update(built.commands)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, with the settings of fesnet.toml as defaults. A near miss is suggested."""
        from fesnet.cli.base import NO_FOLDER, folder_is_gone
        from fesnet.cli.config_file import command_defaults
        from fesnet.errors import UsageError

        if args and args[0] in WITH_TORCH and folder_is_gone():
            raise UsageError(NO_FOLDER)
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            did = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}{did}")
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and "--help" not in rest:
            ctx.default_map = {name: command_defaults(name, command)}
        return name, command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands by section; their help is wrapped, never cut."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, words) for name, (_, words) in commands.items()])
