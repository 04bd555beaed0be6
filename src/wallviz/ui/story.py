"""A step of the story on its screen: guess, see, explain, what it does not say, try it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from wallviz import units
from wallviz.i18n import _
from wallviz.settings import number
from wallviz.story import Guess, Step
from wallviz.story.path import STEPS
from wallviz.ui import path
from wallviz.ui.chart import chart
from wallviz.ui.escape import plain
from wallviz.ui.frame import ROOMS, carried
from wallviz.ui.handout import origin
from wallviz.ui.page import Page
from wallviz.ui.terms import prose


@dataclass(frozen=True, slots=True)
class View:
    """Which step is shown."""

    step: int = number(1, 1, len(STEPS))


def show(page: Page) -> None:
    """The step that the address names; it is asked until it was guessed, or passed over."""
    n: int = page.view.step
    step = [*STEPS.values()][n - 1]
    facts = step.facts()
    page.at(n, _notes(step, facts))
    known: dict[str, Any] = st.session_state.setdefault("_guessed", {})
    if not page.bare:
        with st.container(key="story_head"):
            st.caption(_("{story}: step {n} of {all}").format(story=_(page.room.question), n=n, all=len(STEPS)))
            st.title(_(step.title), anchor=False)
            st.markdown(_(step.standfirst).format(**facts))
    if step.id not in known and not page.embedded:
        _ask(step, facts, known)
        return
    answer = step.figure()
    sentence = _(step.takeaway).format(**facts) if step.takeaway else answer.sentence
    figure, said = (st.container(), st.container()) if page.bare else st.columns([11, 9], gap="medium")
    with figure:
        with st.container(key="story_answer"):
            st.markdown(f"#### {sentence}")
        chart(replace(answer, sentence=sentence))
    if page.bare:
        return
    with said, st.container(key="story_text"):
        if known.get(step.id):
            st.markdown(known[step.id])
        for paragraph in step.explain:
            prose(_(paragraph).format(**facts))
        prose(f"**{_('What this does not say')}** · {_(step.caveat).format(**facts)}")
    with figure, st.container(horizontal=True, vertical_alignment="center", key="story_try"):
        st.markdown(f"**{_('Try it')}**", width="content")
        for one in step.try_it:
            room = ROOMS[one.room]
            st.page_link(room.file, label=_(one.words), icon=room.icon, query_params={**carried(), **one.query}, help="", width="content")
        with st.popover(_("Sources and notes"), icon=":material/library_books:", on_change="rerun", key="story_sources", type="tertiary") as box:
            if box.open:
                st.markdown("\n".join(f"- {origin(source)}" for source in dict.fromkeys((*answer.sources, *step.sources))))
                for head, text in _notes(step, facts).parts:
                    st.markdown(f"**{head}**  \n{text}")


def _notes(step: Step, facts: Mapping[str, str]) -> path.SpeakerNotes:
    said = step.notes
    parts = ((_("Goal"), said.goal), (_("Ask the room"), said.ask), (_("Often misunderstood"), said.misconception))
    return path.SpeakerNotes(_(step.title), tuple((head, _(text).format(**facts)) for head, text in parts))


def _ask(step: Step, facts: Mapping[str, str], known: dict[str, Any]) -> None:
    """The question, its answers as buttons or a slider, and the way past it."""
    guess = step.guess
    st.markdown(f"#### {_(guess.question).format(**facts)}")
    with st.container(horizontal=not guess.options, vertical_alignment="bottom", key="story_guess"):
        for i, option in enumerate(guess.options):
            st.button(_(option.words).format(**facts), key=f"story_{step.id}_{i}", on_click=_chosen, args=(step, facts, known, i), width="stretch")
        if not guess.options:
            steps = _steps(guess)
            key = f"story_{step.id}_number"
            st.select_slider(
                _("Your guess"),
                steps,
                value=steps[len(steps) // 2],
                format_func=lambda v: f"{units.count(v)} {guess.unit}".strip(),
                key=key,
                width=420,
            )
            st.button(_("Lock it in"), type="primary", on_click=_typed, args=(step, facts, known, key))
    st.button(_("Show me without a guess"), type="tertiary", key=f"story_{step.id}_skip", on_click=known.__setitem__, args=(step.id, ""))


def _steps(guess: Guess) -> list[float]:
    """1, 2 and 5 times every power of ten from `low` to `high`."""
    found = [m * 10.0**e for e in range(-3, 16) for m in (1, 2, 5)]
    return [v for v in found if guess.low * 0.999 <= v <= guess.high * 1.001]


def _chosen(step: Step, facts: Mapping[str, str], known: dict[str, Any], i: int) -> None:
    mine, right = step.guess.options[i], next(option for option in step.guess.options if option.right)
    words = plain([_(mine.words).format(**facts)])
    known[step.id] = (
        _("You said “{guess}”: right.").format(guess=words)
        if mine.right
        else _("You said “{guess}”; it is “{truth}”.").format(guess=words, truth=plain([_(right.words).format(**facts)]))
    )


def _typed(step: Step, facts: Mapping[str, str], known: dict[str, Any], key: str) -> None:
    mine = f"{units.count(st.session_state[key])} {step.guess.unit}".strip()
    known[step.id] = _("You said {guess}; it is {truth}.").format(guess=mine, truth=facts[step.guess.truth])
