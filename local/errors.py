"""Errors that are shown to people."""


class UserError(Exception):
    """Something the user can mend; `main` prints the message as one line and exits with status 1."""
