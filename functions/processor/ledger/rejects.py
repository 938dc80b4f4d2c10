"""Where rejected lines are kept, as the ledger needs to know it; `processor.reject_stores` has the stores."""

from typing import Protocol


class DeletionError(Exception):
    """Kept lines cannot be deleted now; the message is for people."""


class RejectStore(Protocol):
    """Keeps rejected lines, a document for each attempt."""

    def delete(self, uri: str) -> None:
        """Delete a document, if it is there; a `DeletionError` if that fails, or it is not this store's."""
