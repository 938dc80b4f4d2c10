import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from api import paging


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_cursor_comes_back_as_its_position(position: str) -> None:
    assert paging.decode("customers", paging.encode("customers", position)) == position


@given(st.text())
def test_anything_else_is_refused(cursor: str) -> None:
    try:
        position = paging.decode("customers", cursor)
    except RequestValidationError:
        return
    assert paging.encode("customers", position) == cursor


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "=",
        "ä",
        paging.encode("ingestions", "1.1"),
        "Y3VzdG9tZXJz",
        "Y3VzdG9tZXJzOg==",
        "Y3VzdG9tZXJzOgA",
    ],
)
def test_what_is_no_cursor_of_this_list(cursor: str) -> None:
    with pytest.raises(RequestValidationError):
        paging.decode("customers", cursor)
