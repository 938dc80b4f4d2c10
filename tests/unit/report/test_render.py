"""Each form, as a file that is looked at; and texts of users, which stay texts in each."""

from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from local.display import visible
from report.content import compose
from report.document import Document, Section, Verbatim
from report.render import FORMS, html, markdown, text
from tests.unit.report.answers import DATE, Api, file, row

GOLDEN = Path(__file__).with_name("golden")
HOSTILE = (
    *(
        "<b>bold</b>",
        "<script>alert(1)</script>",
        "&lt;",
        "*x*",
        "_x_",
        "`",
        "a`b",
        "``",
        "|",
        "[a](b)",
        "![a](b)",
    ),
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        "# x",
        "- x",
        "1. x",
        "\\",
        "~~~",
        "<!channel>",
        "@here",
        "https://a.example",
    ),
    *(
        " ",
        "a ",
        " a",
        "\u202eevil",
        "a\nb",
        "\x1b[2J",
        "\u2028",
        "שלום",
        "</li></ul>",
        "]]>",
        "**",
        "- [ ] x",
    ),
)


@pytest.mark.parametrize(("form", "suffix"), [("text", "txt"), ("markdown", "md"), ("html", "html")])
def test_each_form_is_as_in_its_file(form: str, suffix: str, tmp_path: Path) -> None:
    made = tmp_path / f"report.{suffix}"
    made.write_text(FORMS[form](report()), "utf-8")
    assert made.read_text("utf-8") == (GOLDEN / f"report.{suffix}").read_text("utf-8"), (
        f"if {made} is right, it is the new one"
    )


def report() -> Document:
    """One of all sections, with hostile names in each."""
    changed = [
        row("cust_1", 1_204, 1, change_requests=1.4, change_p99=-0.1, change_uptime_percentage=-0.083),
        row("<b>cust_2</b>", 16, 2, change_requests=-0.5, change_p99=3.68),
        row("=cmd|'/c calc'!A1", 7, 7, change_requests=None, change_p99=None),
        row("`*cust_4*`", 50, 0, change_requests=0.0, change_p99=0.25),
        *(row(f"small_{number:02}", 10, 1, change_requests=-0.1, change_p99=0.0) for number in range(11)),
    ]
    return compose(
        Api(
            changed,
            before=row("", 900, 1),
            silent=[
                {"customer_id": "[gone](http://a.example)", "last_date": "2024-10-02", "requests_before": 31}
            ],
            files=[
                file("app.log", 1_400),
                file("broken | pipe.log", 100, 12),
                file("image.png", 0, outcome="unrecognised"),
            ],
            change_requests=0.258,
            change_uptime_percentage=-1.25,
            change_p99=0.042,
        ),
        DATE,
        Decimal("99.9"),
    )


def of(verbatim: str) -> Document:
    return Document("title", "", [Section("heading", "lead", [(Verbatim(verbatim), ": 1 request")])])


def hostile(test: Callable[[str], None]) -> Callable[[], None]:
    for each in HOSTILE:
        test = example(each)(test)
    return given(st.text(min_size=1, max_size=20))(test)


@hostile
def test_a_text_of_users_stays_that_text_in_plain_text(name: str) -> None:
    lines = text(of(name)).splitlines()
    assert lines == ["title", "", "heading", "  lead", f"  - {visible(name)}: 1 request"]


@hostile
def test_a_text_of_users_stays_that_text_in_markdown(name: str) -> None:
    tokens = MarkdownIt("commonmark").parse(markdown(of(name)))
    assert [token.type for token in tokens[-6:]] == [
        *(
            "list_item_open",
            "paragraph_open",
            "inline",
            "paragraph_close",
            "list_item_close",
            "bullet_list_close",
        )
    ]
    inline = tokens[-4].children
    assert inline
    assert [(token.type, token.content) for token in inline] == [
        ("code_inline", visible(name)),
        ("text", ": 1 request"),
    ]


class Texts(HTMLParser):
    """The texts of a page, and the elements that they are in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append((self.open[-1], data))


@hostile
def test_a_text_of_users_stays_that_text_in_html(name: str) -> None:
    texts = Texts()
    texts.feed(html(of(name)))
    texts.close()
    assert texts.open == []
    shown = [(tag, data) for tag, data in texts.found if tag in {"bdi", "li"}]
    assert shown == [*([("bdi", visible(name))] if visible(name).strip() else []), ("li", ": 1 request")]


def test_html_needs_no_other_file() -> None:
    page = html(report())
    assert "src=" not in page
    assert "href=" not in page
    assert "url(" not in page
