import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.termination import deferred, stopped_by_exception, uninterrupted

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", STOPPING)
def test_every_way_to_stop_runs_the_cleaning_up(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopped_by_exception():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", STOPPING)
def test_a_deferred_signal_comes_after_the_block(number: signal.Signals) -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), stopped_by_exception():  # noqa: PT012 - the order is the point
        with deferred():
            signal.raise_signal(number)
            reached.append("end of the block")
        reached.append("after the block")
    assert reached == ["end of the block"]


def test_a_deferred_signal_wins_over_the_error_it_causes() -> None:
    with pytest.raises(KeyboardInterrupt), stopped_by_exception(), deferred():  # noqa: PT012 - see above
        signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("a child has received the signal too")


@pytest.mark.parametrize("number", STOPPING)
def test_cleaning_up_is_not_interrupted(number: signal.Signals) -> None:
    with stopped_by_exception(), uninterrupted():
        signal.raise_signal(number)


def test_other_threads_leave_signals_alone() -> None:
    def within() -> object:
        with stopped_by_exception(), uninterrupted():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor() as pool:
        assert pool.submit(within).result() == signal.getsignal(signal.SIGTERM)


def test_a_command_under_nohup_survives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_exception():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
