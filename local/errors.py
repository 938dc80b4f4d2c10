"""Errors that are told to a user in one line."""


class UserError(Exception):
    """The command cannot do what was asked; the message is one line that says why, and what to do."""

    status = 1


class UsageError(UserError):
    """An option or an argument makes no sense, whatever there is to work with."""

    status = 2
