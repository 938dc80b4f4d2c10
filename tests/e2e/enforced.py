"""The local cloud with IAM enforced, and one run through all of it that says what went wrong first."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from botocore.credentials import Credentials
from sqlalchemy.orm import Session

from cdk import outputs
from local.cloud.cloud import Cloud
from local.cloud.signing import signed_headers
from local.cloud.uploads import Failures
from logstats.models import LogObject
from tests import oracle
from tests.events import created, sqs_event
from tests.logs import as_bytes, random_lines

PATIENCE_SECONDS = 30.0
FUNCTIONS = ("Processor", "Api", "Migration")
_numbers = count()


class BrokenError(Exception):
    """The way from an upload to an answer is broken; the message says where."""


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.content)


def get(
    url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    method: str = "GET",
) -> Answer:
    """Call what listens on a URL's port on this machine, under the URL's name, which may not resolve."""
    address = urlsplit(url)
    secure = partial(http.client.HTTPSConnection, context=tls) if tls else http.client.HTTPConnection
    connection = secure("127.0.0.1", address.port, timeout=30)
    connection.request(method, path, headers={"Host": address.netloc, **(headers or {})})
    response = connection.getresponse()
    answer = Answer(response.status, response.read())
    connection.close()
    return answer


@dataclass
class Enforced:
    """The cloud, and a caller of the API with nothing but the right to call it."""

    cloud: Cloud
    state: Path
    caller: Credentials = field(init=False)
    failures: Failures = field(init=False)
    told: list[tuple[list[str], str]] = field(init=False, default_factory=list)
    """Keys and reasons of what has failed."""

    def __post_init__(self) -> None:
        self.failures = Failures(self.cloud)
        self.caller = self.user("caller", f"{self.cloud.outputs[outputs.API_ID]}/$default/GET/customers/*")

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        return self.cloud.emulator.client(service)

    def user(self, name: str, *paths: str) -> Credentials:
        """A user who may call these paths of APIs, and do nothing else."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        statement = {
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": [f"arn:aws:execute-api:us-east-1:000000000000:{path}" for path in paths],
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="call", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def signed(self, path: str, credentials: Credentials | None = None) -> dict[str, str]:
        return signed_headers(self.cloud.outputs[outputs.API_URL] + path, credentials or self.caller)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Call the emulated API Gateway itself, with what it was signed for or else nothing."""
        return get(self.cloud.outputs[outputs.API_URL], path, headers, self.cloud.emulator.tls)

    def function(self, word: str) -> dict[str, Any]:
        """The configuration of the function whose name has this word in it."""
        functions = self.client("lambda").list_functions()["Functions"]
        (found,) = (each for each in functions if f"{word}Function" in each["FunctionName"])
        return dict(found)

    def run(self, patience: float = PATIENCE_SECONDS) -> None:
        """Upload, wait, ask; and what else the functions do with their rights."""
        number = next(_numbers)
        started = time.time()
        key, lines = f"run {number}.log", random_lines(number, 50)
        customer = f"run_{number}"
        lines = [line.replace("cust_1 ", f"{customer} ") for line in lines]
        version = self.put(key, as_bytes([*lines, "broken"]))
        self.settled(key, version, patience)
        self.answered(customer, lines)
        self.missing_version_is_told(version)
        self.migration_answers()
        for word in FUNCTIONS:
            self.logged(word, started)

    def policy(self, word: str) -> "Policy":
        """The one policy of a function's role."""
        iam, role = self.client("iam"), self.function(word)["Role"].rpartition("/")[2]
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        return Policy(iam, role, name, document["Statement"])

    def put(self, key: str, body: bytes) -> str:
        put = self.client("s3").put_object(Bucket=self.cloud.bucket, Key=key, Body=body)
        return str(put["VersionId"])

    def settled(self, key: str, version: str, seconds: float = PATIENCE_SECONDS) -> LogObject:
        """The ledger's row of an upload."""

        def row() -> LogObject | None:
            self.told += self.failures.new()
            for keys, reason in self.told:
                if key in keys:
                    raise BrokenError(f"the processor fails: {reason}")
            if problem := self.delivery_problem():
                raise BrokenError(f"the queue is not consumed: {problem}")
            with Session(self.cloud.engine) as session:
                return session.scalar(
                    sa.select(LogObject).where(LogObject.key == key, LogObject.version == version)
                )

        found: LogObject | None = eventually(row, seconds)
        if found is None:
            raise BrokenError("the upload is not delivered")
        return found

    def delivery_problem(self) -> str:
        """Why the event source mapping does not poll; empty when it does."""
        (mapping,) = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        result = str(mapping["LastProcessingResult"])
        return result if result.startswith("PROBLEM") else ""

    def answered(self, customer: str, lines: list[str]) -> None:
        """The API's numbers are those of a brute-force scan."""
        path = f"/customers/{customer}/stats?from=2024-09-01"
        answer = self.get(path, self.signed(path))
        if answer.status != 200:
            raise BrokenError(f"the API answers {answer.status}: {answer.body}")
        expected = [
            {"customer_id": name, "date": day, **numbers}
            for (name, day), numbers in sorted(oracle.answers(lines).items())
            if name == customer
        ]
        assert expected
        assert answer.body == expected

    def missing_version_is_told(self, version: str) -> None:
        """An object that is gone is told from one that may not be read."""
        event = sqs_event(created(self.cloud.bucket, "gone.log", version, "01"))
        name = self.cloud.outputs[outputs.PROCESSOR_FUNCTION]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        (failure,) = self.dead_letter(event["Records"][0]["messageId"])["failures"]
        if "this version does not exist" not in failure["reason"]:
            raise BrokenError(f"a missing object is not recognised: {failure['reason']}")

    def dead_letter(self, message_id: str) -> Any:  # noqa: ANN401 - JSON
        """Empty the dead-letter queue until it announces what is kept of a message, and take that."""
        sqs, s3 = self.client("sqs"), self.client("s3")
        queue = self.cloud.outputs[outputs.DEAD_LETTER_QUEUE_URL]
        wanted = f"undeliverable/{message_id}.json"

        def found() -> Any:  # noqa: ANN401 - JSON
            for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                detail = json.loads(message["Body"])["detail"]
                if detail["object"]["key"] == wanted:
                    place = {"Bucket": detail["bucket"]["name"], "Key": wanted}
                    document = json.loads(s3.get_object(**place)["Body"].read())
                    s3.delete_object(**place)
                    return document
            return None

        if (document := eventually(found)) is None:
            raise BrokenError("no dead letter arrives")
        return document

    def forget_failures(self) -> None:
        """Let a later delivery of what has failed be looked at by itself."""
        self.cloud.processor.failures.clear()
        self.told.clear()

    def migration_answers(self) -> None:
        """The migration's function answers CloudFormation, as for a deletion."""
        s3 = self.client("s3")
        place = {"Bucket": self.cloud.outputs[outputs.REJECTS_BUCKET], "Key": f"answer-{next(_numbers)}"}
        event = {
            "RequestType": "Delete",
            "ResponseURL": s3.generate_presigned_url("put_object", Params=place),
            **dict.fromkeys(("StackId", "RequestId", "LogicalResourceId"), "a test"),
        }
        self.client("lambda").invoke(
            FunctionName=self.function("Migration")["FunctionName"], Payload=json.dumps(event)
        )
        answer = json.loads(s3.get_object(**place)["Body"].read())
        s3.delete_object(**place)
        assert answer["Status"] == "SUCCESS", answer

    def logged(self, word: str, since: float) -> None:
        """A function's log group has events since a Unix time."""
        group = self.function(word)["LoggingConfig"]["LogGroup"]

        # Every function was also invoked synchronously since then; its log is written before it answers.
        events = self.client("logs").filter_log_events(logGroupName=group, startTime=int(since * 1000))
        if not events["events"]:
            raise BrokenError(f"no log of {word} arrives")


@dataclass(frozen=True)
class Policy:
    """An inline policy of a role."""

    iam: Any
    role: str
    name: str
    statements: list[dict[str, Any]]

    @contextmanager
    def without(self, statement: dict[str, Any]) -> Iterator[None]:
        """Take one statement out, for a while."""
        self._put([each for each in self.statements if each != statement])
        try:
            yield
        finally:
            self._put(self.statements)

    def _put(self, statements: list[dict[str, Any]]) -> None:
        document = {"Version": "2012-10-17", "Statement": statements or [_NOTHING]}
        self.iam.put_role_policy(
            RoleName=self.role, PolicyName=self.name, PolicyDocument=json.dumps(document)
        )


_NOTHING = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
"""Everybody may do it anyway; a policy needs at least one statement."""


def eventually(look: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:  # noqa: ANN401 - whatever it finds
    """Look until there is something, or it is too late."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
