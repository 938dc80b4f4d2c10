"""One module per command of `logstats`."""
