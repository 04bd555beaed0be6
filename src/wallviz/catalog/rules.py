"""Every file of ``data/`` against its schema: ``wallviz check-data``."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from wallviz.catalog.files import CONFIGS, DATA, Row, load_index, parts, read_config, read_table
from wallviz.catalog.schema import PRINTED_UNITS, SCHEMAS, Column
from wallviz.engine.transformer import architecture
from wallviz.errors import DataError, InputError
from wallviz.i18n import N_, _


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
    found: list[str] = field(default_factory=list)

    def add(self, line: int, template: str, **values: object) -> None:
        self.found.append(f"{self.file}:{line}: " + _(template).format(**values))


def check(directory: Path | None = None) -> list[str]:
    """Every broken rule of the codebook, a sentence each, with file, line and what to do; an empty list means all is well."""
    directory = directory or DATA
    try:
        index = load_index(directory)
    except DataError as error:
        return [str(error)]
    known, found = _check_sources(index.sources)
    for file in sorted({path.name for path in directory.glob("*.csv")} | {f"{name}.csv" for name in SCHEMAS} | set(index.tables)):
        problems = _Problems(file)
        path, schema = directory / file, SCHEMAS.get(file.removesuffix(".csv"))
        if not path.exists():
            problems.add(1, N_("the file is missing: restore it or take it out of sources.yml"))
        elif schema is None:
            problems.add(1, N_("the file has no schema: describe its columns in SCHEMAS of catalog/schema.py"))
        else:
            _check_table(path, schema, known, problems)
            _check_entry(path, index.tables.get(file), known, problems)
        found += problems.found
    return found if found else _check_across(directory)


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
    return frozenset(ids), problems.found


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


def _check_table(path: Path, schema: Mapping[str, Column], known: frozenset[str], problems: _Problems) -> None:
    """Header and cells of one file against its schema."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader]
    except UnicodeDecodeError as error:
        problems.add(1, N_("byte {position} is not UTF-8: save the file as UTF-8"), position=error.start)
        return
    header = lines[0][1] if lines else []
    missing, unknown = [name for name in schema if name not in header], [name for name in header if name not in schema]
    if missing:
        problems.add(1, N_("columns are missing: {names}; add them"), names=", ".join(missing))
    if unknown:
        problems.add(1, N_("unknown columns: {names}; remove them or describe them in SCHEMAS of catalog/schema.py"), names=", ".join(unknown))
    if missing or unknown:
        return
    seen: dict[str, dict[str, int]] = {name: {} for name, rule in schema.items() if rule.unique}
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            problems.add(line, N_("the row has {found} cells, the header {wanted}: check commas and quotes"), found=len(cells), wanted=len(header))
            continue
        for name, cell in zip(header, cells, strict=True):
            _check_cell(line, name, cell, schema, known, problems)
            if name in seen and cell:
                first = seen[name].setdefault(cell, line)
                if first != line:
                    problems.add(
                        line, N_("{column} {value} stands in line {first} already: give each row its own"), column=name, value=cell, first=first
                    )


def _check_cell(line: int, name: str, cell: str, schema: Mapping[str, Column], known: frozenset[str], problems: _Problems) -> None:
    """One cell against the rule of its column."""
    rule = schema[name]
    if cell != cell.strip() or "\n" in cell:
        problems.add(line, N_("{column} has spaces around it or a line break in it: remove them"), column=name)
    elif not cell:
        if rule.required:
            problems.add(line, N_("{column} is empty: every row needs one"), column=name)
    elif rule.type == "source":
        for source in parts(cell):
            if source not in known:
                problems.add(line, N_("source {source} is not in sources.yml: add it or correct the id"), source=source)
    elif rule.type in ("number", "integer", "year"):
        _check_number(line, name, cell, rule, problems)
    elif rule.type == "json":
        try:
            if not isinstance(json.loads(cell), dict):
                raise ValueError
        except ValueError:
            problems.add(line, N_('{column} must be a JSON object like {{"layers": 32}}, not {value}'), column=name, value=cell)
    elif rule.type == "released":
        try:
            if not re.fullmatch(r"\d{4}(-\d\d){0,2}", cell):
                raise ValueError
            dt.date.fromisoformat((cell + "-01-01")[:10])
        except ValueError:
            problems.add(line, N_("{column} must be a date like 2020-05-14, a month or a year, not {value}"), column=name, value=cell)
    elif rule.type == "date":
        try:
            if dt.date.fromisoformat(cell).isoformat() != cell:
                raise ValueError
        except ValueError:
            problems.add(line, N_("{column} must be a date like 2020-05-14, not {value}"), column=name, value=cell)
    else:
        allowed = {"flag": ("true", "false"), "columns": tuple(schema)}.get(rule.type, rule.choices)
        for value in parts(cell) if rule.type in ("list", "columns") else (cell,):
            if allowed and value not in allowed:
                problems.add(line, N_("{column} must be one of {choices}, not {value}"), column=name, choices=", ".join(allowed), value=value)


def _check_number(line: int, name: str, cell: str, rule: Column, problems: _Problems) -> None:
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        problems.add(line, N_("{column} must be a plain number, not {value}"), column=name, value=cell)
    elif number < 0 or (number == 0 and not rule.zero):
        problems.add(line, N_("{column} must be above 0, not {value}: leave it empty if it is not known"), column=name, value=cell)
    elif rule.type != "number" and not number.is_integer():
        problems.add(line, N_("{column} must be a whole number, not {value}"), column=name, value=cell)


def _check_across(directory: Path) -> list[str]:
    """Rules that span columns, rows or files; run once every file is sound by itself."""
    found: list[str] = []
    across = (
        ("chips.csv", _check_chip_names),
        ("chips.csv", _check_labels),
        ("accelerator_memory.csv", _check_labels),
        ("cases.csv", _check_cases),
        ("roofline_cases.csv", _check_cases),
        ("scaling_cases.csv", _check_cases),
        ("levels.csv", _check_levels),
        ("links.csv", _check_links),
    )
    for file, rule in across:
        problems = _Problems(file)
        rule(read_table(file.removesuffix(".csv"), directory), problems)
        found += problems.found
    found += _check_presets(directory)
    found += _check_references(directory)
    problems = _Problems("claims.csv")
    for line, row in read_table("claims", directory):
        table, column = row["points_table"], row["points_column"]
        if bool(table) == bool(row["no_points_reason"]):
            problems.add(line, N_("a claim names its points or says why it has none: fill points_table or no_points_reason, not both"))
        elif table and column not in SCHEMAS[table]:
            problems.add(line, N_("points_column {column} is no column of {table}.csv: correct it"), column=column, table=table)
        elif table and not _has_points(directory, row):
            problems.add(line, N_("{table}.csv has no points for this claim: correct points_dataset, points_series or points_column"), table=table)
    return found + problems.found


def _has_points(directory: Path, claim: Row) -> bool:
    table = claim["points_table"]
    kind_column = "dataset" if "dataset" in SCHEMAS[table] else "edition"
    return any(
        row[kind_column] == claim["points_dataset"] and claim["points_series"] in ("", row.get("series")) and row[claim["points_column"]]
        for _line, row in read_table(table, directory)
    )


def _check_presets(directory: Path) -> list[str]:
    """Every preset has its config, the counts are what the reader makes of it, the smallest stands first, and no config is left over."""
    problems = _Problems("presets.csv")
    unused = {path.name for path in (directory / CONFIGS).glob("*")}
    last = 0
    for line, row in read_table("presets", directory):
        file, stated = row["config"], (int(row["parameters"]), int(row["active_parameters"]))
        unused.discard(file)
        if file != f"{row['id']}.json":
            problems.add(line, N_("config must be {wanted}, not {file}: name it after the id"), wanted=f"{row['id']}.json", file=file)
            continue
        try:
            found = architecture(read_config(directory / CONFIGS / file))
        except InputError as error:
            problems.add(line, N_("{file}: {problem}"), file=f"{CONFIGS}/{file}", problem=error)
            continue
        if stated != (found.parameters, found.active_parameters):
            problems.add(
                line,
                N_("{file} has {parameters} parameters, {active} of them active, the row says {stated}: correct one of them"),
                file=f"{CONFIGS}/{file}",
                parameters=found.parameters,
                active=found.active_parameters,
                stated=" / ".join(map(str, stated)),
            )
        if stated[0] < last:
            problems.add(line, N_("{id} has fewer parameters than the row above: the smallest model stands first"), id=row["id"])
        last = stated[0]
    for name in sorted(unused):
        problems.add(1, N_("{file} belongs to no row: add one or remove the file"), file=f"{CONFIGS}/{name}")
    return problems.found


def _check_chip_names(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """Id, name and aliases of all chips: no two rows answer to the same word."""
    owner: dict[str, str] = {}
    for line, row in rows:
        for handle in sorted({row["id"].casefold(), row["name"].casefold(), *(alias.casefold() for alias in parts(row["aliases"]))}):
            other = owner.setdefault(handle, row["id"])
            if other != row["id"]:
                problems.add(line, N_("“{name}” also means {other}: an id, name or alias belongs to one row"), name=handle, other=other)


def _check_labels(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """The bytes of a memory are its printed GB times 10**9."""
    for line, row in rows:
        label, size = row["memory_gb_label"], row["memory_bytes"]
        printed = re.fullmatch(r"([0-9.]+) GB", label)
        if bool(label) != bool(size) or (label and (not printed or not isclose(float(printed[1]) * 1e9, float(size), rel_tol=1e-9))):
            problems.add(
                line, N_("memory_bytes {size} does not match the label {label}: write the printed GB times 1e9"), size=size or "–", label=label or "–"
            )


def _check_cases(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """The expected value of a case is what its origin prints, in base units, and has one tolerance at most."""
    for line, row in rows:
        unit, factors = PRINTED_UNITS[row["printed_unit"]]
        printed, expected = float(row["printed"]), float(row["expected"])
        if row["unit"] != unit or not any(isclose(printed * factor, expected, rel_tol=1e-9) for factor in factors):
            problems.add(
                line,
                N_("expected {expected} {unit} is not the printed {printed} {printed_unit}: write the printed value in base units"),
                expected=row["expected"],
                unit=row["unit"],
                printed=row["printed"],
                printed_unit=row["printed_unit"],
            )
        if float(row["relative_tolerance"] or 0) and float(row["absolute_tolerance"] or 0):
            problems.add(line, N_("a case has a relative or an absolute tolerance, not both: write 0 for the other"))


def _check_levels(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """A level has at least one figure, and its latency and energy say where they come from."""
    energies = ("energy_j_per_byte", "energy_j_per_operation", "energy_per_mac")
    for line, row in rows:
        if not any(row[name] for name in ("capacity_bytes", "bytes_per_s", "latency_s", *energies)):
            problems.add(line, N_("{id} has no figure: fill one or remove the row"), id=row["id"])
        for kind, present in (("latency_kind", bool(row["latency_s"])), ("energy_kind", any(row[name] for name in energies))):
            if bool(row[kind]) != present:
                problems.add(line, N_("{column} goes with its figure: fill both or neither"), column=kind)


def _check_links(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """Both ways are twice one way, or the same where both share the wires."""
    for line, row in rows:
        ratio = float(row["bytes_per_s_bidir"]) / float(row["bytes_per_s"])
        if not (isclose(ratio, 2, rel_tol=1e-9) or isclose(ratio, 1, rel_tol=1e-9)):
            problems.add(line, N_("{id} has {ratio:.3g} times the bandwidth both ways: write twice that of one way"), id=row["id"], ratio=ratio)


def _check_references(directory: Path) -> list[str]:
    """A chip or preset that a row names is one of the catalog's."""
    known = {name: {row["id"] for _line, row in read_table(name, directory)} for name in ("chips", "presets")}
    found: list[str] = []
    for table in ("levels", "roofline_cases", "scaling_cases", "remedies"):
        problems = _Problems(f"{table}.csv")
        for line, row in read_table(table, directory):
            for column, owner in (("chip", "chips"), ("preset", "presets")):
                if row.get(column) and row[column] not in known[owner]:
                    problems.add(
                        line, N_("{column} {id} is not in {table}.csv: correct it or leave it empty"), column=column, id=row[column], table=owner
                    )
        found += problems.found
    return found


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
