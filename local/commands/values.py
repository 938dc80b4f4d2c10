"""Values of options that the API takes too, with its messages."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from local.errors import UserError


def valid(name: str, kind: Any, text: str) -> Any:  # noqa: ANN401 - an annotated type, and its value
    """Return the value that a text stands for; a `UserError` names the option."""
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise UserError(f"{name}: {error.errors()[0]['msg']}.") from None
