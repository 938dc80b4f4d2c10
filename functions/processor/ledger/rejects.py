"""Where rejected lines are kept, as the ledger needs to know it; `processor.reject_stores` has the stores."""

from typing import Protocol


class DeletionError(Exception):
    """Kept lines cannot be deleted now; the message is for people."""


class RejectStore(Protocol):
    """Keeps rejected lines, a document for each attempt."""

    def uri(self, name: str) -> str:
        """Return the URI of a document; it need not exist yet."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a document.

        Raises
        ------
        Exception
            If it cannot be kept now; then the log object must not count either.
        """

    def delete(self, uri: str) -> None:
        """Delete a document; one that is not there is fine.

        Raises
        ------
        DeletionError
            If it cannot be deleted, or is not this store's to delete.
        """
