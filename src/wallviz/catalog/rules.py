"""Every file of ``data/`` against the dataclasses of its rows, and what no row can say by itself: ``wallviz check-data``."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import Any

from wallviz.catalog.cells import Column, columns
from wallviz.catalog.files import CONFIGS, DATA, load_index, read_config, read_lines
from wallviz.catalog.read import read
from wallviz.catalog.rows import PRINTED_UNITS, ROWS, edition
from wallviz.engine.transformer import architecture
from wallviz.errors import DataError, InputError
from wallviz.i18n import N_, _

#: Line number and row of each line of a table.
Rows = Sequence[tuple[int, Any]]


def _digest(path: Path) -> str:
    """Checksum that is the same whatever line ends a checkout writes."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _count(path: Path) -> int:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return max(0, sum(1 for _row in csv.reader(file)) - 1)


@dataclass(slots=True)
class _Problems:
    """Sentences about one file, ``file:line: what is wrong, and what to do``."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, template: str, **values: object) -> None:
        self.found.append((line, f"{self.file}:{line}: " + _(template).format(**values)))

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        return [sentence for _line, sentence in self.found]


def check(directory: Path | None = None) -> list[str]:
    """Every broken rule of the codebook, a sentence each, with file, line and what to do; an empty list means all is well."""
    directory = directory or DATA
    try:
        index = load_index(directory)
    except DataError as error:
        return [str(error)]
    known, found = _check_sources(index.sources)
    for file in sorted({path.name for path in directory.glob("*.csv")} | {f"{name}.csv" for name in ROWS} | set(index.tables)):
        problems = _Problems(file)
        path, row = directory / file, ROWS.get(file.removesuffix(".csv"))
        if not path.exists():
            problems.add(1, N_("the file is missing: restore it or take it out of sources.yml"))
        elif row is None:
            problems.add(1, N_("the file has no schema: write a dataclass of its rows and add it to ROWS in catalog/rows.py"))
        else:
            _check_table(path, row, known, problems)
            _check_entry(path, index.tables.get(file), known, problems)
        found += problems.sentences
    return found or _check_across(directory)


def _check_sources(entries: list[Any]) -> tuple[frozenset[str], list[str]]:
    """The ids of ``sources.yml``, and what is wrong with its entries."""
    problems = _Problems("sources.yml")
    ids: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        name = str(entry.get("id") or f"#{number}") if isinstance(entry, dict) else f"#{number}"
        missing = [key for key in ("id", "title", "producer", "licence", "citation") if not isinstance(entry, dict) or not entry.get(key)]
        if missing:
            problems.add(1, N_("source {name} lacks {keys}: add them"), name=name, keys=", ".join(missing))
        if name in ids:
            problems.add(1, N_("source {name} comes twice: give each its own id"), name=name)
        url = str(entry.get("url") or "") if isinstance(entry, dict) else ""
        if url and not url.startswith("https://"):
            problems.add(1, N_("source {name} has the address {url}: write it as https://..."), name=name, url=url)
        ids.add(name)
    return frozenset(ids), problems.sentences


def _check_entry(path: Path, entry: object, known: frozenset[str], problems: _Problems) -> None:
    """The table's entry in ``sources.yml`` against the file."""
    if not isinstance(entry, dict):
        problems.add(1, N_("the file is not listed under tables in sources.yml: add it"))
        return
    for source in entry.get("sources") or ():
        if source not in known:
            problems.add(1, N_("sources.yml names the unknown source {source} for this table: add the source or correct the id"), source=source)
    rows = _count(path)
    if entry.get("rows") != rows:
        problems.add(
            1,
            N_("the file has {rows} rows, sources.yml says {listed}: run wallviz check-data --write-checksums after a deliberate change"),
            rows=rows,
            listed=entry.get("rows"),
        )
    elif entry.get("sha256") != _digest(path):
        problems.add(1, N_("the checksum differs from sources.yml: run wallviz check-data --write-checksums after a deliberate change"))


def _check_table(path: Path, row: type, known: frozenset[str], problems: _Problems) -> None:
    """Header and cells of one file against the dataclass of its rows, a column at a time."""
    try:
        lines = read_lines(path)
    except UnicodeDecodeError as error:
        problems.add(1, N_("byte {position} is not UTF-8: save the file as UTF-8"), position=error.start)
        return
    table, header = columns(row), lines[0][1] if lines else []
    missing, unknown = [name for name in table if name not in header], [name for name in header if name not in table]
    if missing:
        problems.add(1, N_("columns are missing: {names}; add them"), names=", ".join(missing))
    if unknown:
        problems.add(
            1, N_("unknown columns: {names}; remove them or make them fields of {row} in catalog/rows.py"), names=", ".join(unknown), row=row.__name__
        )
    if missing or unknown:
        return
    whole = []
    for line, cells in lines[1:]:
        if len(cells) == len(header):
            whole.append((line, cells))
        else:
            problems.add(line, N_("the row has {found} cells, the header {wanted}: check commas and quotes"), found=len(cells), wanted=len(header))
    for place, name in enumerate(header):
        _check_column(table[name], [(line, cells[place]) for line, cells in whole], known, problems)
    problems.found.sort(key=lambda problem: problem[0])


def _check_column(column: Column, cells: list[tuple[int, str]], known: frozenset[str], problems: _Problems) -> None:
    """One column of one file."""
    if not column.sound([cell for _line, cell in cells]):
        for line, cell in cells:
            if problem := column.problem(cell):
                problems.add(line, problem.template, **problem.values)
    first: dict[str, int] = {}
    for line, cell in cells if column.unique else ():
        if cell and first.setdefault(cell, line) != line:
            problems.add(
                line, N_("{column} {value} stands in line {first} already: give each row its own"), column=column.name, value=cell, first=first[cell]
            )
    for line, cell in cells if column.of == "sources" else ():
        for source in column.entries(cell):
            if source not in known:
                problems.add(line, N_("source {source} is not in sources.yml: add it or correct the id"), source=source)


def _check_across(directory: Path) -> list[str]:
    """Rules that span columns, rows or files; run once every file is sound by itself."""
    rows = {name: list(read(name, directory)) for name in ROWS}
    found: list[str] = []
    for name in ROWS:
        problems = _Problems(f"{name}.csv")
        _check_references(name, rows, problems)
        match name:
            case "chips":
                _check_chip_names(rows[name], problems)
                _check_labels(rows[name], problems)
            case "accelerator_memory":
                _check_labels(rows[name], problems)
            case "cases" | "roofline_cases" | "scaling_cases":
                _check_cases(rows[name], problems)
            case "claims":
                _check_claims(rows, problems)
            case "levels":
                _check_levels(rows[name], problems)
            case "links":
                _check_links(rows[name], problems)
            case "presets":
                _check_presets(rows[name], directory, problems)
        found += problems.sentences
    return found


def _check_references(name: str, rows: Mapping[str, Rows], problems: _Problems) -> None:
    """A chip or preset that a row names is one of the catalog's."""
    for column in columns(ROWS[name]).values():
        if column.of in rows:
            known = {"", *(row.id for _line, row in rows[column.of])}
            for line, row in rows[name]:
                if (id := getattr(row, column.field)) not in known:
                    problems.add(
                        line,
                        N_("{column} {id} is not in {table}.csv: correct it or leave it empty"),
                        column=column.name,
                        id=id,
                        table=column.of,
                    )


def _check_claims(rows: Mapping[str, Rows], problems: _Problems) -> None:
    """A claim has points where it says, or says why it has none."""
    for line, claim in rows["claims"]:
        table, column = claim.points_table, claim.points_column
        if bool(table) == bool(claim.no_points_reason):
            problems.add(line, N_("a claim names its points or says why it has none: fill points_table or no_points_reason, not both"))
        elif table and column not in columns(ROWS[table]):
            problems.add(line, N_("points_column {column} is no column of {table}.csv: correct it"), column=column, table=table)
        elif table and not any(
            claim.points_dataset == edition(row) and claim.points_series in ("", getattr(row, "series", "")) and getattr(row, column)
            for _line, row in rows[table]
        ):
            problems.add(line, N_("{table}.csv has no points for this claim: correct points_dataset, points_series or points_column"), table=table)


def _check_presets(rows: Rows, directory: Path, problems: _Problems) -> None:
    """Every preset has its config, the counts are what the reader makes of it, the smallest stands first, and no config is left over."""
    unused = {path.name for path in (directory / CONFIGS).glob("*")}
    last = 0
    for line, row in rows:
        unused.discard(row.config)
        try:
            dt.date.fromisoformat((row.date + "-01-01")[:10])
        except ValueError:
            column = columns(ROWS["presets"])["date"]
            problems.add(line, column.sentence, column=column.name, value=row.date)
        if row.config != f"{row.id}.json":
            problems.add(line, N_("config must be {wanted}, not {file}: name it after the id"), wanted=f"{row.id}.json", file=row.config)
            continue
        try:
            found = architecture(read_config(directory / CONFIGS / row.config))
        except InputError as error:
            problems.add(line, N_("{file}: {problem}"), file=f"{CONFIGS}/{row.config}", problem=error)
            continue
        if (row.parameters, row.active_parameters) != (found.parameters, found.active_parameters):
            problems.add(
                line,
                N_("{file} has {parameters} parameters, {active} of them active, the row says {stated}: correct one of them"),
                file=f"{CONFIGS}/{row.config}",
                parameters=found.parameters,
                active=found.active_parameters,
                stated=f"{row.parameters} / {row.active_parameters}",
            )
        if row.parameters < last:
            problems.add(line, N_("{id} has fewer parameters than the row above: the smallest model stands first"), id=row.id)
        last = row.parameters
    for name in sorted(unused):
        problems.add(1, N_("{file} belongs to no row: add one or remove the file"), file=f"{CONFIGS}/{name}")


def _check_chip_names(rows: Rows, problems: _Problems) -> None:
    """Id, name and aliases of all chips: no two rows answer to the same word."""
    owner: dict[str, str] = {}
    for line, row in rows:
        for handle in sorted({name.casefold() for name in (row.id, row.name, *row.aliases)}):
            other = owner.setdefault(handle, row.id)
            if other != row.id:
                problems.add(line, N_("“{name}” also means {other}: an id, name or alias belongs to one row"), name=handle, other=other)


def _check_labels(rows: Rows, problems: _Problems) -> None:
    """The bytes of a memory are its printed GB times 10**9."""
    for line, row in rows:
        label, size = row.memory_gb_label, row.memory_bytes
        printed = re.fullmatch(r"([0-9.]+) GB", label)
        if bool(label) != bool(size) or (label and (not printed or not isclose(float(printed[1]) * 1e9, size, rel_tol=1e-9))):
            problems.add(
                line,
                N_("memory_bytes {size} does not match the label {label}: write the printed GB times 1e9"),
                size=f"{size:.12g}" if size else "–",
                label=label or "–",
            )


def _check_cases(rows: Rows, problems: _Problems) -> None:
    """The expected value of a case is what its origin prints, in base units, and has one tolerance at most."""
    for line, row in rows:
        unit, factors = PRINTED_UNITS[row.printed_unit]
        if row.unit != unit or not any(isclose(row.printed * factor, row.expected, rel_tol=1e-9) for factor in factors):
            problems.add(
                line,
                N_("expected {expected} {unit} is not the printed {printed} {printed_unit}: write the printed value in base units"),
                expected=f"{row.expected:.12g}",
                unit=row.unit,
                printed=f"{row.printed:.12g}",
                printed_unit=row.printed_unit,
            )
        if row.relative_tolerance and row.absolute_tolerance:
            problems.add(line, N_("a case has a relative or an absolute tolerance, not both: write 0 for the other"))


def _check_levels(rows: Rows, problems: _Problems) -> None:
    """A level has at least one figure, and its latency and energy say where they come from."""
    for line, row in rows:
        energy = row.energy_j_per_byte or row.energy_j_per_operation or row.energy_per_mac
        if not (row.capacity_bytes or row.bytes_per_s or row.latency_s or energy):
            problems.add(line, N_("{id} has no figure: fill one or remove the row"), id=row.id)
        for column, kind, figure in (("latency_kind", row.latency_kind, row.latency_s), ("energy_kind", row.energy_kind, energy)):
            if bool(kind) != bool(figure):
                problems.add(line, N_("{column} goes with its figure: fill both or neither"), column=column)


def _check_links(rows: Rows, problems: _Problems) -> None:
    """Both ways are twice one way, or the same where both share the wires."""
    for line, row in rows:
        ratio = row.bytes_per_s_bidir / row.bytes_per_s
        if not (isclose(ratio, 2, rel_tol=1e-9) or isclose(ratio, 1, rel_tol=1e-9)):
            problems.add(line, N_("{id} has {ratio:.3g} times the bandwidth both ways: write twice that of one way"), id=row.id, ratio=ratio)


def write_checksums(directory: Path | None = None) -> list[str]:
    """Writes sha256 and rows of every table into ``sources.yml``; returns the files whose entry changed. Nothing else is touched."""
    directory = directory or DATA
    path = directory / "sources.yml"
    text = path.read_text(encoding="utf-8")
    changed = []
    for file in sorted(item.name for item in directory.glob("*.csv")):
        entry = re.compile(rf'(?m)^(  {re.escape(file)}:\n    sha256: )"?[0-9a-f]*"?(\n    rows: )\d*$')
        if not entry.search(text):
            raise DataError(N_("{file} has no entry under tables in sources.yml: add one with sha256 and rows as its first lines"), file=file)
        before = text
        text = entry.sub(rf'\g<1>"{_digest(directory / file)}"\g<2>{_count(directory / file)}', text)
        if text != before:
            changed.append(file)
    path.write_text(text, encoding="utf-8", newline="\n")
    return changed


def extent(directory: Path) -> tuple[int | None, int | None, int | None]:
    """How many tables, rows and sources ``sources.yml`` lists; None where it cannot be read."""
    try:
        index = load_index(directory)
    except DataError:
        return None, None, None
    entries: list[object] = list(index.tables.values())  # as somebody wrote them
    rows = [entry.get("rows") for entry in entries if isinstance(entry, dict)]
    return len(index.tables), sum(count for count in rows if isinstance(count, int)), len(index.sources)
