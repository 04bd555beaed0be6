"""Measured machines: `probe` measures one, `record` keeps what it found, `as_chip` makes a chip of it, `own` carries that in a link."""
