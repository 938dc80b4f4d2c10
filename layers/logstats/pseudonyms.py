"""Names for customers in logs."""

import hmac
import os
import secrets
from functools import cache

KEY_VARIABLE = "PSEUDONYM_KEY"
_DIGITS = 16


def pseudonym(customer_id: str) -> str:
    """Return what stands for a customer in logs: the same within a deployment, and of no use outside it.

    The first 16 hexadecimal digits of HMAC-SHA256 (RFC 2104) with the deployment's key: a plain digest of ids such as
    `cust_1` could be looked up by trying.
    """
    return hmac.new(_key(), customer_id.encode(errors="surrogatepass"), "sha256").hexdigest()[:_DIGITS]


@cache
def _key() -> bytes:
    return os.environ.get(KEY_VARIABLE, "").encode() or secrets.token_bytes(32)
