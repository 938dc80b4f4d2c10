"""Run Lambda's runtime interface client until standard input, the parent's lifeline, closes.

A script for the function's own environment, so it imports nothing but the standard library and `awslambdaric`:
``python runtime.py MODULE.FUNCTION``, with `AWS_LAMBDA_RUNTIME_API`. It ends with its process group, even in the middle
of an invocation.
"""

import http.client
import os
import runpy
import signal
import sys
import threading
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

_DEADLINE = "Lambda-Runtime-Deadline-Ms"


def end_with_parent() -> None:
    """Watch the lifeline, and leave the function an empty standard input."""
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def watch() -> None:
        while os.read(lifeline, 1024):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def _call(method: str, path: str, body: bytes | str | None = None) -> tuple[bytes, dict[str, Any]]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, f"/2018-06-01/runtime/invocation/{path}", body)
    response = connection.getresponse()
    answer = response.read(), dict(response.headers)
    connection.close()
    return answer


def _next() -> tuple[bytes, dict[str, Any]]:
    event, headers = _call("GET", "next")
    return event, headers | {_DEADLINE: int(headers[_DEADLINE])}


def provide_client() -> None:
    """Stand in for the compiled part of `awslambdaric`, which there is for Linux only."""
    client: Any = SimpleNamespace(
        initialize_client=lambda _user_agent: None,
        next=_next,
        post_invocation_result=lambda request, body, *_: _call("POST", f"{request}/response", body),
        post_error=lambda request, body, *_: _call("POST", f"{request}/error", body),
    )
    sys.modules["runtime_client"] = client


if __name__ == "__main__":
    end_with_parent()
    os.chdir(os.environ.get("LAMBDA_TASK_ROOT", "/"))
    if not find_spec("runtime_client"):
        provide_client()
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
