"""Child processes that never outlive this one.

Each holds the reading end of a pipe, its *lifeline*, as standard input. When this process ends, however it
ends, the pipe closes, and the child ends itself and its process group.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

_GRACE_SECONDS = 5.0


class Child:
    """A process in a session of its own: signals of the terminal do not reach it.

    Parameters
    ----------
    log
        The file that standard error is appended to, and standard output unless `talks`.
    talks
        Whether standard output is a pipe to read from.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, talks: bool = False
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else file,
                stderr=file,
                bufsize=0,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id, which is also its process group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    @property
    def answers(self) -> IO[bytes]:
        """Its standard output, if it talks."""
        assert self._process.stdout is not None  # noqa: S101 - the caller asked for a pipe
        return self._process.stdout

    def hang_up(self, seconds: float = _GRACE_SECONDS) -> None:
        """Close the lifeline, and wait for the child to end by itself; kill it when it takes too long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the whole group, at once."""
        with suppress(ProcessLookupError, PermissionError):  # macOS: the latter when only zombies are left
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
