"""What goes wrong for a user, told in one line."""


class UserError(Exception):
    """The command cannot do what was asked; the message is one line that says why, and what to do."""
