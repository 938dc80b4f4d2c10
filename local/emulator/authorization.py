"""Ask MiniStack's own evaluator for rights that AWS asks for and MiniStack 1.5.33 does not, even with ``AUTH=true``.

They are those that AWS's own services need on a function's behalf: Lambda polls a queue and writes logs with the
function's role, and API Gateway invokes a function that lets it; and S3 tells only those who may list a bucket that
an object is missing. The import of this module puts all of it in place.
"""

from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.arn import execute_api_arn
from ministack.services import apigateway, cloudwatch_logs, lambda_svc, s3
from wrapping import wraps  # type: ignore[import-not-found]  # beside this module

_POLLER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""Rights that an event source mapping needs: AWS Lambda developer guide, "Using Lambda with Amazon SQS"."""
_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_PROBLEM = "PROBLEM: the function's role may not consume the queue"


@wraps(lambda_svc, "_sqs_esm_concurrency")
def _poll(concurrency: Any, mapping: dict[str, Any], function: Any, config: Any, *rest: Any) -> Any:
    if not role_allows(config["Role"], _POLLER, mapping["EventSourceArn"]):
        mapping["LastProcessingResult"] = _PROBLEM
        return 0
    if mapping["LastProcessingResult"] == _PROBLEM:
        mapping["LastProcessingResult"] = "No records processed"
    return concurrency(mapping, function, config, *rest)


@wraps(lambda_svc, "_emit_lambda_logs")
def _log(emit: Any, function: dict[str, Any], *rest: Any, **options: Any) -> None:
    config = function.get("config") or function
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    group_arn = cloudwatch_logs._make_group_arn(group).removesuffix(":*")
    if role_allows(config["Role"], _LOGS, f"{group_arn}:log-stream:any"):
        emit(function, *rest, **options)


@wraps(apigateway, "_invoke_lambda_proxy")
async def _invoke(invoke: Any, integration: dict[str, Any], *rest: Any, **options: Any) -> Any:
    api_id, stage, _path, method, _headers, _body, _query, route = rest[:8]
    function = apigateway._extract_lambda_ref_from_integration_uri(integration["integrationUri"])
    # The ARN names the route, `/customers/{customer_id}`, and not the request's path.
    path, region, account = route.split(" ")[-1], options["owner_region"], options["owner_account_id"]
    if function_allows(function, execute_api_arn(region, account, api_id, stage, method, path)):
        return await invoke(integration, *rest, **options)
    return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'


@wraps(s3, "_head_object")
def _head(head: Any, bucket: str, *rest: Any) -> Any:
    """Answer 403 where AWS does: Amazon S3 API reference, HeadObject, "Permissions"."""
    answer = head(bucket, *rest)
    service, _, session = iam_evaluator.caller_arn().rpartition(":")
    if answer[0] != 404 or not session.startswith("assumed-role/"):
        return answer
    role = f"{service}:role/{session.split('/')[1]}"
    return answer if role_allows(role, ("s3:ListBucket",), f"arn:aws:s3:::{bucket}") else (403, {}, b"")


@wraps(app, "_enforce_execute_api")
def _enforce(enforce: Any, *request: Any, **options: Any) -> Any:
    """Refuse every other form of `Authorization` on a route with the IAM authoriser: MiniStack takes it for root's."""
    api_id, stage, method, path, headers = request[:5]
    wanted = app._execute_api_authorization_type(api_id, stage, method, path)
    if wanted == "AWS_IAM" and not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
    return enforce(*request, **options)


def role_allows(role: str, actions: tuple[str, ...], resource: str) -> bool:
    """Tell whether a role's policies allow all of these actions on a resource."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    policies = iam_evaluator._gather_role_policies(name, account)
    return all(
        iam_evaluator.evaluate(_context(role, action, resource), policies).decision == "Allow"
        for action in actions
    )


def function_allows(function: str, source: str) -> bool:
    """Tell whether a function's policy lets API Gateway invoke it for a route's ARN."""
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
