"""The local cloud: the deployed stack on an emulator, with the embedded PostgreSQL, without Docker."""
