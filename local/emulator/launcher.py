"""Start MiniStack 1.5.33 with what the local cloud needs and it lacks.

Runs in the emulator's own environment, as a script: ``python local/emulator/launcher.py``. It touches
MiniStack's internals, so the version is pinned; `docs/emulation.md` lists what it fills in. Settings are
MiniStack's environment variables, and ``LOGSTATS_FUNCTION_LOGS``: the folder for the functions' logs.
"""

import importlib
import os
import re
import signal
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack import app
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, s3
from ministack.services.cloudformation import custom_resource, provisioners
from wrapping import wraps  # type: ignore[import-not-found]  # beside this script

if app.AUTH:
    importlib.import_module("authorization")

_BUCKETS: dict[str, Any] = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
_CREATE_BUCKET = _BUCKETS["create"]
_ORPHANS = {name for _account, name in s3._buckets._data}
"""Buckets that an earlier run has left on disk.

Objects survive a restart (``S3_PERSIST=1``), but not the stack that their bucket belongs to: a new one takes it over.
"""


def end_with_parent() -> None:
    """End this process and the functions' workers when standard input, the parent's lifeline, closes."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def create_or_adopt_bucket(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    """Create a stack's bucket, or take over one of an earlier run."""
    name = properties.get("BucketName", "")
    if name not in _ORPHANS:
        return _CREATE_BUCKET(logical_id, properties, stack_name)
    _ORPHANS.discard(name)
    return provisioners._s3_update(name, {}, properties, stack_name)


def delete_empty_bucket(name: str, _properties: object) -> None:
    """Delete a stack's bucket as S3 does: not as long as it has objects, and its folder with it."""
    status, _headers, body = s3._delete_bucket(name)
    if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_FOUND:
        raise RuntimeError("".join(re.findall("<Message>(.*?)</Message>", body.decode())))


@wraps(provisioners, "s3_bucket_name_conflict")
def _conflict(conflict: Any, name: str) -> Any:
    return None if name in _ORPHANS else conflict(name)


@wraps(lambda_svc, "_emit_lambda_logs")
def _write_logs(
    emit: Any, func: dict[str, Any], request_id: str, text: str, *rest: Any, **options: Any
) -> None:
    """Append what functions log to files, beside the emulated CloudWatch Logs: `api.handler` to `api.log`.

    A log group that the stack has deleted stays deleted, although a function may still run: the functions' roles may
    make none.
    """
    config = func.get("config") or func
    handler = config.get("Handler", "").partition(".")[0]
    if text and handler:
        path = Path(os.environ["LOGSTATS_FUNCTION_LOGS"], f"{handler}.log")
        with path.open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
    if config.get("LoggingConfig", {}).get("LogGroup") in cloudwatch_logs._log_groups:
        emit(func, request_id, text, *rest, **options)


@wraps(lambda_svc, "_execute_function_with_config_scope")
def _report_crash(execute: Any, func: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Let a custom resource whose function crashes fail at once, with the reason.

    CloudFormation hears of such a crash no more than the emulator does: both wait for the service timeout.
    """
    result: dict[str, Any] = execute(func, event)
    if result.get("error") and "ResponseURL" in event:
        body = result.get("body")
        reason = body.get("errorMessage") if isinstance(body, dict) else body
        token = event["ResponseURL"].rpartition("/")[2]
        custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": str(reason)})
    return result


@wraps(eventbridge, "_invoke_target")
def _tell_scheduled_time(
    invoke: Any, target: dict[str, Any], event: dict[str, Any], *rest: Any, **options: Any
) -> None:
    """Put the time into the input of a schedule that asks for it, as EventBridge Scheduler does."""
    if event["Source"] == "aws.scheduler" and "Input" in target:
        moment = datetime.fromtimestamp(event["Time"], UTC).isoformat(timespec="seconds")
        target = {**target, "Input": target["Input"].replace("<aws.scheduler.scheduled-time>", moment)}
    invoke(target, event, *rest, **options)


@wraps(provisioners, "_cw_metric_alarm_record")
def _accept_metric_math(record: Any, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Keep alarms on expressions over several metrics; they are described, and never leave their first state."""
    if not properties.get("Metrics"):
        return dict(record(name, properties))
    nothing = {"Metrics": None, "MetricName": "expression", "Namespace": "expression"}
    described = {"Metrics": properties["Metrics"], "MetricName": "", "Namespace": ""}
    return {**record(name, properties | nothing), **described}


@wraps(app, "_port_is_bindable")
def _take_no_other_port(*_: object) -> bool:
    """Listen on the gateway's port only; with TLS, MiniStack takes port 443 too when it can."""
    return False


if __name__ == "__main__":
    end_with_parent()
    _BUCKETS |= {"create": create_or_adopt_bucket, "delete": delete_empty_bucket}
    app.main()
