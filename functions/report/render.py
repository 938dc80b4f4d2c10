"""The forms of a report: plain text for e-mail, Markdown for a chat, HTML for a browser.

All are lists: chats take tables apart. In each form a text of users stays the text that it is. What does not print in it is
escaped, as `repr` escapes it: it could look like the end of a line, or turn the direction of what follows.
"""

import re
from collections.abc import Callable, Iterator
from html import escape

from report.document import Document, Line, Verbatim

_STYLE = (
    ":root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; "
    "padding: 0 1rem } bdi { font-weight: 600; overflow-wrap: anywhere; white-space: pre-wrap }"
)


def text(document: Document) -> str:
    """Return the report as plain text."""
    return "\n".join(_text(document)) + "\n"


def _text(document: Document) -> Iterator[str]:
    yield document.title
    for section in document.sections:
        yield ""
        yield section.heading
        if section.lead:
            yield f"  {section.lead}"
        for item in section.items:
            yield f"  - {_joined(item, str)}"


def markdown(document: Document) -> str:
    """Return the report as Markdown (CommonMark 0.31)."""
    return "\n".join(_markdown(document)) + "\n"


def _markdown(document: Document) -> Iterator[str]:
    yield f"**{document.title}**"
    for section in document.sections:
        yield ""
        yield f"**{section.heading}**"
        if section.lead:
            yield ""
            yield section.lead
        if section.items:
            yield ""
        for item in section.items:
            yield f"- {_joined(item, _code_span)}"


def _code_span(verbatim: str) -> str:
    """Return a code span: nothing in it is markup, and no chat notifies whom it mentions.

    Its backticks are one more than any in the text, and spaces at its ends, of which one on each side is dropped, keep
    the text's own apart (CommonMark 0.31, 6.1).
    """
    longest = max(map(len, re.findall("`+", verbatim)), default=0)
    fence = "`" * (longest + 1)
    touches = verbatim.strip(" ") and (verbatim[0] in "` " or verbatim[-1] in "` ")
    return f"{fence} {verbatim} {fence}" if touches else f"{fence}{verbatim}{fence}"


def html(document: Document) -> str:
    """Return the report as a page of HTML that needs no other file."""
    return "\n".join(_html(document)) + "\n"


def _html(document: Document) -> Iterator[str]:
    title = escape(document.title)
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
    for section in document.sections:
        yield f"<h2>{escape(section.heading)}</h2>"
        if section.lead:
            yield f"<p>{escape(section.lead)}</p>"
        if section.items:
            yield "<ul>"
            for item in section.items:
                yield f"<li>{_joined(item, _isolated, escape)}</li>"
            yield "</ul>"
    yield "</body></html>"


def _isolated(verbatim: str) -> str:
    """Return an element whose direction does not reach the numbers behind it."""
    return f"<bdi>{escape(verbatim)}</bdi>"


def _joined(line: Line, verbatim: Callable[[str], str], ours: Callable[[str], str] = str) -> str:
    return "".join(verbatim(_visible(part)) if isinstance(part, Verbatim) else ours(part) for part in line)


def _visible(part: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in part
    )


FORMS: dict[str, Callable[[Document], str]] = {"text": text, "markdown": markdown, "html": html}
"""Names the forms for the command line."""
