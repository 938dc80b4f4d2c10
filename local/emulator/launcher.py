"""Start MiniStack 1.5.33 with what the local cloud needs and it lacks.

Runs in the emulator's own environment, as a script: ``python local/emulator/launcher.py``. It touches
MiniStack's internals, so the version is pinned; `docs/emulation.md` lists what it fills in. Settings are
MiniStack's environment variables, and ``LOGSTATS_FUNCTION_LOGS``: the folder for the functions' logs.
"""

import os
import re
import signal
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from authorization import ask_for_everything  # type: ignore[import-not-found]  # beside this script
from ministack import app
from ministack.services import lambda_svc, s3
from ministack.services.cloudformation import custom_resource, provisioners
from tokens import verify_as_api_gateway_does  # type: ignore[import-not-found]  # beside this script

Create = Callable[[str, dict[str, Any], str], tuple[str, dict[str, Any]]]


def end_with_parent() -> None:
    """End this process and the functions' workers when standard input, the parent's lifeline, closes."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def adopt_persisted_buckets() -> None:
    """Let a new stack take over the buckets that an earlier run has left on disk.

    Objects survive a restart (``S3_PERSIST=1``), but not the stack that their bucket belongs to.
    """
    orphans = {name for _account, name in s3._buckets._data}  # noqa: SLF001 - no public name
    create: Create = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["create"]  # noqa: SLF001
    conflict = provisioners.s3_bucket_name_conflict

    def create_or_adopt(
        logical_id: str, properties: dict[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        name = properties.get("BucketName", "")
        if name not in orphans:
            return create(logical_id, properties, stack_name)
        orphans.discard(name)
        adopted: tuple[str, dict[str, Any]] = provisioners._s3_update(  # noqa: SLF001
            name, {}, properties, stack_name
        )
        return adopted

    def conflict_unless_orphan(name: str) -> str | None:
        return None if name in orphans else conflict(name)

    provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["create"] = create_or_adopt  # noqa: SLF001
    provisioners.s3_bucket_name_conflict = conflict_unless_orphan


def delete_only_empty_buckets() -> None:
    """Delete a stack's bucket as S3 does: not as long as it has objects, and its folder with it."""

    def delete(name: str, _properties: object) -> None:
        status, _headers, body = s3._delete_bucket(name)  # noqa: SLF001 - no public name
        if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_FOUND:
            raise RuntimeError("".join(re.findall("<Message>(.*?)</Message>", body.decode())))

    provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]["delete"] = delete  # noqa: SLF001


def write_function_logs(folder: Path) -> None:
    """Append what functions log to files, beside the emulated CloudWatch Logs: `api.handler` to `api.log`."""
    emit = lambda_svc._emit_lambda_logs  # noqa: SLF001

    def emit_and_write(
        func: dict[str, Any],
        request_id: str,
        text: str,
        *arguments: object,
        **options: object,
    ) -> None:
        handler = (func.get("config") or func).get("Handler", "").partition(".")[0]
        if text and handler:
            with (folder / f"{handler}.log").open("a", encoding="utf-8") as file:
                file.write(text.rstrip("\n") + "\n")
        emit(func, request_id, text, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_and_write  # noqa: SLF001


def report_crashed_custom_resources() -> None:
    """Let a custom resource whose function crashes fail at once, with the reason.

    CloudFormation hears of such a crash no more than the emulator does: both wait for the service timeout.
    """
    execute = lambda_svc._execute_function_with_config_scope  # noqa: SLF001

    def execute_and_report(func: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = execute(func, event)
        if result.get("error") and "ResponseURL" in event:
            body = result.get("body")
            reason = body.get("errorMessage") if isinstance(body, dict) else body
            token = event["ResponseURL"].rpartition("/")[2]
            custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": str(reason)})
        return result

    lambda_svc._execute_function_with_config_scope = execute_and_report  # noqa: SLF001


def accept_metric_math() -> None:
    """Keep alarms on expressions over several metrics; they are described, and never leave their first state."""
    record: Callable[[str, dict[str, Any]], dict[str, Any]] = provisioners._cw_metric_alarm_record  # noqa: SLF001

    def record_with_expression(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return record(name, properties)
        nothing = {"Metrics": None, "MetricName": "expression", "Namespace": "expression"}
        alarm = record(name, properties | nothing)
        return alarm | {"Metrics": properties["Metrics"], "MetricName": "", "Namespace": ""}

    provisioners._cw_metric_alarm_record = record_with_expression  # noqa: SLF001


def take_no_other_port() -> None:
    """Listen on the gateway's port only; with TLS, MiniStack takes port 443 too when it can."""
    app._port_is_bindable = lambda *_: False  # noqa: SLF001


if __name__ == "__main__":
    end_with_parent()
    take_no_other_port()
    adopt_persisted_buckets()
    delete_only_empty_buckets()
    accept_metric_math()
    report_crashed_custom_resources()
    verify_as_api_gateway_does()
    if app.AUTH:
        ask_for_everything()
    write_function_logs(Path(os.environ["LOGSTATS_FUNCTION_LOGS"]))
    app.main()
