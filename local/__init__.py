"""The `logstats` command line and the local cloud."""
