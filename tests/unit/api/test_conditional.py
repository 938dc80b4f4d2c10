import pytest

from api.conditional import matches


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ("", False),
        ('"7-1-json"', True),
        ('W/"7-1-json"', True),
        ('"6-1-json", "7-1-json"', True),
        ('"6-1-json","8-1-json"', False),
        ('"7-1-csv"', False),
        ('"17-1-json"', False),
        ("7-1-json", False),
        ("*", True),
        (" * ", True),
    ],
)
def test_a_validator_is_found_in_its_list(header: str | None, *, same: bool) -> None:
    assert matches(header, '"7-1-json"') == same
