"""The page's files, ready to be sent: bundled, compressed, named by their content."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{ [\w, ]+ \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |class |const )", re.MULTILINE)


class Asset(NamedTuple):
    """One file of the page: its content type, its content, and the same compressed with gzip."""

    media_type: str
    body: bytes
    compressed: bytes


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
    files: dict[str, Asset]


@cache
def assets() -> Assets:
    """Read the files, once and when they are first asked for: a cold start does without them."""
    index, style, script = _read("index.html"), _read("page.css"), bundle(FOLDER / "app.js")
    version = hashlib.sha256((index + style + script).encode()).hexdigest()[:16]
    index = index.replace('"static/', f'"static/{version}/')
    files = {"page.css": _asset(style, "text/css"), "page.js": _asset(script, "text/javascript")}
    return Assets(version, _asset(index, "text/html"), files)


def bundle(entry: Path) -> str:
    """Return a module of the page and all that it imports as one script, each after those it imports.

    Each file is a request, and behind a Lambda function each request of a burst needs an environment of its own.
    Two forms are joined, by leaving them out: ``import { a, b } from "./other.js";`` and ``export`` before a
    function, class or constant.
    """
    joined: dict[Path, str] = {}

    def add(module: Path) -> None:
        source = module.read_text(encoding="utf-8")
        for name in _IMPORT.findall(source):
            if module.parent / name not in joined:
                add(module.parent / name)
        joined[module] = _EXPORT.sub("", _IMPORT.sub("", source))

    add(entry)
    return "\n".join(joined.values())


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _asset(text: str, media_type: str) -> Asset:
    body = text.encode()
    return Asset(f"{media_type}; charset=utf-8", body, gzip.compress(body, mtime=0))
