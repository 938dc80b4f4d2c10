"""Rights that AWS asks for and MiniStack 1.5.33 does not, even with ``AUTH=true``: ask its own evaluator.

They are those that AWS's own services need on a function's behalf: Lambda polls a queue and writes logs with the
function's role, and API Gateway invokes a function that lets it; and S3 tells only those who may list a bucket that
an object is missing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.arn import execute_api_arn
from ministack.services import apigateway, cloudwatch_logs, lambda_svc, s3

_POLLER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What an event source mapping needs: AWS Lambda developer guide, "Using Lambda with Amazon SQS"."""
_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_PROBLEM = "PROBLEM: the function's role may not consume the queue"

Response = tuple[int, dict[str, str], bytes]


def ask_for_everything() -> None:
    """Ask for all of them from now on."""
    _ask_before_polling()
    _ask_before_logging()
    _ask_before_invoking()
    _ask_before_telling_what_is_missing()
    _ask_for_a_signature()


def _ask_before_polling() -> None:
    concurrency: Callable[..., int] = lambda_svc._sqs_esm_concurrency  # noqa: SLF001 - no public name

    def concurrency_if_allowed(
        mapping: dict[str, Any],
        function: dict[str, Any],
        config: dict[str, Any],
        queue: dict[str, Any] | None = None,
    ) -> int:
        if not role_allows(config["Role"], _POLLER, mapping["EventSourceArn"]):
            mapping["LastProcessingResult"] = _PROBLEM
            return 0
        if mapping["LastProcessingResult"] == _PROBLEM:
            mapping["LastProcessingResult"] = "No records processed"
        return concurrency(mapping, function, config, queue)

    lambda_svc._sqs_esm_concurrency = concurrency_if_allowed  # noqa: SLF001


def _ask_before_logging() -> None:
    emit: Callable[..., None] = lambda_svc._emit_lambda_logs  # noqa: SLF001

    def emit_if_allowed(function: dict[str, Any], *arguments: object, **options: object) -> None:
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        group_arn = cloudwatch_logs._make_group_arn(group).removesuffix(":*")  # noqa: SLF001
        if role_allows(config["Role"], _LOGS, f"{group_arn}:log-stream:any"):
            emit(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_if_allowed  # noqa: SLF001


def _ask_before_invoking() -> None:
    invoke: Callable[..., Awaitable[Response]] = apigateway._invoke_lambda_proxy  # noqa: SLF001

    async def invoke_if_allowed(
        integration: dict[str, Any],
        *rest: Any,  # noqa: ANN401 - MiniStack's
        **options: Any,  # noqa: ANN401 - MiniStack's
    ) -> Response:
        api_id, stage, _path, method, _headers, _body, _query, route = rest[:8]
        function = apigateway._extract_lambda_ref_from_integration_uri(integration["integrationUri"])  # noqa: SLF001
        # The ARN names the route, `/customers/{customer_id}`, and not the request's path.
        path, region, account = route.split(" ")[-1], options["owner_region"], options["owner_account_id"]
        if function_allows(function, execute_api_arn(region, account, api_id, stage, method, path)):
            return await invoke(integration, *rest, **options)
        return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'

    apigateway._invoke_lambda_proxy = invoke_if_allowed  # noqa: SLF001


def _ask_before_telling_what_is_missing() -> None:
    """Answer 403 where AWS does: Amazon S3 API reference, HeadObject, "Permissions"."""
    head: Callable[..., Response] = s3._head_object  # noqa: SLF001

    def head_if_allowed(bucket: str, *rest: object) -> Response:
        answer = head(bucket, *rest)
        service, _, session = iam_evaluator.caller_arn().rpartition(":")
        if answer[0] != 404 or not session.startswith("assumed-role/"):
            return answer
        role = f"{service}:role/{session.split('/')[1]}"
        return answer if role_allows(role, ("s3:ListBucket",), f"arn:aws:s3:::{bucket}") else (403, {}, b"")

    s3._head_object = head_if_allowed  # noqa: SLF001


def _ask_for_a_signature() -> None:
    """Refuse every other form of `Authorization` on a route with the IAM authoriser: MiniStack takes it for root's."""
    enforce: Callable[..., Response | None] = app._enforce_execute_api  # noqa: SLF001

    def enforce_signature(
        api_id: str,
        stage: str,
        method: str,
        path: str,
        headers: dict[str, str],
        *rest: object,
        **options: object,
    ) -> Response | None:
        wanted = app._execute_api_authorization_type(api_id, stage, method, path)  # noqa: SLF001
        if wanted == "AWS_IAM" and not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        return enforce(api_id, stage, method, path, headers, *rest, **options)

    app._enforce_execute_api = enforce_signature  # noqa: SLF001


def role_allows(role: str, actions: tuple[str, ...], resource: str) -> bool:
    """Whether a role's policies allow all of these actions on a resource."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    policies = iam_evaluator._gather_role_policies(name, account)  # noqa: SLF001
    return all(
        iam_evaluator.evaluate(_context(role, action, resource), policies).decision == "Allow"
        for action in actions
    )


def function_allows(function: str, source: str) -> bool:
    """Whether a function's policy lets API Gateway invoke it for a route's ARN."""
    policy: dict[str, Any] = (lambda_svc.function_policy_for_arn(function) or ({},))[0]
    context = _context("*", "lambda:InvokeFunction", function, {"aws:sourcearn": source})
    allowed = iam_evaluator.evaluate_resource_policy(policy, context, "apigateway.amazonaws.com")
    return str(allowed.decision) == "Allow"


def _context(
    principal: str, action: str, resource: str, keys: dict[str, str] | None = None
) -> iam_evaluator.EvalContext:
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="Service" if keys else "AssumedRole",
        principal_account=resource.split(":")[4],
        action=action,
        resource_arn=resource,
        region=resource.split(":")[3],
        service_context=keys or {},
    )
