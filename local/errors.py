"""Errors that are told to a user in one line."""


class UserError(Exception):
    """The command cannot do what was asked; the message is one line that says why, and what to do."""
