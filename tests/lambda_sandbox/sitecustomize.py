"""Lambda's limits for a plain subprocess: Python imports this module at start when its folder is on the path.

The file system is read-only but for /tmp, and without /dev/shm there are no semaphores. Native code is not held
to it; the container tests hold all to it.
"""

import errno
import os
import sys
from importlib import import_module
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    is_change = event in _CHANGES or (event == "open" and arguments[2] & _WRITES)
    if not is_change or isinstance(arguments[0], int):
        return
    name = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - as cheap as an audit hook must be
    if not name.startswith(("/tmp/", "/dev/null")):  # noqa: S108 - what Lambda allows
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)


class _NoSemaphore:
    SEM_VALUE_MAX = 1

    def __init__(self, *_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


sys.addaudithook(_audit)
import_module("_multiprocessing").__dict__["SemLock"] = _NoSemaphore
