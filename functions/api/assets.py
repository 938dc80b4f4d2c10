"""The page's files, ready to be sent: bundled, compressed, named by their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from api.bundle import bundle

FOLDER = Path(__file__).parent / "static"


@dataclass(frozen=True)
class Asset:
    """One file of the page.

    Attributes
    ----------
    media_type
        Its content type.
    body, compressed
        Its content, and the same compressed with gzip.
    etag
        A strong validator of `body`; `compressed` has another.
    """

    media_type: str
    body: bytes
    compressed: bytes
    etag: str

    @classmethod
    def of(cls, text: str, media_type: str) -> "Asset":
        """Make an asset of a text."""
        body = text.encode()
        digest = hashlib.sha256(body).hexdigest()[:32]
        return cls(f"{media_type}; charset=utf-8", body, gzip.compress(body, mtime=0), f'"{digest}"')

    @property
    def compressed_etag(self) -> str:
        """The validator of `compressed`: other bytes need another."""
        return f'{self.etag[:-1]}-gzip"'


@dataclass(frozen=True)
class Assets:
    """All files of the page.

    Attributes
    ----------
    version
        Changes with every change of a file: addresses hold it, so that browsers may keep what they point to.
    index
        The document, which points to the files of its version.
    files
        What the document needs, by name.
    """

    version: str
    index: Asset
    files: Mapping[str, Asset]


@cache
def assets() -> Assets:
    """Read the files, once and when they are first asked for: a cold start does without them."""
    files = {
        "page.css": Asset.of((FOLDER / "page.css").read_text(encoding="utf-8"), "text/css"),
        "page.js": Asset.of(bundle(FOLDER / "app.js"), "text/javascript"),
    }
    version = hashlib.sha256(b"".join(files[name].body for name in sorted(files))).hexdigest()[:16]
    index = (FOLDER / "index.html").read_text(encoding="utf-8").replace('"static/', f'"static/{version}/')
    return Assets(version, Asset.of(index, "text/html"), MappingProxyType(files))
