"""Alembic's environment: always online, on the connection that `migrate.schema` hands over."""

from alembic import context

from logstats.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
