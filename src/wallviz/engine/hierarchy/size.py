"""A number of bytes as people type it: ``1 GiB``, ``16GB``, ``2e9``."""

from __future__ import annotations

import re
from math import isfinite, nan

from wallviz import units
from wallviz.checks import halfwidth, is_number, said
from wallviz.errors import InputError
from wallviz.i18n import N_

PREFIXES = "kmgtpez"
LARGEST_BYTES = 1e24
_SIZE = re.compile(
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,30})(?:\.[0-9]{1,30})?(?:e[+]?[0-9]{1,2})?)\s*(?:([kmgtpez])(i)?)?(b|byte|bytes)?", re.IGNORECASE
)


def parse(text: str | float) -> float:
    """Bytes of `text`: a number with B, kB, MB, ... (powers of 1000) or KiB, MiB, ... (powers of 1024); a bare number is bytes.

    >>> parse("1 GiB"), parse("16GB"), parse("2.5 kB"), parse("1,048,576"), parse(1e9)
    (1073741824.0, 16000000000.0, 2500.0, 1048576.0, 1000000000.0)

    Raises InputError for anything else: bits (``Gb``, ``Gbit``), nothing, less than one byte, more than 10**24.
    """
    if isinstance(text, str):
        text = halfwidth(text)
        found = _SIZE.fullmatch(text.strip()) if len(text) <= 60 else None
        ending = text.strip()[-2:]
        # "Gb" is what networks call a gigabit; "gb" is how people type a gigabyte.
        if found is None or (len(ending) == 2 and ending[1] == "b" and ending[0].isupper()):
            raise InputError(N_("“{text}” is no size: write a number and a unit of bytes, such as 64 kB, 1 GiB or 16 GB."), text=text.strip()[:40])
        power = PREFIXES.index(found[2].lower()) + 1 if found[2] else 0
        value = float(found[1].replace(",", "")) * float((1024 if found[3] else 1000) ** power)
    else:
        value = float(text) if is_number(text, 1.0, LARGEST_BYTES) else nan
    if not (isfinite(value) and 1 <= value <= LARGEST_BYTES):
        raise InputError(N_("A size must be from 1 byte to 10²⁴ bytes: got “{text}”."), text=said(text).strip())
    return value


def written(size_bytes: float) -> str:
    """`size_bytes` in the unit that says it exactly in three digits: binary where it is a multiple of a power of 1024, else decimal.

    >>> written(2**30).replace(units.THIN, " "), written(16.06e9).replace(units.THIN, " "), written(64_000).replace(units.THIN, " ")
    ('1 GiB', '16.1 GB', '64 kB')
    """
    for text in (units.binary(size_bytes), units.si(size_bytes, "B")):
        number, _space, unit = text.partition(units.THIN)
        short = re.sub(r"\.0+$", "", number)
        if short != number or "." not in number:
            exact = parse(short.replace(",", "") + unit)
            if exact == size_bytes:
                return short + units.THIN + unit
    return units.si(size_bytes, "B")
