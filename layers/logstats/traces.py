"""Spans of X-Ray, without its SDK, which gets no more releases after February 2027 (docs/decisions/0012).

A span is one datagram to the daemon that Lambda runs beside a function with active tracing: a subsegment, in the form of
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html. Where there is no daemon, or the
invocation is not sampled, nothing is made and nothing sent. A span says how long something took and whether it failed;
never on what data.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache

_HEADER = b'{"format": "json", "version": 1}\n'
_parent: ContextVar[tuple[str, str] | None] = ContextVar("span", default=None)
"""Trace and id of the span that is open, so that one of an earlier invocation is not taken for it."""


@contextmanager
def span(name: str) -> Iterator[None]:
    """Time a block; within another span of the same thread or task it is that one's child."""
    sampled = _sampled()
    if sampled is None:
        yield
        return
    address, trace_id, parent = sampled
    outer = _parent.get()
    if outer is not None and outer[0] == trace_id:
        parent = outer[1]
    segment: dict[str, object] = {
        "name": name,
        "id": secrets.token_hex(8),
        "trace_id": trace_id,
        "parent_id": parent,
        "type": "subsegment",
        "start_time": time.time(),
    }
    token = _parent.set((trace_id, str(segment["id"])))
    try:
        yield
    except BaseException:
        segment["fault"] = True
        raise
    finally:
        _parent.reset(token)
        segment["end_time"] = time.time()
        _send(segment, address)


def _sampled() -> tuple[str, str, str] | None:
    """Return the daemon's address, the trace and the function's own segment, if this invocation is traced."""
    address, header = os.environ.get("AWS_XRAY_DAEMON_ADDRESS"), os.environ.get("_X_AMZN_TRACE_ID")
    if not address or not header:
        return None
    fields = dict(field.partition("=")[::2] for field in header.split(";"))
    if fields.get("Sampled") != "1" or "Root" not in fields or "Parent" not in fields:
        return None
    return address, fields["Root"], fields["Parent"]


def _send(segment: dict[str, object], address: str) -> None:
    host, _, port = address.rpartition(":")
    with suppress(OSError):  # a span that is lost is lost; the work it is about is not
        _socket().sendto(_HEADER + json.dumps(segment).encode(), (host, int(port)))


@cache
def _socket() -> socket.socket:
    sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sending.setblocking(False)  # noqa: FBT003 - the name says it
    return sending
