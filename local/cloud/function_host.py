"""Runs one function's handler, one invocation after the other, as Lambda's runtime does.

A script for the function's own environment, so it imports nothing but the standard library and the handler:
``python function_host.py MODULE.FUNCTION``. Requests are lines of JSON on standard input, answers on standard
output; what the function prints goes to standard error. It ends when standard input closes, even in the
middle of an invocation.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from typing import Any, BinaryIO


class Context:
    """The context object of one invocation."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = str(os.getpid())
        self.identity = None
        self.client_context = None
        self._deadline: float = request["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int((self._deadline - time.time()) * 1000))


def _read(stream: BinaryIO, waiting: "queue.Queue[dict[str, Any]]") -> None:
    for line in stream:
        waiting.put(json.loads(line))
    os.killpg(os.getpgrp(), signal.SIGKILL)  # the parent has gone, or wants this to go


def _describe(error: BaseException) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def main() -> None:
    """Import the handler, then answer requests."""
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    threading.Thread(target=_read, args=(incoming, waiting), daemon=True, name="lifeline").start()

    def answer(message: dict[str, Any]) -> None:
        outgoing.write(json.dumps(message).encode() + b"\n")
        outgoing.flush()

    module, _, function = sys.argv[1].rpartition(".")
    try:
        handler = getattr(import_module(module), function)
    except BaseException as error:  # noqa: BLE001 - whatever it is, Lambda reports it
        traceback.print_exc()
        answer({"init_error": _describe(error)})
        os._exit(1)  # no more can be said, and the lifeline is being read
    answer({"ready": True})
    while True:
        request = waiting.get()
        try:
            answer({"result": handler(request["event"], Context(request))})
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda reports it
            traceback.print_exc()
            answer({"error": _describe(error)})
        sys.stderr.flush()


if __name__ == "__main__":
    main()
