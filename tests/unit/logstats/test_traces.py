"""Spans: what is sent to X-Ray's daemon, by whom, and when nothing is."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from logstats import traces

ROOT, FUNCTION = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"


class Daemon:
    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening

    def spans(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        while True:
            try:
                header, document = self.listening.recv(65_536).split(b"\n", 1)
            except TimeoutError:
                return found
            assert json.loads(header) == {"format": "json", "version": 1}
            span = json.loads(document)
            found[span["name"]] = span


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={FUNCTION};Sampled=1;Lineage=a:0")
        yield Daemon(listening)


def test_a_span_within_a_span_is_its_child(daemon: Daemon) -> None:
    with traces.span("outer"):
        with traces.span("inner"):
            pass
        with traces.span("next"):
            pass
    spans = daemon.spans()
    assert spans["outer"]["parent_id"] == FUNCTION
    assert spans["inner"]["parent_id"] == spans["next"]["parent_id"] == spans["outer"]["id"]
    assert {span["trace_id"] for span in spans.values()} == {ROOT}
    assert spans["outer"]["start_time"] <= spans["inner"]["start_time"] <= spans["inner"]["end_time"]
    assert len({span["id"] for span in spans.values()}) == 3


def test_an_error_passes_and_is_a_fault_without_its_text(daemon: Daemon) -> None:
    with pytest.raises(ValueError, match="secret"), traces.span("parse"):
        raise ValueError("secret")
    assert daemon.spans()["parse"]["fault"] is True
    assert "secret" not in json.dumps(daemon.spans())


def test_a_thread_s_span_is_the_function_s_child(daemon: Daemon) -> None:
    def work() -> None:
        with traces.span("download"):
            pass

    with traces.span("parse"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert daemon.spans()["download"]["parent_id"] == FUNCTION


def test_tasks_do_not_take_each_other_s_spans_for_their_parents(daemon: Daemon) -> None:
    async def work(name: str) -> None:
        with traces.span(name):
            await asyncio.sleep(0.01)
            with traces.span(f"{name} query"):
                await asyncio.sleep(0.01)

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(both())
    spans = daemon.spans()
    for name in "ab":
        assert spans[f"{name} query"]["parent_id"] == spans[name]["id"]


def test_a_span_left_open_by_an_earlier_invocation_is_nobody_s_parent(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traces.span("earlier"):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3;Parent=0123456789abcdef;Sampled=1")
        with traces.span("later"):
            pass
    assert daemon.spans()["later"]["parent_id"] == "0123456789abcdef"


@pytest.mark.parametrize(
    "header", ["", f"Root={ROOT};Parent={FUNCTION};Sampled=0", f"Root={ROOT}", "Sampled=1", "nonsense"]
)
def test_nothing_is_sent_of_what_is_not_sampled(
    header: str, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    with traces.span("query"):
        pass
    assert daemon.spans() == {}


def test_nothing_is_sent_without_a_daemon(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_XRAY_DAEMON_ADDRESS")
    with traces.span("query"):
        pass
    assert daemon.spans() == {}


def test_a_daemon_that_is_not_there_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={FUNCTION};Sampled=1")
    for _ in range(3):  # the second datagram gets the first one's refusal
        with traces.span("query"):
            pass
