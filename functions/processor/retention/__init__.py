"""The horizon advances; what is behind it is removed."""
