"""Texts of users on a terminal: never control sequences."""


def visible(text: str) -> str:
    r"""Return a text with all that does not print escaped, as `repr` escapes it.

    That is every control and format character and every separator but the space: they could steer a terminal, or
    look like the end of a line.

    Examples
    --------
    >>> visible("[red] \x1b[2J\u2028")
    '[red] \\x1b[2J\\u2028'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
