"""The accuracy page's answers: predicted against measured for every case, and why tools disagree about one run."""

from wallviz.rooms.accuracy.choices import GROUPS, PEAKS, RUNS, View, members
from wallviz.rooms.accuracy.every_case import answer, described, table
from wallviz.rooms.accuracy.other_tools import disagree, runs, tools
from wallviz.rooms.accuracy.residuals import chosen

__all__ = ["GROUPS", "PEAKS", "RUNS", "View", "answer", "chosen", "described", "disagree", "members", "runs", "table", "tools"]
