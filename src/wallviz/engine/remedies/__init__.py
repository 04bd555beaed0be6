"""What can be done about the wall: each remedy as data, its price as a formula, and what others measured of it."""
