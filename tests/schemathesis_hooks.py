"""What the OpenAPI document cannot say, and schemathesis must know to tell valid requests from others.

Loaded by `tests/e2e/test_openapi_contract.py` through SCHEMATHESIS_HOOKS.
"""

from collections.abc import Mapping
from typing import Any

import schemathesis


@schemathesis.hook
def filter_query(_context: schemathesis.HookContext, query: Mapping[str, Any] | None) -> bool:
    """Leave out days in the wrong order: each is valid, both together are refused, as tests of our own show."""
    first, last = ((query or {}).get(name) for name in ("from", "to"))
    return not (isinstance(first, str) and isinstance(last, str) and first > last)
