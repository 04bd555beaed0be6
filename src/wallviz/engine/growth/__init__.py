"""Growth curves refitted: dated values in, growth per period with its interval, doubling time and bands out.

A trend is a straight line through log10(value) against time. Time is in decimal years of 365.25 days, growth in factors of ten per year, and
what people quote, "240 times every two years", is ``10 ** (2 * slope)``.
"""

from wallviz.engine.growth.claims import Claim, Refit, refit
from wallviz.engine.growth.fits import fit
from wallviz.engine.growth.leaving_out import influence
from wallviz.engine.growth.moments import Moments, date_at, years
from wallviz.engine.growth.points import Point, normalise, record_setters
from wallviz.engine.growth.selection import select
from wallviz.engine.growth.student import student_t
from wallviz.engine.growth.trend import Trend
from wallviz.engine.growth.two_trends import divergence

__all__ = [
    "Claim",
    "Moments",
    "Point",
    "Refit",
    "Trend",
    "date_at",
    "divergence",
    "fit",
    "influence",
    "normalise",
    "record_setters",
    "refit",
    "select",
    "student_t",
    "years",
]
