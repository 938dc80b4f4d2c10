"""State that the local cloud keeps between runs, and the process that runs it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.errors import UserError


@dataclass(frozen=True, slots=True)
class State:
    """A folder: database and objects, which survive; logs; and the record of the running process."""

    folder: Path

    @property
    def logs(self) -> Path:
        """The folder for logs."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """Return the log file of a part of the cloud."""
        return self.logs / f"{name}.log"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder: one local cloud at a time; a `UserError` if another process owns it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.folder / "cloud.json").open("a+", encoding="utf-8") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = self.owner()
                raise UserError(
                    f"A local cloud runs already in {self.folder} (process {owner.pid if owner else 'unknown'}); "
                    "stop it with: logstats down"
                ) from None
            record.truncate(0)
            json.dump({"pid": os.getpid(), "created": psutil.Process().create_time()}, record)
            record.flush()
            try:
                yield
            finally:
                record.truncate(0)

    @contextmanager
    def announced(self, endpoint: str, ca_bundle: Path | None) -> Iterator[None]:
        """Let other commands know where the emulator answers, for a while."""
        self._address.write_text(json.dumps([endpoint, str(ca_bundle or "")]), encoding="utf-8")
        try:
            yield
        finally:
            self._address.unlink(missing_ok=True)

    def endpoint(self) -> tuple[str, Path | None] | None:
        """Return the URL of the emulator that runs here, and whom to trust that it is; None if there is none."""
        try:
            endpoint, ca_bundle = json.loads(self._address.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return endpoint, Path(ca_bundle) if ca_bundle else None

    def owner(self) -> psutil.Process | None:
        """Return the process that runs a local cloud here, if there is one."""
        try:
            record = json.loads((self.folder / "cloud.json").read_text(encoding="utf-8"))
            process = psutil.Process(record["pid"])
        except (FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
            return None
        return process if process.create_time() == record["created"] else None

    @property
    def _address(self) -> Path:
        return self.folder / "emulator.json"
