"""Load the compiled kernel, and call its functions."""

import ctypes
import secrets
from pathlib import Path
from typing import Any

from logstats.native.build import library_name

Pointer, Bytes, Size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
Signed, Unsigned = ctypes.c_int64, ctypes.c_uint64
Output = ctypes.POINTER(Pointer)
"""Where a function leaves a pointer to what it returns."""

HASH_KEY = (secrets.randbits(64), secrets.randbits(64))
"""Of this process: whoever knows the key can choose names that make the kernel's tables slow (hash flooding)."""

Function = Any
"""A foreign function: `ctypes._NamedFuncPointer`, which only type stubs know."""

_ERRORS = {
    -1: "malformed histogram",
    -2: "the histogram holds fewer values than are subtracted",
    -3: "the histograms hold more values than can be counted",
    -4: "malformed batch of summaries",
    -6: "malformed program of a format",
    -7: "malformed breakdown",
    -8: "the breakdown does not hold what is subtracted",
    -9: "the breakdowns hold more requests than can be counted",
    -10: "malformed rows",
}
_NO_MEMORY = -5


def _load(loader: type[ctypes.CDLL]) -> ctypes.CDLL:
    try:
        return loader(str(Path(__file__).parent / library_name()))
    except OSError as error:
        raise ImportError(f"{error}; compile it with `make setup`") from error


_kernel, _kernel_holding_gil = _load(ctypes.CDLL), _load(ctypes.PyDLL)


def bind(name: str, result: type | None, *arguments: type, brief: bool = False) -> Function:
    """Return a function of the kernel, by its types in C.

    A `brief` one holds the GIL: right where the work takes less time than it does to get the GIL back.
    """
    function = getattr(_kernel_holding_gil if brief else _kernel, name)
    function.restype, function.argtypes = result, arguments
    return function


def constant(name: str) -> int:
    """Return a constant of the kernel: a `uint32_t`."""
    return ctypes.c_uint32.in_dll(_kernel, name).value


kernel_free = bind("kernel_free", None, Pointer, brief=True)


def checked(result: int) -> int:
    """Return what a function has returned; a `ValueError` or `MemoryError` if it is negative: the kernel's errors."""
    if result == _NO_MEMORY:
        raise MemoryError
    if result < 0:
        raise ValueError(_ERRORS[result])
    return result


def returned(function: Function, *arguments: object) -> bytes:
    """Call a function whose last argument is an `Output` for memory that it allocates; copy that, and free it."""
    out = Pointer()
    try:
        return ctypes.string_at(out, checked(function(*arguments, ctypes.byref(out))))
    finally:
        kernel_free(out)
