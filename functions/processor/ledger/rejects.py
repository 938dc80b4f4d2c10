"""Where rejected lines are kept, as the ledger needs to know it; `processor.reject_stores` has the stores."""

from typing import Protocol


class DeletionError(Exception):
    """Kept lines cannot be deleted now; the message is for people."""


class RejectStore(Protocol):
    """Keeps rejected lines, a document for each attempt."""

    def uri(self, name: str) -> str:
        """Return the URI of a document; it need not exist yet."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a document; an exception if that fails now, and then the log object must not count either."""

    def delete(self, uri: str) -> None:
        """Delete a document, if it is there; a `DeletionError` if that fails, or it is not this store's."""
