"""Schema migrations: Alembic, run at deploy by a Lambda function and on a laptop by `logstats migrate`."""
