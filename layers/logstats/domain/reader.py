"""Read log lines as a format declares them: the readable definition of what a line comes to.

The compiled kernel (`logstats.native`) decides the same from the same declaration, faster; differential property tests
hold the two together. All rules are in this one module, in the order in which they are asked.
"""

import re

from logstats.domain.format import PATH, TARGET, Format
from logstats.domain.layouts import FIELDS, LAYOUTS, Columns, LayoutError, Values
from logstats.domain.line import (
    CLOSED_STATUS,
    MAX_CUSTOMER_ID_CHARACTERS,
    MAX_DURATION_US,
    MAX_LINE_BYTES,
    NO_CUSTOMER,
    SKIPPED,
    RejectReason,
    Request,
    Skipped,
)
from logstats.domain.values import parse_duration, parse_interval, parse_timestamp, path_of, take_part

__all__ = ["SKIPPED", "Reader", "RejectReason", "Request", "Skipped"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""The control characters (Unicode's category Cc), and halves of surrogate pairs."""
_STATUS = re.compile("[1-5][0-9]{2}")
_SWITCHING_PROTOCOLS = 101


class _Rejected(Exception):  # noqa: N818 - not an error: the verdict on a line
    def __init__(self, reason: RejectReason) -> None:
        self.reason = reason


class Reader:
    """Read the lines of one object, in their order.

    Examples
    --------
    >>> from logstats.formats import presets
    >>> Reader(presets()["logstats"]).read(b"2024-09-03 12:00:01 cust_1 /api 200 0.123")
    Request(timestamp_ns=1725364801000000000, customer_id='cust_1', method=None, path='/api', status_code=200, \
duration_us=123000)
    """

    def __init__(self, declared: Format) -> None:
        self._format = declared
        self._layout = LAYOUTS[declared.layout](declared)
        self._skip = tuple(text.encode() for text in declared.skip)
        self._only = {name: [_glob(text) for text in texts] for name, texts in declared.only.items()}

    @property
    def header(self) -> bytes:
        """The `#Fields:` line in force, which names the columns; empty if there was none."""
        return self._layout.header if isinstance(self._layout, Columns) else b""

    @header.setter
    def header(self, line: bytes) -> None:
        if isinstance(self._layout, Columns):
            self._layout.header = line

    def read(self, line: bytes, latest: int | None = None) -> Request | RejectReason | Skipped | None:
        """Read the bytes between two LFs, of which one trailing CR is dropped.

        A line from after `latest`, in seconds since 1970, is rejected.

        Returns
        -------
        Request | RejectReason | Skipped | None
            The request, the reason why there is none, or that it is none by its format; None for a blank line, which
            counts nowhere.
        """
        line = line.removesuffix(b"\r")
        if not line:
            return None
        if self._is_comment(line):
            return SKIPPED
        try:
            values = self._divide(line)
            return SKIPPED if self._is_other(values) else self._request(values, latest)
        except LayoutError as error:
            other = error.values is not None and self._is_other(error.values)
            return SKIPPED if other else RejectReason.LAYOUT
        except _Rejected as rejected:
            return rejected.reason

    def values(self, line: bytes) -> Values:
        """Return the values of a line that is UTF-8, whatever they say.

        Raises
        ------
        LayoutError
            If the line has not the declared form.
        """
        return self._layout.read(line.removesuffix(b"\r"))

    def _is_comment(self, line: bytes) -> bool:
        if isinstance(self._layout, Columns) and line.startswith(FIELDS):
            self._layout.header = line
            return True
        return line.startswith(self._skip)

    def _divide(self, line: bytes) -> Values:
        if len(line) > MAX_LINE_BYTES:
            raise _Rejected(RejectReason.TOO_LONG)
        try:
            line.decode()
        except UnicodeDecodeError:
            raise _Rejected(RejectReason.ENCODING) from None
        return self._layout.read(line)

    def _is_other(self, values: Values) -> bool:
        """Return whether a line is none of those that `only` names."""
        return any(not _matches(_present(values.get(name)), globs) for name, globs in self._only.items())

    def _request(self, values: Values, latest: int | None) -> Request:
        timestamp_ns = self._timestamp(values)
        if latest is not None and timestamp_ns > latest * 10**9:
            raise _Rejected(RejectReason.TIMESTAMP)
        method, target = self._method_and_target(values)
        path = path_of(target) if target else None
        customer_id = self._customer(values | {TARGET: target, PATH: path})
        if self._format.request and self._format.request.required and not (path and _is_printable(path)):
            raise _Rejected(RejectReason.REQUEST_PATH)
        status_code = self._status(values)
        duration_us = None if status_code == _SWITCHING_PROTOCOLS else self._duration(values)
        return Request(timestamp_ns, customer_id, method, path, status_code, duration_us)

    def _timestamp(self, values: Values) -> int:
        texts = [_present(values.get(name)) for name in self._format.timestamp.value]
        text = " ".join(text for text in texts if text)
        timestamp_ns = parse_timestamp(text, self._format.timestamp.form, self._format.timestamp.zone)
        if None in texts or timestamp_ns is None:
            raise _Rejected(RejectReason.TIMESTAMP)
        return timestamp_ns

    def _method_and_target(self, values: Values) -> tuple[str | None, str | None]:
        declared = self._format.request
        if declared is None:
            return None, None
        if not declared.value:
            method = values.get(declared.method) if declared.method else None
            return _present(method), _present(values.get(declared.target or ""))
        method, _, target = (_present(values.get(declared.value)) or "").partition(" ")
        target = target.rpartition(" ")[0] if " " in target else target
        return _present(method), _present(target)

    def _customer(self, values: Values) -> str:
        for name in self._format.customer.value:
            value = _present(values.get(name))
            if value and not _is_unicode(value):
                raise _Rejected(RejectReason.CUSTOMER_ID)
            if value and self._format.customer.part:
                value = _present(take_part(value, self._format.customer.part))
            if value:
                if len(value) > MAX_CUSTOMER_ID_CHARACTERS or not _is_printable(value):
                    raise _Rejected(RejectReason.CUSTOMER_ID)
                return value
        return NO_CUSTOMER

    def _status(self, values: Values) -> int:
        text = values.get(self._format.status.value) or ""
        if text in self._format.status.closed:
            return CLOSED_STATUS
        if not _STATUS.fullmatch(text):
            raise _Rejected(RejectReason.STATUS_CODE)
        return int(text)

    def _duration(self, values: Values) -> int | None:
        declared = self._format.duration
        if declared is None:
            return None
        names = declared.value or (declared.start or "", declared.end or "")
        texts = [text for name in names if (text := _present(values.get(name))) and text != "-1"]
        if len(texts) < len(names):
            return None
        if declared.unit:
            durations = [parse_duration(text, declared.unit) for text in texts]
        else:
            assert declared.form  # noqa: S101 - for the type checker: there is a unit or a form
            durations = [parse_interval(texts[0], texts[1], declared.form, self._format.timestamp.zone)]
        known = [duration for duration in durations if duration is not None]
        if len(known) < len(durations) or sum(known) > MAX_DURATION_US:
            raise _Rejected(RejectReason.DURATION)
        return sum(known)


def _present(value: str | None) -> str | None:
    return None if value in ("", "-") else value


def _glob(text: str) -> re.Pattern[bytes]:
    """Compile a pattern in which `*` stands for any bytes and `?` for one. What one `*` took is not tried again for the next."""
    first, *others = (b".".join(map(re.escape, piece.split(b"?"))) for piece in text.encode().split(b"*"))
    middle = b"".join(b"(?>.*?%b)" % piece for piece in others[:-1])
    return re.compile(first + middle + (b".*" + others[-1] if others else b""), re.DOTALL)


def _matches(value: str | None, globs: list[re.Pattern[bytes]]) -> bool:
    if value is None or not _is_unicode(value):
        return False
    return any(glob.fullmatch(value.encode()) for glob in globs)


def _is_unicode(value: str) -> bool:
    """Return whether a value is text: JSON can escape half of a surrogate pair."""
    return not _SURROGATE.search(value)


def _is_printable(text: str) -> bool:
    """Return whether a text is Unicode without control characters."""
    return not _UNPRINTABLE.search(text)
