"""The deployed stack on the emulator that enforces IAM: it works, and no right that it has can be spared."""

import json
import re
from typing import Any

import pytest

from cdk import ROOT, outputs
from tests.e2e.enforced import FUNCTIONS, BrokenError, Enforced, eventually
from tests.infrastructure.templates import as_list, resources

WITHOUT = {
    ("Processor", "logs:CreateLogStream"): "no log of Processor arrives",
    ("Processor", "s3:GetObject"): r"the processor fails: .*HeadObject operation: Forbidden",
    ("Processor", "s3:ListBucket"): "a missing object is not recognised: .*Forbidden",
    ("Processor", "s3:DeleteObject"): "the processor fails: .*not authorized to perform: s3:PutObject",
    ("Processor", "sqs:ChangeMessageVisibility"): "the queue is not consumed: PROBLEM",
    ("Api", "logs:CreateLogStream"): "no log of Api arrives",
    ("Migration", "logs:CreateLogStream"): "no log of Migration arrives",
}
"""What goes wrong without a statement, named by its function and its first action."""

NOT_JUDGED = {
    *((function, "rds-db:connect") for function in FUNCTIONS),
    *((function, "ec2:AssignPrivateIpAddresses") for function in FUNCTIONS),
    ("DatabaseRoles", "logs:CreateLogStream"),
    ("DatabaseRoles", "rds-data:ExecuteStatement"),
    ("DatabaseRoles", "secretsmanager:GetSecretValue"),
    ("DatabaseNetworkVpcRefusedIAM", "logs:CreateLogStream"),
    ("DatabaseNetworkPrefixList", "logs:CreateLogStream"),
    ("DatabaseNetworkS3PrefixList", "ec2:DescribeManagedPrefixLists"),
    ("DatabaseProtectionSet", "rds:ModifyDBCluster"),
}
"""Statements of the AWS environments that the emulator cannot judge: the local stack has none of them."""
RETENTION = {
    ("Retention", "logs:CreateLogStream"),
    ("Retention", "sqs:GetQueueAttributes"),
    *(
        ("Retention", action)
        for _, action in NOT_JUDGED
        if action in {"rds-db:connect", "ec2:AssignPrivateIpAddresses"}
    ),
    ("RetentionScheduler", "lambda:InvokeFunction"),
    ("RetentionScheduler", "sqs:SendMessage"),
}
"""Those of the function that seals, which only `prod` has: neither the local stack nor `dev` seals anything."""


def first_action(statement: dict[str, Any]) -> str:
    return str(as_list(statement["Action"])[0])


def test_with_its_own_rights_it_works_and_without_any_of_them_it_does_not(enforced: Enforced) -> None:
    enforced.run()
    for function in FUNCTIONS:
        policy = enforced.policy(function)
        for statement in policy.statements:
            expected = WITHOUT[function, first_action(statement)]
            with policy.without(statement), pytest.raises(BrokenError, match=f"^{expected}"):
                enforced.run()
            assert eventually(lambda: not enforced.delivery_problem())
            enforced.run()


def test_api_gateway_invokes_the_function_only_if_its_policy_allows(enforced: Enforced) -> None:
    functions, name = enforced.client("lambda"), enforced.function("Api")["FunctionName"]
    policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    route = "/customers/{proxy+}"
    statements = [
        each for each in policy["Statement"] if each["Condition"]["ArnLike"]["AWS:SourceArn"].endswith(route)
    ]
    assert len(statements) == 2, "GET and HEAD"
    for statement in statements:
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    with pytest.raises(BrokenError, match=r"^the API answers 500: .*Internal Server Error"):
        enforced.run()
    for statement in statements:
        functions.add_permission(
            FunctionName=name,
            StatementId=statement["Sid"],
            Action=statement["Action"],
            Principal=statement["Principal"]["Service"],
            SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        )
    enforced.run()


def test_s3_announces_uploads_only_if_the_queue_s_policy_allows(enforced: Enforced) -> None:
    sqs, url = enforced.client("sqs"), enforced.cloud.outputs[outputs.QUEUE_URL]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    policy = json.loads(attributes["Policy"])
    denied = [each for each in policy["Statement"] if "s3.amazonaws.com" not in str(each["Principal"])]
    assert len(denied) == len(policy["Statement"]) - 1
    document = json.dumps({**policy, "Statement": denied})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    with pytest.raises(BrokenError, match=r"^the upload is not delivered"):
        enforced.run(patience=1.5)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": attributes["Policy"]})
    enforced.run()


def statements(environment: str) -> set[tuple[str, str]]:
    """The statements of the functions' roles, named as above."""
    found = set()
    for name, policy in resources(environment, "AWS::IAM::Policy").items():
        function = re.match(r"(?:Ingest)?(\w+?)(?:Role|CustomResource)(?:Default)?Policy", name)
        assert function, name
        document = policy["Properties"]["PolicyDocument"]
        found |= {(function[1], first_action(statement)) for statement in document["Statement"]}
    return found


@pytest.mark.parametrize(("environment", "more"), [("dev", set()), ("prod", RETENTION)])
def test_what_the_emulator_cannot_judge_is_listed_and_documented(
    environment: str, more: set[tuple[str, str]]
) -> None:
    assert statements("local") == set(WITHOUT)
    assert statements(environment) == set(WITHOUT) | NOT_JUDGED | more
    assert NOT_JUDGED.isdisjoint(WITHOUT)
    page = (ROOT / "docs" / "emulation.md").read_text()
    assert [action for _, action in NOT_JUDGED | more if f"`{action}`" not in page] == []


PATH = "/customers/cust_1/stats?from=2024-09-03"


def test_no_signature_and_a_wrong_one_are_refused(enforced: Enforced) -> None:
    assert enforced.get(PATH).status == 403
    headers = enforced.signed(PATH)
    assert enforced.get(PATH, headers).status == 200
    signature = headers["Authorization"]
    forged = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    assert enforced.get(PATH, {**headers, "Authorization": forged}).status == 403
    other_path = PATH.replace("cust_1", "cust_2")
    assert enforced.get(other_path, headers).status == 403
    assert enforced.get(PATH, {**headers, "X-Amz-Date": "20240903T000000Z"}).status == 403
    assert enforced.get(PATH, {"Authorization": "Bearer x"}).status == 403


def test_a_caller_is_held_to_the_paths_of_its_policy(enforced: Enforced) -> None:
    one = enforced.user("one", f"{enforced.cloud.outputs[outputs.API_ID]}/$default/GET/customers/cust_1/*")
    assert enforced.get(PATH, enforced.signed(PATH, one)).status == 200
    other = PATH.replace("cust_1", "cust_2")
    answer = enforced.get(other, enforced.signed(other, one))
    assert answer.status == 403
    stranger = enforced.user("stranger", "another/$default/GET/*")
    assert enforced.get(PATH, enforced.signed(PATH, stranger)).status == 403
