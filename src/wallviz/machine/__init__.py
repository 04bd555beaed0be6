"""Measured machines: `probe` measures one, `as_chip` makes a chip of its record, `own` carries it in a link."""
