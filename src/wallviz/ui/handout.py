"""What a figure's menu hands out: its rows as CSV, itself as one HTML file, how to cite it, where its numbers come from."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO

from wallviz import __version__, catalog
from wallviz.figures import style
from wallviz.i18n import _, language
from wallviz.rooms import Answer


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows as comma-separated text; cells that a spreadsheet would run as a formula are quoted with an apostrophe."""
    if not rows:
        return ""
    out = StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" else v for k, v in row.items()})
    return out.getvalue()


def one_file(answer: Answer) -> str:
    """The figure under its takeaway as one HTML file that needs no network."""
    figure = answer.figure
    if figure is None:
        return ""
    body = figure.to_html(include_plotlyjs=True, full_html=False, config={"displaylogo": False, "responsive": True})
    head = f"<!doctype html><html lang='{language()}'><meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>wallviz</title>"
    return f"{head}<body style='font-family:sans-serif;max-width:72rem;margin:auto'><h1>{style.text(answer.sentence)}</h1>{body}</body></html>"


def citation(answer: Answer) -> str:
    """How to cite this figure: its sentence, wallviz, and every source of its numbers."""
    sources = [catalog.sources()[source].citation for source in answer.sources]
    return "\n".join([f"“{answer.sentence}” wallviz {__version__}.", *sources])


def origin(source_id: str) -> str:
    """A source as a line of Markdown: its title and address, its producer, its licence."""
    source = catalog.sources()[source_id]
    title = f"[{source.title}]({source.url})" if source.url else source.title
    return f"{title} · {source.producer} · {_(source.licence)}"
