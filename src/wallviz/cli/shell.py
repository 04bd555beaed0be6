"""What every command shares: the language, the errors and their exit codes, and how an answer is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wallviz import i18n
from wallviz.errors import InputError, WallvizError
from wallviz.i18n import N_, _, bracketed, listing

LONGEST = 2000
"""Characters of a complaint: it repeats what was typed, which may have no end."""
WIDTH = 100
"""The widest table, in columns; a narrower terminal gets a narrower one."""
FACTS = (("", "whole"), ("", "left"))
"""Columns of a word and what there is to say about it."""

# ---------------------------------------------------------------------------------------------------- languages and errors


def _language(arguments: Sequence[str]) -> str:
    """The language to answer in: the last ``--lang`` of the call, else what the environment says."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    asked = [after for option, after in pairwise(options) if option == "--lang"]
    asked += [option.partition("=")[2] for option in options if option.startswith("--lang=")]
    if asked:
        return asked[-1].casefold()
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return i18n.from_locale(re.split(r"[.@]", locale)[0])


def speak(language: str | None) -> str | None:
    """Speaks the `language` of an option from here on."""
    if language is not None:
        if language.casefold() not in i18n.LANGUAGES:
            raise InputError(N_("no language is called {name}: choose from {choices}"), name=language, choices=", ".join(i18n.LANGUAGES))
        i18n.use(language.casefold())
    return language


def one_line(text: object) -> str:
    """`text` without line breaks and control characters, whatever was typed or stands in a file."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()


def _misuse(error: Any) -> str:
    """What the parser found wrong with the call, and where to read more."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "wallviz"
    if option := getattr(error, "option_name", "") if getattr(error, "possibilities", 0) != 0 else "":
        near = listing(error.possibilities or ())
        problem = _("there is no option {option}").format(option=option)
        problem = bracketed(problem, _("{options}?").format(options=near)) if near else problem
    elif hasattr(error, "param_type"):
        problem = _("{name} is missing").format(name=error.param.metavar or error.param.name.upper())
    elif option := getattr(error, "option_name", ""):
        problem = _("{option} needs a value").format(option=option)
    else:
        problem = error.format_message().rstrip(".")
    return _("{problem}: see {command} --help").format(problem=problem, command=command)


class CommandGroup(TyperGroup):
    """Commands under one name: an unknown one is told in one line, with those that there are."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command called `args[0]`, or InputError."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise InputError(N_("no command is called {name}: choose from {choices}"), name=args[0], choices=", ".join(self.commands))
        return super().resolve_command(ctx, args)


class Commands(CommandGroup):
    """All commands, with the promise of the exit codes and of one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs one call in its language, and ends the process with the exit code."""
        arguments = list(sys.argv[1:] if args is None else args)
        before = i18n.language()
        i18n.use(_language(arguments))
        try:
            _translate(self)
            code = self._answer(arguments, prog_name, debug="--debug" in arguments, **extra)
        finally:
            i18n.use(before)
        if standalone_mode:
            sys.exit(code)
        return code

    def _answer(self, arguments: list[str], prog_name: str | None, *, debug: bool, **extra: Any) -> int:
        """Runs the command; returns its exit code."""
        try:
            code = super().main(args=arguments, prog_name=prog_name, standalone_mode=False, **extra)
        except InputError as error:
            return _complain(error, 2)
        except WallvizError as error:
            return _complain(error, 1)
        except typer.Abort:
            return 130
        except Exception as error:
            if hasattr(error, "format_message"):  # what typer raises for a call that it cannot parse
                return _complain(_misuse(error), 2)
            if debug:
                traceback.print_exc()
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return _complain(_("failed unexpectedly ({error}): run it again with --debug to see where").format(error=said), 1)
        return code if isinstance(code, int) else 0


def _translate(command: Any) -> None:
    """Every help text of `command` and what it holds in the language in use; typer makes the commands anew for each call."""
    described: list[Any] = [command, *command.params]
    for each in described:
        if text := getattr(each, "help", None):
            each.help = _(text)
            if isinstance(default := getattr(each, "show_default", None), str):  # typer says it in English
                each.help, each.show_default = _("{help} (default: {default}).").format(help=each.help.rstrip(".。"), default=default), False
    for inner in getattr(command, "commands", {}).values():
        _translate(inner)


def _complain(error: object, code: int) -> int:
    said = one_line(error)
    print(f"wallviz: {said if len(said) <= LONGEST else said[:LONGEST] + '…'}", file=sys.stderr)
    return code


# ------------------------------------------------------------------------------------------------------------------ output


def say(text: str) -> None:
    """Prints `text` in what the terminal can show, and is content when nobody reads to the end."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "replace").decode(encoding), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        raise typer.Exit(0) from None


def say_json(answer: object) -> None:
    """Prints `answer` as one JSON document; what is not a finite number is null."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not isfinite(value) else value

    unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    say(json.dumps(plain(answer), ensure_ascii=not unicode, indent=2, allow_nan=False))


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, header: bool = True) -> str:
    """`rows` under `columns`, each a title and ``left``, ``right`` or ``whole`` (left, never broken): plain text, no markup read."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    laid_out = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)
    for title, kind in columns:
        laid_out.add_column(Text(title), justify="right" if kind == "right" else "left", no_wrap=kind != "left", overflow="fold")
    for row in rows:
        laid_out.add_row(*(Text(one_line(cell)) for cell in row))
    width = max(40, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(laid_out)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------------------------- options of every command

# Read before the call is parsed, so that a mistake in the call is told in the right language; declared to be accepted and listed.
Lang = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help=N_("The language of the answer."), callback=speak)]
Debug = Annotated[bool, typer.Option("--debug", help=N_("Show where wallviz failed, if it fails."))]
Json = Annotated[bool, typer.Option("--json", help=N_("Print one JSON document and nothing else."))]


def ask_for_one(ctx: typer.Context) -> None:
    """Raises InputError where a group is called without one of its commands."""
    if ctx.invoked_subcommand is None:
        choices = ", ".join(ctx.command.commands)  # type: ignore[attr-defined]
        raise InputError(N_("say what to do: {choices}; see {command} --help"), choices=choices, command=ctx.command_path)
