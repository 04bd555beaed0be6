"""Bring the Chinese catalog up to date with every text of the code and the data: ``make messages``.

New texts get an empty translation, changed ones are listed as new, texts that nobody shows any more are dropped. The tests fail while
one is empty (tests/test_content.py), so a text and its translation land together.
"""

from __future__ import annotations

import ast
import re
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "src" / "wallviz" / "content" / "zh" / "LC_MESSAGES" / "wallviz.po"
HEADERS = ("Project-Id-Version", "Language", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
MARKS = {"_", "N_"}
#: What makes a text of names and numbers one to translate: "HBM3e" and "LLaMA-7B" stay as they are, "NVLink 3 bridge" does not.
WORD = re.compile(r"(?<![\w.])[a-z]{3,}(?![\w-]|\.\w)")


def code_texts() -> dict[str, list[tuple[str, int]]]:
    """Every text marked in the code, with where it stands."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in sorted([ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "src").rglob("*.py")]):
        # The syntax tree, because a text inside an f-string is no token of its own before Python 3.12.
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=mark), args=[ast.Constant(value=str(message))]) if mark in MARKS and message:
                    found.setdefault(message, []).append((path.relative_to(ROOT).as_posix(), node.lineno))
    return found


def data_texts() -> dict[str, list[tuple[str, int]]]:
    """Every text of the data that a page shows: titles and notes of claims, notes of points, chips and cases, levels of memory, what remedies
    were tested on, errata."""
    sys.path.insert(0, str(ROOT / "src"))
    from wallviz import catalog
    from wallviz.engine.hierarchy.ladder import ladder
    from wallviz.engine.hierarchy.machines import with_chips
    from wallviz.engine.remedies.published import alone, every

    found: dict[str, list[tuple[str, int]]] = {}

    def add(text: str, place: str) -> None:
        if text:
            found.setdefault(text, []).append((f"data/{place}", 1))

    for claim in catalog.claims().values():
        for text in (claim.what, claim.note, claim.no_points_reason):
            add(text, "claims.csv")
        for point in claim.points:
            add(point.note, "points")
    for column in ("value", "value_device"):
        for edition in ("2021", "2023"):
            for point in catalog.points("hardware_scaling", edition, "", column):
                add(point.note, "hardware_scaling.csv")
    for dataset in catalog.MODEL_DATASETS:
        for model in catalog.models(dataset).values():
            add(model.note, "models.csv")
    for chip in catalog.chips().values():
        add(chip.notes, "chips.csv")
    for row in catalog.memory_breakdown().values():
        add(row.note, "memory_breakdown.csv")
    for case in catalog.cases().values():
        add(case.note, "cases.csv")
    for machine in with_chips(catalog.chips()).values():
        for rung in ladder(machine, 1.0, catalog.levels().values(), catalog.links().values(), catalog.chips()).rungs:
            for text in (rung.name, *rung.notes):
                add(text if WORD.search(text) else "", "levels.csv")
    for level in catalog.levels().values():
        if level.energy_j_per_byte:
            for text in (level.level, level.device):
                add(text if WORD.search(text) else "", "levels.csv")
    for published in every(catalog.evidence().values()).values():
        for tested in published:
            for text in (tested.setting, tested.metric):
                add(text if WORD.search(text) else "", "remedies.csv")
    for remedy, cases in every(catalog.evidence().values()).items():
        for row in () if cases else alone(remedy, catalog.evidence().values())[:1]:
            for text in (row.setting, row.metric):
                add(text if WORD.search(text) else "", "remedies.csv")
    for source in catalog.sources().values():
        for text in (*source.errata, source.notes, source.licence):
            add(text, "sources.yml")
    return found


def template() -> Catalog:
    """Everything that needs a translation."""
    catalog = Catalog(locale="zh_CN", project="wallviz", version="1", header_comment="# Chinese texts of wallviz.", fuzzy=False)
    catalog.mime_headers = [(name, value) for name, value in catalog.mime_headers if name in HEADERS]
    for texts in (code_texts(), data_texts()):
        for message, places in texts.items():
            catalog.add(message, locations=[(place, 0) for place in dict.fromkeys(place for place, _line in places)])
    return catalog


def main() -> None:
    """Rewrite the catalog and say which texts are missing, and where they stand."""
    fresh = template()
    if PO.exists():
        old = read_po(BytesIO(PO.read_bytes()), locale="zh_CN")
        for message in fresh:
            if message.id and (known := old.get(message.id)):
                message.string = known.string
    fresh.obsolete.clear()
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, fresh, width=150, sort_output=True, omit_header=False, include_lineno=False)
    missing = [m for m in fresh if m.id and not (all(m.string) if isinstance(m.string, (list, tuple)) else m.string)]
    for m in missing:
        print(f"{m.locations[0][0]}: {m.id!r} has no Chinese: write it in {PO.relative_to(ROOT)}")
    print(f"{len(fresh)} texts, {len(missing)} without a translation")


if __name__ == "__main__":
    main()
