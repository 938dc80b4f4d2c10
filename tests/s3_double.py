"""A small S3 over HTTP for code that runs in other processes and containers: versions, byte ranges, `If-Match`.

An object can be a block repeated many times, so that gigabytes need no disk. (moto does the rest, in process.)
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object: `block`, `repeats` times. A stalled one never sends its body."""

    version_id: str
    block: bytes
    repeats: int = 1
    is_stalled: bool = False

    @property
    def size(self) -> int:
        return len(self.block) * self.repeats

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.block, usedforsecurity=False).hexdigest()}-{self.repeats}"'

    def read(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            offset = start % len(self.block)
            piece = self.block[offset : offset + min(_PIECE, end - start)]
            yield piece
            start += len(piece)


@dataclass(slots=True)
class S3Double:
    """The server, on a free port of 127.0.0.1.

    Attributes
    ----------
    fault
        Asked with the method of each HEAD, GET and PUT of an object, before the answer: "slow down" answers 503,
        "cut" sends half of the body and ends the connection, "empty" nothing of it, "stall" never answers; anything else is no fault.
    """

    objects: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    fault: Callable[[str], str] = lambda _: ""
    is_versioned: bool = True
    _server: ThreadingHTTPServer | None = None

    @property
    def endpoint(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret
        }

    def put(self, bucket: str, key: str, block: bytes, repeats: int = 1, *, stalled: bool = False) -> Version:
        versions = self.objects.setdefault((bucket, key), [])
        versions.append(Version(f"v{len(versions) + 1}", block, repeats, stalled))
        return versions[-1]

    def find(self, bucket: str, key: str, version_id: str | None) -> Version | None:
        versions = self.objects.get((bucket, key), [])
        return next((each for each in reversed(versions) if version_id in (None, each.version_id)), None)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"s3": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    s3: S3Double
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if not self._fails() and (version := self._version()):
            self._start(200, version, version.size)

    def do_GET(self) -> None:
        if "list-type=2" in self.path:
            self._list()
            return
        if (fault := self._fails()) == "answered" or not (version := self._version()):
            return
        if self.headers.get("If-Match", version.etag) != version.etag:
            self._start(412, version, 0)
            return
        start, end, status = 0, version.size, 200
        if found := _RANGE.fullmatch(self.headers.get("Range", "")):
            start, end, status = int(found[1]), int(found[2]) + 1, 206
        self._start(status, version, end - start)
        if version.is_stalled:
            self.s3.released.wait()
            self.close_connection = True
            return
        if fault in ("cut", "empty"):
            self.close_connection, end = True, (start + end) // 2 if fault == "cut" else start
        try:
            for piece in version.read(start, end):
                self.wfile.write(piece)
        except ConnectionError:  # the reader was killed
            self.close_connection = True

    def do_PUT(self) -> None:
        if self._fails():
            return
        bucket, key, _ = self._name()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._start(200, self.s3.put(bucket, key, body), 0)

    def do_DELETE(self) -> None:
        if not self._fails():
            bucket, key, _ = self._name()
            self.s3.objects.pop((bucket, key), None)
            self._start(204, None, 0)

    def _list(self) -> None:
        """Answer `ListObjectsV2`, two keys to a page."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        bucket, prefix, after = (
            url.path.strip("/"),
            query.get("prefix", ""),
            query.get("continuation-token", ""),
        )
        keys = sorted(
            key for name, key in self.s3.objects if name == bucket and key.startswith(prefix) and key > after
        )
        page, more = keys[:2], len(keys) > 2
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{self.s3.objects[bucket, key][-1].size}</Size></Contents>"
            for key in page
        )
        rest = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        body = f"<ListBucketResult>{contents}{rest}<IsTruncated>{str(more).lower()}</IsTruncated></ListBucketResult>"
        self._start(200, None, len(body.encode()))
        self.wfile.write(body.encode())

    def _fails(self) -> str:
        """Answer by a fault ("answered"), or say which one the answer is to have."""
        fault = self.s3.fault(self.command)
        if fault == "stall":
            self.s3.released.wait()
            self.close_connection = True
            return "answered"
        if fault == "slow down":
            body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
            self.close_connection = True  # the body of a PUT has not been read
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            return "answered"
        return fault

    def _name(self) -> tuple[str, str, str | None]:
        url = urlsplit(self.path)
        _, bucket, key = unquote(url.path).split("/", 2)
        return bucket, key, parse_qs(url.query).get("versionId", [None])[0]

    def _version(self) -> Version | None:
        version = self.s3.find(*self._name())
        if not version:
            self._start(404, None, 0)
        return version

    def _start(self, status: int, version: Version | None, length: int) -> None:
        self.send_response(status)
        if version:
            self.send_header("ETag", version.etag)
            self.send_header("Last-Modified", "Fri, 02 Jan 2026 00:00:00 GMT")
            if self.s3.is_versioned:
                self.send_header("x-amz-version-id", version.version_id)
        self.send_header("Content-Length", str(length))
        self.end_headers()
