"""Measured comparisons; each script prints the machine, the peer and the ratio."""
