"""Serving over chips: the same figures as for training, a file for each."""

from wallviz.rooms.scaleout.serving import bill, curve, frontier, wire

__all__ = ["bill", "curve", "frontier", "wire"]
