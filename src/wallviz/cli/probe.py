"""``wallviz probe``: this machine, measured; ``wallviz probe compare``: two records side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wallviz import units
from wallviz.cli.shell import FACTS, CommandGroup, Debug, Json, Lang, say, say_json, table
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, labelled, qualified

if TYPE_CHECKING:
    from wallviz.machine.record import Comparison, Failure, Measured, Record

group = typer.Typer(cls=CommandGroup)
_OURS = {"timeout", "lost", "invalid", "busy"}
"""Reasons for exit code 1: the machine could be measured, and was not."""
_MOST_BYTES = 2**20
KERNELS = {
    "read": N_("read"),
    "write": N_("write"),
    "copy": N_("copy"),
    "scale": N_("scale"),
    "add": N_("add"),
    "triad": N_("triad"),
}
ORDERS = {"random": N_("anywhere"), "page": N_("page by page")}


@group.callback(invoke_without_command=True)
def probe(
    ctx: typer.Context,
    cpu: Annotated[bool, typer.Option("--cpu", help=N_("Measure the CPU (default)."))] = False,
    gpu: Annotated[str | None, typer.Option("--gpu", metavar="all|N", help=N_("Measure every GPU, or the one with this number."))] = None,
    path: Annotated[str | None, typer.Option("--path", metavar="cpu|wgpu|cuda", help=N_("Measure in this way."))] = None,
    quick: Annotated[bool, typer.Option("--quick", help=N_("Take about three seconds instead of eight."))] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help=N_("Write the record to a file."))] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Measures what was asked for, and says it."""
    if ctx.invoked_subcommand is not None:
        return
    from wallviz.machine.probe.run import measure, measure_gpus

    number = _number(gpu)
    if path == "cpu" and gpu is not None:
        raise InputError(N_("--path cpu measures no GPU: leave --gpu out, or choose --path wgpu or cuda"))
    _writable(output)
    records: list[Record] = []
    if cpu or (gpu is None and path in (None, "cpu")):
        with _bar() as show:
            records.append(measure("cpu", quick=quick, on_progress=show))
    if gpu == "all":
        with _bar() as show:
            records += measure_gpus(path, quick=quick, on_progress=show)
    elif gpu is not None or path not in (None, "cpu"):
        with _bar() as show:
            records.append(measure(path, gpu=number or 0, quick=quick, on_progress=show))
    if output:
        _write(output, records)
    if as_json:
        answers = [record.as_dict() for record in records]
        say_json(answers[0] if len(answers) == 1 else answers)
    else:
        say("\n\n".join(_told(record) for record in records))
    if any(not record.kernels and {error.reason for error in record.errors} & _OURS for record in records):
        raise typer.Exit(1)


@group.command("compare", help=N_("Two records side by side: two machines, or one before and after."))
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help=N_("A record that wallviz probe -o wrote."))],
    b: Annotated[Path, typer.Argument(metavar="B.json", help=N_("The record to hold against it."))],
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Says how the second record differs from the first."""
    from wallviz.machine.record import compare as side_by_side

    found = side_by_side(read_record(a), read_record(b))
    if as_json:
        say_json(found.as_dict())
    else:
        say(_compared(found))


# ------------------------------------------------------------------------------------------------------------------- files


def _number(gpu: str | None) -> int | None:
    if gpu is None or gpu == "all":
        return None
    if not (gpu.isascii() and gpu.isdigit() and len(gpu) < 4):
        raise InputError(N_("--gpu is {given}: write all, or a number such as 0"), given=gpu[:40])
    return int(gpu)


def _writable(output: Path | None) -> None:
    """Says before eight seconds are spent that the file cannot be written."""
    if output and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise InputError(N_("{file} cannot be written: name a file in a folder that exists"), file=output)


def _write(output: Path, records: Sequence[Record]) -> None:
    """One record to `output`; of several, each to a file named after it."""
    for number, record in enumerate(records):
        named = output if len(records) == 1 else output.with_stem(f"{output.stem}-{record.path}-{number}")
        try:
            named.write_text(record.as_json(), encoding="utf-8")
        except OSError as error:
            raise InputError(N_("{file} cannot be written: {error}"), file=named, error=error.strerror or error) from None
        if len(records) > 1:
            print(named, file=sys.stderr)


def read_record(file: Path) -> Record:
    """The record in `file`; raises InputError, one sentence, for a file that is none."""
    from wallviz.machine.record import read

    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(N_("{file} cannot be read: {error}"), file=file, error=error.strerror or error) from None
    try:
        return read(text)
    except InputError as error:
        raise InputError(N_("{file}: {error}"), file=file, error=error) from None


# ----------------------------------------------------------------------------------------------------------------- reading


@contextmanager
def _bar() -> Iterator[Callable[[float, str], None] | None]:
    """A progress bar on stderr, where somebody watches it."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(share: float, part: str) -> None:
        done = round(30 * share)
        print(f"\r{'█' * done}{'░' * (30 - done)} {share:4.0%} {part[:20]:<20}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)


def _told(record: Record) -> str:
    """A record as tables: what was measured, the kernels, the staircase, the latency, and what makes them doubtful."""
    from wallviz.machine.reasons import Flag

    found = record.device
    facts = [(_("device"), qualified(found.name or "–", found.backend or found.architecture))]
    if found.processors:
        facts.append((_("threads") if found.kind == "cpu" else _("processors"), str(record.threads or found.processors)))
    if found.caches:
        facts.append((_("caches"), qualified(*(f"L{cache.level} {units.binary(cache.bytes)}" for cache in found.caches))))
    if record.array_bytes and record.memory_limit_bytes:
        held = _("three arrays of {size}, {limit} in all at most")
        facts.append((_("main memory"), held.format(size=units.binary(record.array_bytes), limit=units.binary(record.memory_limit_bytes))))
    if record.headline:
        name, best = record.headline
        rate = units.si(best.best_bytes_per_s or 0.0, "B/s")
        if record.fraction is not None and record.theoretical_bytes_per_s:
            share = _("{share} of {peak}").format(share=units.percent(record.fraction), peak=units.si(record.theoretical_bytes_per_s, "B/s"))
            rate = qualified(rate, share)
        facts.append((_(KERNELS.get(name, name)), rate))
    for name, product in record.arithmetic.items():
        if product.best_flop_per_s:
            facts.append((_("matrix product, {format}").format(format=name.upper()), units.si(product.best_flop_per_s, "FLOP/s")))
    facts += [(_("note"), _(Flag(flag).sentence)) for flag in record.flags]
    facts += [(_("not measured"), _failed(error, record.path)) for error in record.errors]
    parts = [table(FACTS, facts, header=False)]
    if record.runs or record.kernels:
        parts.append(_rates(record))
    if record.transfers:
        parts.append(table(_columns(_("transfer")), (_row([name], each) for name, each in record.transfers.items())))
    if record.sweep:
        waits = {(step.bytes, step.order): step.seconds for step in record.latency}
        columns = [(_("working set"), "right"), (_("read"), "right"), *([(_(ORDERS[order]), "right") for order in ORDERS] if waits else [])]
        rows = (
            [
                units.binary(step.bytes),
                units.si(step.bytes_per_s, "B/s"),
                *([_seconds(waits.get((step.bytes, order))) for order in ORDERS] if waits else []),
            ]
            for step in record.sweep
        )
        parts.append(table(columns, rows))
    return "\n\n".join(parts)


def _failed(error: Failure, path: str) -> str:
    """Why a part was not measured, and what to do."""
    from wallviz.machine.reasons import Reason, explained

    said = explained(Reason(error.reason), extra={"cpu": "fast", "wgpu": "gpu", "cuda": "cuda"}.get(path, "all"))
    said = bracketed(said, error.detail) if error.detail else said
    return labelled(error.part, said) if error.part else said


def _columns(first: str) -> list[tuple[str, str]]:
    return [(first, "whole"), (_("best"), "right"), (_("median"), "right"), (_("quartiles apart"), "right"), (_("samples"), "right")]


def _row(first: Iterable[str], each: Measured) -> list[str]:
    figures = (each.best_bytes_per_s, each.median_bytes_per_s, each.iqr)
    return [*first, *("–" if value is None else units.si(value, "B/s") for value in figures), str(each.samples)]


def _rates(record: Record) -> str:
    """The kernels of every run; on the bus too, where lines are read before they are written."""
    runs = [(run.engine, run.threads, run.kernels) for run in record.runs] or [("", record.threads, record.kernels)]
    columns = [(_("engine"), "whole"), (_("threads"), "right"), *_columns(_("kernel")), (_("on the bus"), "right")]
    rows = (
        [
            *_row([engine, str(threads or "–"), _(KERNELS.get(name, name))], each),
            units.si(each.bus_bytes_per_s, "B/s") if each.bus_bytes_per_s else "–",
        ]
        for engine, threads, kernels in runs
        for name, each in kernels.items()
    )
    return table(columns, rows)


def _seconds(value: float | None) -> str:
    return "–" if value is None else units.si(value, "s")


def _compared(found: Comparison) -> str:
    def rows(named: Iterable[tuple[str, float | None, float | None, float | None]], unit: str) -> Iterator[list[str]]:
        for name, a, b, ratio in named:
            yield [name, *("–" if value is None else units.si(value, unit) for value in (a, b)), "–" if ratio is None else units.times(ratio)]

    a, b = found.a, found.b
    facts = [("A", qualified(a.device.name or "–", a.path, a.created)), ("B", qualified(b.device.name or "–", b.path, b.created))]
    parts = [table(FACTS, facts, header=False)]
    columns = [("A", "right"), ("B", "right"), ("B / A", "right")]
    if found.kernels:
        kernels = ((_(KERNELS.get(each.what, each.what)), each.a, each.b, each.ratio) for each in found.kernels)
        parts.append(table([(_("kernel"), "whole"), *columns], rows(kernels, "B/s")))
    if found.arithmetic:
        products = ((each.what.upper(), each.a, each.b, each.ratio) for each in found.arithmetic)
        parts.append(table([(_("matrix product"), "whole"), *columns], rows(products, "FLOP/s")))
    for title, series, unit in ((_("working set"), found.sweep, "B/s"), (_("latency at"), found.latency, "s")):
        if series:
            parts.append(
                table([(title, "right"), *columns], rows(((units.binary(n), each.a, each.b, each.ratio) for n, each in series.items()), unit))
            )
    return "\n\n".join(parts)
