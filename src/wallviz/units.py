"""Numbers to text and back: SI prefixes for rates and counts, binary prefixes for what must fit.

House rule: three significant digits, a narrow space that does not break before the unit, the multiplication sign for factors.
"""

from __future__ import annotations

import re
from math import floor, isfinite, log10

from wallviz.i18n import N_, _, language

THIN = "\u202f"
TIMES = "\u00d7"
_UNIT = re.compile(r"(?<=\d) (?=(?:tokens?|bits?|FLOP|[kMGTP]i?B|ms|µs|ns)\b)")
_SI = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E", 21: "Z", 24: "Y", 27: "R", 30: "Q"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
GIB = 2**30
GB = 10**9


def significant(value: float, digits: int = 3) -> str:
    """`value` to `digits` significant digits, thousands grouped, never in scientific notation, no trailing dot.

    >>> significant(240.93), significant(1004.2), significant(1.8630), significant(0.2528), significant(91059)
    ('241', '1,004', '1.86', '0.253', '91,059')

    Integers of four digits and more are shown whole: a claim of 91,059 is not rounded to 91,100.
    """
    if not isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    # Rounding may carry into a new digit: 9.996 -> 10.00 has four.
    if decimals and len(text.replace(",", "").replace(".", "").replace("-", "").lstrip("0")) > digits:
        text = f"{value:,.{decimals - 1}f}"
    return text.replace("-", "−")


def si(value: float, unit: str = "", digits: int = 3) -> str:
    """`value` (base units) with an SI prefix: for rates and counts.

    >>> si(3.35e12, "B/s").replace(THIN, " "), si(989.4e12, "FLOP/s").replace(THIN, " "), si(0, "B").replace(THIN, " ")
    ('3.35 TB/s', '989 TFLOP/s', '0 B')
    """
    if value == 0 or not isfinite(value):
        return f"{significant(value)}{THIN}{unit}".rstrip(THIN)
    exponent = max(min(_SI), min(max(_SI), 3 * floor(log10(abs(value)) / 3)))
    scaled = value / 10**exponent
    if round(abs(scaled), max(0, digits - 1 - floor(log10(abs(scaled))))) >= 1000 and exponent + 3 in _SI:
        exponent += 3
        scaled = value / 10**exponent
    return f"{significant(scaled, digits)}{THIN}{_SI[exponent]}{unit}".rstrip(THIN)


def binary(value_bytes: float, digits: int = 3) -> str:
    """Bytes with a binary prefix: for capacities, and for what must fit in them.

    >>> binary(80 * 2**30).replace(THIN, " "), binary(1536).replace(THIN, " ")
    ('80.0 GiB', '1.50 KiB')
    """
    power = 0
    scaled = float(value_bytes)
    while abs(scaled) >= 1024 and power < len(_BINARY) - 1:
        scaled /= 1024
        power += 1
    return f"{significant(scaled, digits)}{THIN}{_BINARY[power]}B"


def count(value: float) -> str:
    """A count of things in words that no reader takes for bytes: "1.50 bn" in English, "15.0 亿" in Chinese.

    >>> count(1.5e9).replace(THIN, " "), count(65e6).replace(THIN, " "), count(1.6e12).replace(THIN, " "), count(950)
    ('1.50 bn', '65.0 M', '1.60 tn', '950')
    """
    steps = ((1e12, "万亿"), (1e8, "亿"), (1e4, "万")) if language() == "zh" else ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))
    for size, word in steps:
        if abs(value) >= size * 0.9995:
            scaled = value / size
            return f"{scaled:,.0f}{THIN}{word}" if scaled >= 1 and _is_power_of_ten(scaled) else f"{significant(scaled)}{THIN}{word}"
    return significant(value)


def _is_power_of_ten(value: float) -> bool:
    return abs(log10(value) - round(log10(value))) < 1e-9


def times(factor: float) -> str:
    """A growth factor as the claims print it.

    >>> times(240.93), times(1.8630), times(10309), times(4.1e25), times(0.5)
    ('241×', '1.86×', '10,309×', '4.1·10²⁵×', '0.500×')

    In Chinese prose the word is 倍, from ten thousand on counted as Chinese counts: "9.11 万倍"; axes keep the sign.
    """
    if language() == "zh" and 1e4 <= factor < 1e12:
        return f"{count(factor)}倍"
    word = f"{THIN}倍" if language() == "zh" else TIMES
    if isfinite(factor) and factor >= 1e7:
        exponent = floor(log10(factor))
        return f"{factor / 10**exponent:.1f}·10{str(exponent).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}{word}"
    return f"{significant(factor)}{word}"


MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60.0, 3600.0, 86_400.0, 365.25 * 86_400.0
_LONG = ((YEAR_S, N_("{n} years")), (DAY_S, N_("{n} days")), (HOUR_S, N_("{n} h")), (MINUTE_S, N_("{n} min")))


def duration(seconds: float) -> str:
    """Seconds as people say them: milliseconds and seconds, from two minutes on minutes, hours, days, years.

    >>> [duration(s).replace(THIN, " ") for s in (0.00356, 29.2, 119.0, 600.0, 21600.0, 1.5e6, 1e9)]
    ['3.56 ms', '29.2 s', '119 s', '10.0 min', '6.00 h', '17.4 days', '31.7 years']
    """
    said = next((said.format(n=significant(seconds / size)) for size, said in ((size, _(words)) for size, words in _LONG) if seconds >= 2 * size), "")
    return said.replace(" ", THIN) if said else si(seconds, "s")


def tied(text: str) -> str:
    """A text in which a number and its unit stay on one line, where the text writes an ordinary space between them.

    >>> tied("at most 208 tokens/s in 16 bits").replace(THIN, "_")
    'at most 208_tokens/s in 16_bits'
    """
    return _UNIT.sub(THIN, text)


def percent(share: float, decimals: int = 0, *, digits: int = 0, signed: bool = False) -> str:
    """A share of one as a percentage, with `decimals` or with `digits` significant digits: no space before the sign, in either language.

    >>> percent(0.694), percent(0.99871, 1), percent(0.00042, digits=2), percent(-0.031, 1, signed=True), percent(0.43, digits=2, signed=True)
    ('69%', '99.9%', '0.042%', '−3.1%', '+43%')
    """
    number = significant(abs(share) * 100, digits) if digits else f"{abs(share) * 100:,.{decimals}f}"
    return f"{'−' if share < 0 else '+' if signed else ''}{number}%"


def claimed(factor: float) -> str:
    """A published factor with the digits that were printed, no more.

    >>> claimed(3.0), claimed(1.4), claimed(90000)
    ('3×', '1.4×', '90,000×')
    """
    if language() == "zh" and factor >= 1e4:
        return f"{factor / 1e4:,.10g}{THIN}万倍"
    return f"{factor:,.10g}" + (f"{THIN}倍" if language() == "zh" else TIMES)


def ratio(kind: str, value: float) -> str:
    """A ratio of two rates or sizes: ``flop_per_byte``, or ``byte_s_per_flop`` (bytes held per FLOP/s, said as GB per TFLOP/s).

    >>> ratio("flop_per_byte", 295.3).replace(THIN, " "), ratio("byte_s_per_flop", 80e9 / 989e12).replace(THIN, " ")
    ('295 FLOP/B', '0.0809 GB per TFLOP/s')
    """
    if kind == "flop_per_byte":
        return f"{significant(value)}{THIN}FLOP/B"
    held = f"{significant(value * 1e3)}{THIN}GB"
    return f"每 TFLOP/s {held}" if language() == "zh" else f"{held} per TFLOP/s"
