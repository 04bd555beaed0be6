"""Remedies as cards: what each buys, what it costs, when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import streamlit as st

from wallviz.figures.style import text
from wallviz.i18n import _

_CSS = """<style>
.wallviz-remedies { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: 1rem; }
.wallviz-remedies > div { border: 1px solid rgba(128, 128, 128, 0.3); border-radius: 0.5rem; padding: 0.8rem 1rem; }
.wallviz-remedies > div.on { border: 2px solid #0670D1; }
.wallviz-remedies dl { margin: .4rem 0 0; display: grid; grid-template-columns: max-content 1fr; gap: .15rem .6rem; }
.wallviz-remedies dt { opacity: .75; }
.wallviz-remedies dd { margin: 0; }
.wallviz-remedies small { opacity: .75; display: block; margin-top: .5rem; }
</style>"""


class Remedied(Protocol):
    """What a card shows."""

    name: str
    buys: str
    costs: str
    fails: str
    measured: str
    on: bool


def show(cards: Sequence[Remedied]) -> None:
    """All cards as one element."""
    if cards:
        st.html(_CSS + f"<div class='wallviz-remedies'>{''.join(map(_card, cards))}</div>")


def _card(card: Remedied) -> str:
    rows = ((_("buys"), card.buys), (_("costs"), card.costs), (_("fails"), card.fails))
    inside = "".join(f"<dt>{text(word)}</dt><dd>{text(said)}</dd>" for word, said in rows)
    return f"<div{' class=on' if card.on else ''}><b>{text(card.name)}</b><dl>{inside}</dl><small>{text(card.measured)}</small></div>"
