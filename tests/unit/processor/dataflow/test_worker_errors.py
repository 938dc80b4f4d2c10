"""The errors of a flow's workers."""

import signal
from collections.abc import Iterator

import pytest

from processor.dataflow.worker_errors import WorkerErrors


@pytest.fixture(autouse=True)
def _usual_handler() -> Iterator[None]:
    """Python's own, which is not there where whoever starts pytest ignores interrupts."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, found)


def test_the_first_error_is_the_one_that_is_told() -> None:
    """The others follow from it."""
    errors, first = WorkerErrors(), ValueError("first")
    errors.fail(first)
    errors.fail(OSError("second"))
    assert errors.error is first


def test_the_first_interrupt_ends_the_flow_and_a_second_one_is_raised_where_it_comes() -> None:
    errors = WorkerErrors()
    with errors.interruptible():
        signal.raise_signal(signal.SIGINT)
        assert isinstance(errors.error, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_after_the_flow_an_interrupt_is_raised_as_ever() -> None:
    with WorkerErrors().interruptible():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
