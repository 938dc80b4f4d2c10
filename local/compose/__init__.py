"""Programs that run in the containers of `localstack-compose.yml`, beside PostgreSQL and the emulator."""
