"""One log object read by several processes."""
