import pytest

from local.display import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red] :smile: ü 客 \\", "plain [red] :smile: ü 客 \\"),
        ("\x1b]0;title\x07 \x1b[2J", "\\x1b]0;title\\x07 \\x1b[2J"),
        ("a\tb\r\nc\x00\x7f\x9b", "a\\tb\\r\\nc\\x00\\x7f\\x9b"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
