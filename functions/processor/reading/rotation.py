"""Name a log that is rotated: by its folder, its name without what rotation adds to it, and how it begins.

``access.log`` becomes ``access.log.1``, and later ``access.log-20240903.gz``; the next ``access.log`` is another log. What stays is
the first request, so its line is part of the key.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from blake3 import blake3

from logstats.native import Aggregator
from processor.reading.head import read_head
from processor.reading.objects import LocalFile
from processor.reading.readable import recognise
from processor.reading.rules import FormatRule

_COMPRESSED = re.compile(r"(?<=.)\.(gz|zst|bz2|xz)\Z")
_ROTATED = re.compile(
    r"""(?P<stem>.+?)
    (?:[-._]\d[-._:\dTZ]*)?  # the number or the time, as in app-20240903.log
    (?P<extension>\.[A-Za-z]\w*)?
    (?:[-._]\d[-._:\dTZ]*)?  # the same, as in app.log.1""",
    re.VERBOSE | re.DOTALL,
)
_FINGERPRINT_BYTES = 8


def base_name(name: str) -> str:
    """Return a file's name without numbers and times of rotation, at its end or before its extension, and without compression.

    Examples
    --------
    >>> base_name("access.log-20240903.gz"), base_name("app.1.log")
    ('access.log', 'app.log')
    """
    found = _ROTATED.fullmatch(_COMPRESSED.sub("", name))
    return found["stem"] + (found["extension"] or "") if found else name


def known_by_beginning(file: LocalFile, name: str | None, rules: Iterable[FormatRule]) -> LocalFile | None:
    """Let a file be known by its beginning; None while it has none, since nothing but headers has been written yet.

    A `name` stands for its folder and its name. Where the first 64 KiB hold no request, the first rejected line is the
    beginning. A `SourceError` if it cannot be read.
    """
    known_as = name or str(Path(file.path).with_name(base_name(Path(file.path).name)))
    prefix = f"{known_as}@"
    log = recognise(replace(file, key=prefix), read_head(file), rules)
    line = _first_request(log.program, log.head.sample)
    if line is None and log.head.is_complete and not log.head.compression:
        return None
    beginning = log.head.sample if line is None else line.rstrip(b"\r\n")
    fingerprint = blake3(beginning).hexdigest(_FINGERPRINT_BYTES)
    return replace(file, key=prefix + fingerprint, is_by_beginning=True)


def _first_request(program: bytes, sample: bytes) -> bytes | None:
    """Return the first whole line that is a request, or else the first that is rejected, if there is one."""
    aggregator, rejected = Aggregator(program=program), None
    for line in io.BytesIO(sample[: sample.rfind(b"\n") + 1]):
        aggregator.feed(line, len(line))
        counts = aggregator.counts
        if counts.accepted:
            return line
        if rejected is None and counts.rejected_by_reason:
            rejected = line
    return rejected
