"""The command line: the answers of the pages, as a table or, with ``--json``, as one JSON document.

Exit 0: answered. 2: the input is wrong, and one line on stderr says what, where and what to do. 1: wallviz itself, or its data, is at fault.
What a command does not need it does not import: neither Streamlit nor Plotly nor pandas to answer, and no table layout for JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import wallviz
from wallviz import catalog, growth, i18n, units
from wallviz.errors import InputError, WallvizError
from wallviz.growth import Point, Refit
from wallviz.i18n import N_, _

WIDTH = 100
"""The widest table, in columns; a narrower terminal gets a narrower one."""

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


def _speak(language: str | None) -> str | None:
    """Speaks the `language` of an option from here on."""
    if language is not None:
        if language.casefold() not in i18n.LANGUAGES:
            raise InputError(N_("no language is called {name}: choose from {choices}"), name=language, choices=", ".join(i18n.LANGUAGES))
        i18n.use(language.casefold())
    return language


def _one_line(text: object) -> str:
    """`text` without line breaks and control characters, whatever was typed or stands in a file."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()


def _misuse(error: Any) -> str:
    """What the parser found wrong with the call, and where to read more."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "wallviz"
    if option := getattr(error, "option_name", "") if getattr(error, "possibilities", 0) != 0 else "":
        near = ", ".join(error.possibilities or ())
        problem = _("there is no option {option}").format(option=option) + (f" ({near}?)" if near else "")
    else:
        problem = error.format_message().rstrip(".")
    return _("{problem}: see {command} --help").format(problem=problem, command=command)


class _Commands(TyperGroup):
    """The commands, with the promise of the exit codes and of one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        before = i18n.language()
        i18n.use(_language(arguments))
        try:
            self._translate()
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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise InputError(N_("no command is called {name}: choose from {choices}"), name=args[0], choices=", ".join(self.commands))
        return super().resolve_command(ctx, args)

    def _translate(self) -> None:
        """Every help text in the language in use; typer makes the commands anew for each call."""
        for command in (self, *self.commands.values()):
            described: list[Any] = [command, *command.params]
            for each in described:
                if text := getattr(each, "help", None):
                    each.help = _(text)


def _complain(error: object, code: int) -> int:
    print(f"wallviz: {_one_line(error)}", file=sys.stderr)
    return code


# ------------------------------------------------------------------------------------------------------------------ output


def _say(text: str) -> None:
    """Prints `text` in what the terminal can show, and is content when nobody reads to the end."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "replace").decode(encoding), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        raise typer.Exit(0) from None


def _say_json(answer: object) -> None:
    """Prints `answer` as one JSON document; what is not a finite number is null."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and not isfinite(value) else value

    unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    _say(json.dumps(plain(answer), ensure_ascii=not unicode, indent=2, allow_nan=False))


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, header: bool = True) -> str:
    """`rows` under `columns`, each a title and ``left``, ``right`` or ``whole`` (left, never broken): plain text, no markup read."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)
    for title, kind in columns:
        table.add_column(Text(title), justify="right" if kind == "right" else "left", no_wrap=kind != "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_one_line(cell)) for cell in row))
    width = max(40, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------------------------- commands

app = typer.Typer(
    cls=_Commands,
    name="wallviz",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Read before the call is parsed, so that a mistake in the call is told in the right language; declared to be accepted and listed.
Lang = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help=N_("The language of the answer."), callback=_speak)]
Debug = Annotated[bool, typer.Option("--debug", help=N_("Show where wallviz failed, if it fails."))]
Json = Annotated[bool, typer.Option("--json", help=N_("Print one JSON document and nothing else."))]


def _version(*, asked: bool) -> None:
    if asked:
        _say(f"wallviz {wallviz.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=N_("AI's memory wall in numbers that can be checked."))
def _wallviz(
    ctx: typer.Context,
    lang: Lang = None,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help=N_("Print the version."), callback=lambda value: _version(asked=value))
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        raise InputError(N_("say what to do: {choices}; see wallviz --help"), choices=", ".join(ctx.command.commands))  # type: ignore[attr-defined]


@app.command("growth", help=N_("List the published growth claims, or refit one on the points you keep."))
def _growth(
    claim: Annotated[str | None, typer.Argument(metavar="CLAIM_ID", help=N_("A claim's id, or the beginning of one only."))] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="POINT", help=N_("Leave out a point, by id or whole name; may be repeated."))
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help=N_("Only points from this day on, YYYY-MM-DD."))] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help=N_("Only points up to this day, YYYY-MM-DD."))] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="ols|theil-sen", help=N_("Least squares (default), or the median slope."))] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", metavar="t|bootstrap|rank", help=N_("The 95 % interval: t (default) or bootstrap for ols, rank for theil-sen.")),
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    claims = catalog.claims()
    if claim is None:
        given = {"--exclude": exclude, "--since": since, "--until": until, "--method": method, "--interval": interval}
        if narrowing := [option for option, value in given.items() if value]:
            raise InputError(N_("{option} needs a claim: write wallviz growth CLAIM_ID {option} ..."), option=narrowing[0])
        fits = [growth.refit(each) for each in claims.values()]
        if as_json:
            _say_json([_listed(each) for each in fits])
        else:
            _say(_listing(fits))
        return
    fitted = growth.refit(
        catalog.find(claim, claims, "claim"), exclude=exclude or (), since=since, until=until, method=method or "ols", interval=interval
    )
    if as_json:
        answer = fitted.as_dict()
        _say_json(answer if fitted.trend else answer | {"reason": _(fitted.reason)})
    else:
        _say(_refitted(fitted))


@app.command(
    "run", help=N_("Start the dashboard. What stands after -- goes to streamlit run: wallviz run --port 8600 -- --server.baseUrlPath=wallviz")
)
def _run(
    extra: Annotated[list[str] | None, typer.Argument(metavar="-- OPTIONS", help=N_("Options of streamlit run."))] = None,
    port: Annotated[str | None, typer.Option("--port", metavar="N", help=N_("The port to serve on; Streamlit takes 8501."))] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="H", help=N_("The address to serve on; Streamlit serves on all."))] = None,
    headless: Annotated[bool | None, typer.Option("--headless/--no-headless", help=N_("Open no browser, or open one."))] = None,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    if port is not None and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise InputError(N_("{option} must lie between {low} and {high}: got {value}"), option="--port", low=1, high=65535, value=port)
    if extra and not extra[0].startswith("-"):
        raise InputError(N_("{value} is no option: write wallviz run -- --option=value for options of streamlit run"), value=extra[0])
    # -P: whatever lies in the current directory is not imported in place of a package.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(_dashboard())]
    command += [f"--server.port={port}"] if port is not None else []
    command += [f"--server.address={host}"] if host else []
    command += [f"--server.headless={str(headless).lower()}"] if headless is not None else []
    _become([*command, *(extra or ())])


@app.command(
    "check-data",
    help=N_("Check the data against their codebook: exit 0 where all is well, 1 with a line for each problem."),
)
def _check_data(
    directory: Annotated[Path | None, typer.Argument(metavar="DIRECTORY", help=N_("Another data directory than the shipped one."))] = None,
    write_checksums: Annotated[
        bool, typer.Option("--write-checksums", help=N_("First write checksum and rows of every table into sources.yml."))
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    if directory is not None and not directory.is_dir():
        raise InputError(N_("there is no directory {name}: name one that holds sources.yml and its tables"), name=directory)
    where = directory or catalog.DATA
    written = catalog.write_checksums(where) if write_checksums and (where / "sources.yml").is_file() else []
    problems = [_one_line(problem) for problem in catalog.check(where)]
    tables, rows, sources = catalog.extent(where)
    if as_json:
        answer: dict[str, object] = {"ok": not problems, "problems": problems, "tables": tables, "rows": rows}
        _say_json(answer | {"written": written} if write_checksums else answer)
    else:
        lines = [_("written: {file}").format(file=file) for file in written]
        lines += problems or [_("ok: {tables} tables, {rows} rows, {sources} sources").format(tables=tables, rows=rows, sources=sources)]
        _say("\n".join(lines))
    if problems:
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------------------------------ growth


def _listed(fitted: Refit) -> dict[str, object]:
    """A claim in the list: the answer of `growth CLAIM_ID`, and what the claim is."""
    claim, answer = fitted.claim, fitted.as_dict()
    del answer["claim_id"], answer["excluded"]
    if fitted.reason:
        answer["reason"] = _(fitted.reason)
    about = {"id": claim.id, "what": _(claim.what), "quantity": claim.quantity, "edition": claim.edition or None, "producer": claim.producer}
    return about | answer | {"note": _(claim.note) or None, "source": claim.source.split(";")}


def _listing(fits: Sequence[Refit]) -> str:
    notes = [_(each.reason or each.claim.note) for each in fits]
    repeated = list(dict.fromkeys(note for note in notes if note and notes.count(note) > 1))
    mark = {note: f"[{number}]" for number, note in enumerate(repeated, start=1)}
    columns = (
        (_("claim"), "whole"), (_("what"), "left"), (_("published"), "right"), (_("refit"), "right"), ("n", "right"), (_("note"), "left"),
    )  # fmt: skip
    rows = (
        (
            each.claim_id,
            _(each.claim.what),
            f"{units.claimed(each.published_multiplier)} / {_years(each.period_years)}",
            units.times(each.refit_multiplier) if each.refit_multiplier is not None else "–",
            str(each.n) if each.n else "–",
            mark.get(note, note),
        )
        for each, note in zip(fits, notes, strict=True)
    )
    return "\n".join([_table(columns, rows), "", *(f"{number} {note}" for note, number in mark.items())])


def _refitted(fitted: Refit) -> str:
    """A claim beside its refit, and below it what each point is and what the refit is without it."""
    claim = fitted.claim
    published = f"{units.claimed(claim.multiplier)} / {_years(claim.period_years)}"
    edition = _("edition {year}").format(year=claim.edition) if claim.edition else ""
    facts = [
        (_("claim"), f"{claim.id}: {_(claim.what)}"),
        (_("published"), f"{published} ({', '.join(part for part in (claim.producer, edition) if part)})"),
    ]
    trend = fitted.trend
    if trend is None:
        facts.append((_("refit"), "– " + _(fitted.reason)))
    else:
        low, high = trend.multiplier_interval(claim.period_years)
        facts += [
            (_("refit"), f"{units.times(trend.multiplier(claim.period_years))} / {_years(claim.period_years)}, {_rate(trend.doubling_years)}"),
            (_("interval"), f"95 %: {units.times(low)} – {units.times(high)} ({trend.interval})"),
            (_("fit"), f"{trend.method}, n = {trend.n}, R² = {trend.r_squared:.3f}, {trend.first.isoformat()} – {trend.last.isoformat()}"),
        ]
    if claim.note:
        facts.append((_("note"), _(claim.note)))
    text = _table((("", "whole"), ("", "left")), facts, header=False)
    return f"{text}\n\n{_points(fitted)}" if trend else text


def _points(fitted: Refit) -> str:
    claim, trend = fitted.claim, fitted.trend
    method = trend.method if trend else "ols"
    without = {each.point.id: each.multiplier_without for each in growth.influence(fitted.points, method=method, period_years=claim.period_years)}
    names = [point.name for point in claim.points]

    def effect(point: Point) -> str:
        if point.id not in without:
            return _("left out")
        multiplier = without[point.id]
        return "–" if multiplier is None else units.times(multiplier)

    return _table(
        ((_("date"), "whole"), (_("point"), "left"), (_("value"), "right"), (_("refit without it"), "right"), (_("what it is"), "left")),
        (
            (
                point.date.isoformat(),
                point.name if names.count(point.name) == 1 else f"{point.name}: {point.id}",  # what --exclude needs to take this one alone
                units.count(point.value) if point.unit == "parameters" else units.si(point.value, point.unit),
                effect(point),
                _what(point),
            )
            for point in claim.points
        ),
    )


def _what(point: Point) -> str:
    told = point.identified or "inferred" in point.note or "unidentified" in point.note
    inferred = "" if told else _("device inferred from date and value")
    return ", ".join(part for part in (point.group, point.precision, inferred, _(point.note).rstrip(".。")) if part)


def _years(years: float) -> str:
    return _("{n} y").format(n=f"{years:g}")


def _rate(doubling_years: float) -> str:
    """Growth in words: "doubles every 15 months"."""
    if not abs(doubling_years) < 200:
        return _("does not grow")
    every = abs(doubling_years)
    time = _("{n} months").format(n=units.significant(every * 12, 2)) if every < 2 else _("{n} years").format(n=units.significant(every, 2))
    return (_("doubles every {time}") if doubling_years > 0 else _("halves every {time}")).format(time=time)


# --------------------------------------------------------------------------------------------------------------------- run


def _dashboard() -> Path:
    """``app.py`` of the installed dashboard, else of the checkout that this package stands in."""
    package = Path(wallviz.__file__).resolve().parent
    for folder in (package / "_app", package.parents[1]):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder / "app.py"
    raise WallvizError(N_("this installation has no dashboard: install the wheel of wallviz, or run it from a checkout"))


def _become(command: list[str]) -> None:
    """Runs `command` in the place of this process, so that Ctrl-C and its exit code are its own."""
    if os.name == "posix":
        os.execv(command[0], command)
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


# -------------------------------------------------------------------------------------------------------------- check-data
