"""Two languages, one source: every text is written in English and looked up in a gettext catalog.

The catalogs are ``content/<language>/LC_MESSAGES/wallviz.po``; Babel reads them when a language is first used, so there is no
compiled file that could be stale. The language is a context variable: each session runs in its own thread and sets its own.
"""

from __future__ import annotations

import gettext as _gettext
import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cache, reduce
from io import BytesIO
from pathlib import Path

LANGUAGES: dict[str, str] = {"en": "English", "zh": "简体中文"}
TAGS: dict[str, str] = {"en": "en", "zh": "zh-CN"}
"""What a browser calls each language."""
CONTENT = Path(__file__).parent / "content"

#: A space that a Chinese sentence keeps beside a Latin name, where the name is Chinese itself.
_GAP = re.compile(r"(?<=[一-鿿，。：；（）“”、]) (?=[一-鿿，。：；（）“”、])|(?<=[，。：；）、]) | (?=[，。：；（、])")

_current: ContextVar[str] = ContextVar("wallviz_language", default="en")


@cache
def catalog(language: str) -> _gettext.NullTranslations:
    """The texts of `language`, read once."""
    path = CONTENT / language / "LC_MESSAGES" / "wallviz.po"
    if not path.exists():  # English is the source text
        return _gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return _gettext.GNUTranslations(compiled)


def use(language: str) -> None:
    """Speak `language` (a key of `LANGUAGES`) from here on in this thread or task; anything unknown means English."""
    _current.set(language if language in LANGUAGES else "en")


def language() -> str:
    """The language in use: ``"en"`` or ``"zh"``."""
    return _current.get()


def spoken(make: Callable[[], str]) -> Callable[[], str]:
    """`make` in the language that is in use now, whatever thread calls it later: a server makes downloads in one that has no session."""
    chosen = language()

    def made() -> str:
        before = _current.set(chosen)
        try:
            return make()
        finally:
            _current.reset(before)

    return made


def from_locale(locale: str | None) -> str:
    """The language for a browser's locale tag: Chinese of any region reads 简体中文, everyone else English.

    >>> from_locale("zh-CN"), from_locale("zh-Hant-TW"), from_locale("de-DE"), from_locale(None)
    ('zh', 'zh', 'en', 'en')
    """
    return "zh" if (locale or "").lower().replace("_", "-").split("-")[0] == "zh" else "en"


def _(message: str) -> str:
    """`message` in the language in use."""
    return catalog(_current.get()).gettext(message) if message else message


def N_(message: str) -> str:
    """Marks `message` for the catalogs where it is written; it is looked up where it is shown."""
    return message


def inside(text: str) -> str:
    """A text as it stands inside of a sentence: its first letter small, unless its first word is a name.

    >>> inside("Recompute every layer"), inside("KV cache in FP8"), inside("ZeRO stage 2"), inside("8-bit Adam")
    ('recompute every layer', 'KV cache in FP8', 'ZeRO stage 2', '8-bit Adam')
    """
    word = text.partition(" ")[0][1:]
    return text if any(letter.isupper() or letter.isdigit() for letter in word) else text[:1].lower() + text[1:]


def labelled(label: str, text: str) -> str:
    """A label before its text, with the colon of the language in use."""
    return _("{label}: {text}").format(label=label, text=text)


def listing(items: Iterable[str]) -> str:
    """Items one after the other, with the comma that lists them in the language in use.

    >>> listing(["weights", "gradients"])
    'weights, gradients'
    """
    return _(", ").join(items)


def qualified(*texts: str) -> str:
    """A text and what is to be said about it, with the comma that parts clauses in the language in use; empty ones are left out.

    >>> qualified("120 GiB", "", "end of the backward pass")
    '120 GiB, end of the backward pass'
    """
    template = _("{text}, {remark}")
    return reduce(lambda text, remark: template.format(text=text, remark=remark) if text else remark, filter(None, texts), "")


def followed(*sentences: str) -> str:
    """Sentences one after the other, with the space that the language in use puts between them; empty ones are left out.

    >>> followed("It fits.", "", "Links one way.")
    'It fits. Links one way.'
    """
    template = _("{sentence} {after}")
    return reduce(lambda said, after: template.format(sentence=said, after=after) if said else after, filter(None, sentences), "")


def bracketed(text: str, remark: str) -> str:
    """A text with a remark in the brackets of the language in use."""
    return _("{text} ({remark})").format(text=text, remark=remark)


def closed(text: str) -> str:
    """A text without the spaces that its template keeps for a Latin name, where the name that it took is Chinese.

    >>> closed("经 NVLink 4 需 36 ms，寄存器 只要 8.3 ms")
    '经 NVLink 4 需 36 ms，寄存器只要 8.3 ms'
    """
    return _GAP.sub("", text)
