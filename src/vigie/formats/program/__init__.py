"""Programs and what they bring along: known so that a normal disk stays quiet."""
