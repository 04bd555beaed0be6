"""What would make a job fit, or faster: one definition of fitting, one price, one search, for every page and command."""
