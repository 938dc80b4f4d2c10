"""The command line where no `logstats` is installed, as in the containers: ``python -m local``."""

from local.cli import main

main()
