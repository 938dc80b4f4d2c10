"""Reading from an S3 that throttles, breaks off and replaces: a real client and a real HTTP server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from processor.reading.objects import ByteRange, TransientSourceError
from processor.reading.s3 import MissingError, S3Object, create_client

DATA = bytes(range(256)) * 2_000


class FaultyS3(BaseHTTPRequestHandler):
    """Serves DATA; `faults` are used up one by one."""

    faults: ClassVar[list[str]] = []
    ranges: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._head(404 if self.path.startswith("/logs/missing") else 200, len(DATA))

    def do_GET(self) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault.isdigit():
            self._head(int(fault), 0)
            return
        self.ranges.append(self.headers["Range"])
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        body = DATA[first : last + 1]
        self._head(206, len(body))
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        self.close_connection = True

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("x-amz-version-id", "v1")
        self.send_header("Content-Length", str(length))
        self.end_headers()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Object]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    FaultyS3.faults, FaultyS3.ranges = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FaultyS3)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = create_client(region_name="eu-west-1", endpoint_url=f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("processor.reading.s3.time.sleep", lambda _: None)
    yield S3Object.head(client, "logs", "a.log", "v1")
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def read(opened: ByteRange) -> bytes:
    buffer, read = bytearray(70_000), bytearray()
    try:
        while count := opened.readinto(memoryview(buffer)):
            read += buffer[:count]
    finally:
        opened.close()
    return bytes(read)


def test_a_body_that_breaks_off_is_read_on_from_there(log: S3Object) -> None:
    FaultyS3.faults = ["cut", "cut"]
    assert read(log.open_range(10, len(DATA))) == DATA[10:]
    starts = [int(asked.removeprefix("bytes=").split("-")[0]) for asked in FaultyS3.ranges]
    assert starts == sorted(set(starts))
    assert len(starts) == 3


def test_throttling_is_waited_for(log: S3Object) -> None:
    FaultyS3.faults = ["503", "503"]
    assert read(log.open_range(0, len(DATA))) == DATA


@pytest.mark.parametrize("status", ["503", "412"])
def test_what_may_pass_is_told_from_what_will_not(log: S3Object, status: str) -> None:
    FaultyS3.faults = [status] * 100
    with pytest.raises(TransientSourceError):
        read(log.open_range(0, len(DATA)))


def test_a_missing_version_is_a_permanent_error(log: S3Object) -> None:
    with pytest.raises(MissingError, match="does not exist"):
        S3Object.head(log.client, "logs", "missing.log", "v9")


def test_a_body_may_break_off_any_number_of_times_while_there_is_progress(log: S3Object) -> None:
    FaultyS3.faults = ["cut"] * 12
    assert read(log.open_range(0, len(DATA))) == DATA
    assert len(FaultyS3.ranges) == 13
