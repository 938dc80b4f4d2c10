"""What the OpenAPI document cannot say, and schemathesis must know to tell valid requests from others.

Loaded by `tests/e2e/test_openapi_contract.py` through SCHEMATHESIS_HOOKS.
"""

from collections.abc import Mapping
from typing import Any

import schemathesis

OF_A_RANGE = {"to", "sort", "days", "format"}
"""Parameters that need `from`, which is optional where these are."""


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out parameters each of which is valid, and refused together, as tests of our own show."""
    asked: Mapping[str, Any] = case.query or {}
    first, last = asked.get("from"), asked.get("to")
    if isinstance(first, str) and isinstance(last, str) and first > last:
        return False
    if asked.get("after") and case.operation.path.endswith(("/routes", "/routes/customers")):
        return False
    if asked.get("tz") not in (None, "UTC", "Europe/Berlin"):
        return False
    if case.operation.path not in ("/customers", "/overview"):
        return True
    if first is None:
        return not asked.keys() & OF_A_RANGE
    return not asked.get("after")
