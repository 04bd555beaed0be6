"""What the stylesheet of Streamlit lacks: one scale of type and spacing for every room, and the view for a projector.

Classes ``st-key-…`` are the keys that `Page` gives its containers; ``data-testid`` names are Streamlit's own (1.67).
"""

from __future__ import annotations

EVERYWHERE = """<style>
[data-testid=stSidebar] { border-right: 1px solid rgba(128, 128, 128, 0.2); }
[data-testid=stMainBlockContainer] { padding-left: clamp(1rem, 3.5vw, 4rem); padding-right: clamp(1rem, 3.5vw, 4rem); padding-bottom: 1rem; }
[data-testid=stSidebarNavItems] a { padding-top: .15rem; padding-bottom: .15rem; }
/* The takeaway grows with the screen, and keeps two lines, so that the figure stays where it is when a longer sentence comes. */
[class*=_answer] h4 { font-size: clamp(1.0625rem, .72rem + .72vw, 2rem); line-height: 1.3; padding: 0; }
@media (min-width: 48rem) { [class*=_answer] h4 { min-height: 2.6em; } }
/* The way on stands at the foot of the screen, whatever the length of the page. */
@media (min-width: 48rem) {
  [data-testid=stLayoutWrapper]:has(> .st-key-path) { position: sticky; bottom: 0; z-index: 99; border-top: 1px solid rgba(128, 128, 128, .2); }
}
/* A step of the story is one screen: its head is close, and its text smaller than the takeaway beside it. */
.st-key-story_head { gap: .35rem; }
.st-key-story_head h1 { padding: 0; line-height: 1.25; }
.st-key-story_head [data-testid=stHeading], .st-key-story_head [data-testid=stMarkdownContainer],
.st-key-story_head [data-testid=stCaptionContainer] { margin-bottom: 0; }
.st-key-story_head p { margin: 0; }
.st-key-story_text p { font-size: .92rem; line-height: 1.42; }
.st-key-story_text, .st-key-story_figure { gap: .5rem; }
.st-key-story_try { gap: .1rem .5rem; }
.st-key-story_figure .modebar { display: none; }
@media (max-width: 48rem) {
  .st-key-path { flex-wrap: nowrap; }
  .st-key-path a p { white-space: normal; font-size: .85rem; }
}
.st-key-door a { border: 1px solid currentColor; border-radius: .5rem; padding: .3rem .9rem; }
/* A term is a word first: the glossary behind it shows in a dotted line. */
a[href*="glossary?find="] { color: inherit; text-decoration: underline dotted; text-underline-offset: .2em; }
/* 汉字 may break anywhere: on a phone a column of a table would be one of them wide. The table scrolls instead. */
[data-testid=stTable] th { min-width: 5.5em; }
</style>"""

#: The view for a projector. A rem is a fortieth of the height, so no text is smaller; the figure takes 85 % (ui/chart.js), the rest is
#: the takeaway, one row of controls and nothing else.
PRESENT = """<style>
html { font-size: calc(100vh / 40); }
[data-testid=stHeader], [data-testid=stSidebar], [data-testid=stSidebarCollapsedControl] { display: none; }
[data-testid=stMainBlockContainer] { padding: .3rem 1.2rem 0; max-width: none; }
[data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock] { gap: 0; }
[data-testid=stVerticalBlock]:has(> [class*=_answer]) { gap: .1rem; }
[class*=_answer] h4 { font-size: 1.12rem; line-height: 1.2; padding: 0; min-height: 0; }
.st-key-story_guess button { padding: .6rem 1rem; }
.st-key-story_guess button p { font-size: 1.4rem; }
h4:not([class*=_answer] h4) { font-size: 1.9rem; padding: 2rem 0 1rem; }
[data-testid=stLayoutWrapper]:has(> .st-key-path) { display: none; }
[class*=_controls] { flex-wrap: nowrap; gap: 1rem; min-height: 0; overflow-x: auto; align-items: center; }
[class*=_controls] > * { flex: 0 0 auto !important; width: auto !important; max-width: none; }
[class*=_controls] > * > * { display: flex; align-items: center; gap: .4rem; width: auto !important; }
[class*=_controls] [data-testid=stWidgetLabel] { min-height: 0; margin: 0; white-space: nowrap; }
[class*=_controls] [data-testid=stWidgetLabel] p { font-size: .8rem; }
[class*=_controls] [data-testid=stSlider] > div:last-child { width: 10rem; }
[class*=_controls] [data-testid=stSelectbox] > div:last-child { width: 11rem; }
[class*=_controls] [data-testid=stMultiSelect] > div:last-child { width: 14rem; }
[class*=_controls] [data-testid=stNumberInputContainer] { width: 7rem; }
[class*=_controls] [data-testid=stNumberInputContainer] button { display: none; }
[class*=_controls] [data-testid=stTooltipIcon] { display: none; }
</style>"""
