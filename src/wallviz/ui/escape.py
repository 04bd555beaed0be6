"""Text that may quote what a reader gave, as Markdown that shows it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable


def plain(lines: Iterable[str]) -> str:
    """Lines as Markdown that shows them as they are: a sentence may quote an address, and an address may hold an image or a link.

    Escapes do not stop Streamlit from making links of bare addresses, so an invisible word joiner takes those apart.
    """
    apart = [re.sub(r"(?i):(?=//)|www(?=\.)|@", "\\g<0>\u2060", line) for line in lines]
    return "  \n".join(re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line) for line in apart)
