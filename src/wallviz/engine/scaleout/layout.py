"""For the rooms until they import it from there: the search for the best split stands in `engine.advice.splits`."""

from wallviz.engine.advice.splits import Layout, Search

__all__ = ["Layout", "Search"]
