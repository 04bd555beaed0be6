"""A step of the story on its screen: guess, see, explain, what it does not say, try it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from wallviz import units
from wallviz.i18n import _
from wallviz.settings import number
from wallviz.story import Guess, Step, article
from wallviz.story.path import CLOSING, CLOSING_TITLE, STEPS
from wallviz.ui import path
from wallviz.ui.chart import chart
from wallviz.ui.escape import plain
from wallviz.ui.frame import ROOMS, carried
from wallviz.ui.handout import origin
from wallviz.ui.page import Page
from wallviz.ui.terms import prose

_COLOURS: Mapping[str, Literal["green", "orange", "red"]] = {"true": "green", "condition": "orange", "false": "red"}


@dataclass(frozen=True, slots=True)
class View:
    """Which step is shown."""

    step: int = number(1, 1, len(STEPS))


def show(page: Page) -> None:
    """The step that the address names; it is asked until it was guessed, or passed over."""
    n: int = page.view.step
    step = [*STEPS.values()][n - 1]
    notes = _notes(step)
    page.at(n, notes)
    known: dict[str, float | None] = st.session_state.setdefault("_guessed", {})
    asks = step.id not in known and not page.embedded
    if not page.bare:
        with st.container(key="story_head"):
            st.caption(_("{story}: step {n} of {all}").format(story=_(page.room.question), n=n, all=len(STEPS)))
            st.title(_(step.title), anchor=False)
            if not asks:  # it says what is asked
                st.markdown(step.said(step.standfirst))
    if asks:
        _ask(step, known)
        return
    answer = replace(step.figure(), sentence=units.tied(step.sentence))
    figure, said = (st.container(), st.container()) if page.bare else st.columns([11, 9], gap="medium")
    with figure, st.container(key="story_figure"):
        if (guessed := known.get(step.id)) is not None:
            st.markdown(_judged(step, guessed))
        with st.container(key="story_answer"):
            st.markdown(f"#### {f'{n}/{len(STEPS)} · ' if page.presents else ''}{answer.sentence}")
        chart(answer)
    if page.bare:
        return
    with said, st.container(key="story_text"):
        for paragraph in step.explain:
            prose(step.said(paragraph))
        prose(f"**{_('What this does not say')}** · {step.said(step.caveat)}")
    with st.container(horizontal=True, vertical_alignment="center", key="story_try"):
        st.markdown(f"**{_('Try it')}**", width="content")
        for one in step.try_it:
            room = ROOMS[one.room]
            st.page_link(room.file, label=_(one.words), icon=room.icon, query_params={**carried(), **one.query}, help="", width="content")
        with st.popover(_("Sources and notes"), icon=":material/library_books:", on_change="rerun", key="story_sources", type="tertiary") as box:
            if box.open:
                st.markdown("\n".join(f"- {origin(source)}" for source in dict.fromkeys((*answer.sources, *step.sources))))
                for head, text in notes.parts:
                    st.markdown(f"**{head}**  \n{text}")
    if n == len(STEPS):
        _close()


def _close() -> None:
    """After the last step: the five questions with an answer each, and the way to the reader's own model."""
    with st.container(border=True, key="story_closing"):
        st.markdown(f"##### {_(CLOSING_TITLE)}")
        for one in CLOSING:
            question, sentence = one.said
            prose(f"**{question}** {sentence}")
        room = ROOMS["footprint"]
        st.page_link(room.file, label=_("Now your own model and machine"), icon=room.icon, query_params=carried(), help="", width="content")


def _notes(step: Step) -> path.SpeakerNotes:
    said = step.notes
    parts = ((_("Goal"), said.goal), (_("Ask the room"), said.ask), (_("Often misunderstood"), said.misconception))
    return path.SpeakerNotes(_(step.title), tuple((head, step.said(text)) for head, text in parts))


def _ask(step: Step, known: dict[str, float | None]) -> None:
    """The question, its answers as buttons or a slider, and the way past it."""
    guess = step.guess
    st.markdown(f"#### {units.tied(step.said(guess.question))}")
    keys = _("Keys: → shows, then goes on · ← back · P projector · N notes, in a window of their own")
    with st.container(horizontal=not guess.options, vertical_alignment="bottom", key="story_guess"):
        for i, option in enumerate(guess.options):
            said = f"**{i + 1}** · {step.said(option.words)}"
            st.button(said, key=f"story_{step.id}_{i}", on_click=known.__setitem__, args=(step.id, i), width="stretch")
        if not guess.options:
            steps = _steps(guess)
            key = f"story_{step.id}_number"
            mine = st.select_slider(_("Your guess"), steps, value=steps[len(steps) // 2], format_func=lambda v: _typed(guess, v), key=key, width=420)
            st.button(_("Lock it in"), type="primary", on_click=known.__setitem__, args=(step.id, mine))
        else:
            keys = _("Keys: 1 to {n} guess · → shows, then goes on · ← back · P projector · N notes, in a window of their own").format(
                n=len(guess.options)
            )
    st.caption(keys)
    st.button(_("Show me without a guess"), type="tertiary", key=f"story_{step.id}_skip", on_click=known.__setitem__, args=(step.id, None))


def _steps(guess: Guess) -> list[float]:
    """1, 2 and 5 times every power of ten from `low` to `high`."""
    found = [m * 10.0**e for e in range(-3, 16) for m in (1, 2, 5)]
    return [v for v in found if guess.low * 0.999 <= v <= guess.high * 1.001]


def _typed(guess: Guess, value: float) -> str:
    """A guessed number in words: factors as everywhere."""
    return units.times(value) if guess.unit == "times" else f"{units.count(value)} {_(guess.unit)}".strip()


def _judged(step: Step, guessed: float) -> str:
    """A guess beside the truth, in the language in use: an option by its place, or a number."""
    guess = step.guess
    if not guess.options:
        return _("You said {guess}; it is {truth}.").format(guess=_typed(guess, guessed), truth=step.facts()[guess.truth])
    mine, right = guess.options[int(guessed)], next(option for option in guess.options if option.right)
    said = _("You said “{guess}”: right.") if mine.right else _("You said “{guess}”; it is “{truth}”.")
    return said.format(guess=plain([step.said(mine.words)]), truth=plain([step.said(right.words)]))


def claims() -> None:
    """The article's claims, each with what is found of it and the screens on which it stands."""
    for claim in article.claims().values():
        with st.container(border=True, key=f"claim_{claim.id}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{units.tied(claim.claim)}**", width="stretch")
                st.badge(_(article.VERDICTS[claim.verdict]), color=_COLOURS[claim.verdict])
            st.markdown(units.tied(claim.finding))
            with st.container(horizontal=True):
                for screen in claim.where:
                    room = ROOMS[screen.room or "story"]
                    stop = next((stop for stop in path.stops() if stop.step and [*STEPS][stop.step - 1] == screen.step), None)
                    query = {**carried(), **(stop.query if stop else screen.query)}
                    st.page_link(room.file, label=stop.title if stop else _(room.title), icon=room.icon, query_params=query, help="", width="content")
