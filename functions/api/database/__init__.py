"""Read from PostgreSQL."""
