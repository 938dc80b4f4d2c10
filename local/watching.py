"""Look for files that are new or have changed, round by round; nothing is kept but their sizes and times."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from local.ingestion import Naming, problem_of
from processor.bulk import Result
from processor.reading.objects import SourceError, TransientSourceError
from processor.sources import Source, file_source, files_of

_Identity = str | tuple[int, int]
_State = tuple[int, int, int]


@dataclass(slots=True)
class Watch:
    """Files, folders and patterns, and what of them has been dealt with.

    A file that is known by how it begins is the same under another name, so it is not read again when it is renamed. What
    cannot be read is told once, and read again when it changes, or at once where trying again helps.

    Attributes
    ----------
    tell
        Takes a line for people.
    """

    sources: Sequence[str]
    naming: Naming
    ignore: Sequence[str]
    tell: Callable[[str], object]
    _seen: dict[_Identity, _State] = field(default_factory=dict)
    _reading: dict[str, tuple[_Identity, _State]] = field(default_factory=dict)
    _problems: dict[str, str] = field(default_factory=dict)
    _missing: set[str] = field(default_factory=set)

    def changed(self) -> Iterator[Source]:
        """Go through all files once, and yield those that are new or have changed."""
        present: set[_Identity] = set()
        problems: set[str] = set()
        self._reading.clear()
        for source in self.sources:
            is_there = os.path.isdir(source)  # noqa: PTH112 - a pattern may be no path
            for path in files_of(source, self.ignore):
                name = str(path)
                problems.add(name)
                if isinstance(path, SourceError):
                    self._tell_once(name, name)
                    continue
                try:
                    status = path.stat()
                except OSError:
                    continue  # it is not there, or no longer
                if not stat.S_ISREG(status.st_mode):
                    continue
                is_there = True
                identity = (status.st_dev, status.st_ino) if self.naming.is_rotated else name
                state = status.st_size, status.st_mtime_ns, status.st_ino
                present.add(identity)
                if self._seen.get(identity) != state and name not in self._reading:
                    self._reading[name] = identity, state
                    yield file_source(path, self.naming.name, is_rotated=self.naming.is_rotated)
            self._notice(source, is_there=is_there)
        self._seen = {identity: state for identity, state in self._seen.items() if identity in present}
        self._problems = {name: told for name, told in self._problems.items() if name in problems}

    def end(self, result: Result) -> None:
        """Take note of what came of a file."""
        name = result.source.name
        identity, state = self._reading[name]
        if problem := problem_of(result):
            self._tell_once(name, problem)
        else:
            self._problems.pop(name, None)
        if not isinstance(result.problem, TransientSourceError):
            self._seen[identity] = state

    def _tell_once(self, name: str, problem: str) -> None:
        if self._problems.get(name) != problem:
            self._problems[name] = problem
            self.tell(problem)

    def _notice(self, source: str, *, is_there: bool) -> None:
        if not is_there and source not in self._missing:
            self._missing.add(source)
            self.tell(f"{source}: nothing is there; waiting for it")
        elif is_there and source in self._missing:
            self._missing.remove(source)
            self.tell(f"{source}: it is there now")
