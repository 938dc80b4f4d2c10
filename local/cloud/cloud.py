"""All of the local cloud: database, emulator, deployed stack, processor, and the API on a port of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa
import urllib3
from urllib3.exceptions import HTTPError

from api.authorisation import WIDE_SCOPE
from cdk import outputs
from local.cloud import certificates, database, emulator, issuer
from local.cloud.deployment import deploy
from local.cloud.emulator import Emulator
from local.cloud.endpoint import InvocationEndpoint
from local.cloud.environments import EMULATOR, PROCESSOR, interpreter
from local.cloud.function import Function
from local.cloud.gateway import Gateway
from local.cloud.issuer import AUDIENCE, Issuer
from local.cloud.processor import Processor, link_task_root
from local.cloud.signing import signed_headers
from local.cloud.state import State
from local.cloud.synthesis import cloud_assembly
from local.errors import UserError
from local.termination import uninterrupted
from logstats.database import create_engine
from logstats.settings import DatabaseSettings


@dataclass(frozen=True, slots=True)
class Checks:
    """What the local cloud asks of its callers; nothing by default.

    Attributes
    ----------
    enforce_iam
        Whether the emulator evaluates policies as AWS does, and the API asks for signed requests.
    tokens
        Whether the API asks for tokens instead, of an issuer that is started too.
    """

    enforce_iam: bool = False
    tokens: bool = False


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running local cloud.

    Attributes
    ----------
    processor
        Remembers what has failed.
    outputs
        Those of the stack.
    api_url
        Where the API answers, through the emulated API Gateway.
    issuer
        Of the tokens that the API asks for; without one it asks for signed requests if IAM is enforced.
    """

    emulator: Emulator
    engine: sa.Engine
    processor: Function
    outputs: dict[str, str]
    api_url: str
    enforces_iam: bool = False
    issuer: Issuer | None = None

    @property
    def bucket(self) -> str:
        """The bucket for log objects."""
        return self.outputs[outputs.LOGS_BUCKET]

    @property
    def api_id(self) -> str:
        """The id of the HTTP API."""
        return self.outputs[outputs.API_ID]

    def headers(self, path: str) -> dict[str, str]:
        """Return what a GET of a path of the API needs: a token, the administrator's signature, or nothing."""
        if self.issuer:
            return {"Authorization": f"Bearer {self.issuer.token(scope=WIDE_SCOPE)}"}
        return signed_headers(self.outputs[outputs.API_URL] + path) if self.enforces_iam else {}

    def get(self, path: str) -> bytes:
        """Return what the API answers to a caller with all rights.

        Raises
        ------
        UserError
            If it does not.
        """
        url, headers = self.api_url + path, self.headers(path)
        try:
            response = urllib3.request("GET", url, headers=headers, timeout=60, retries=False)
        except HTTPError as error:
            raise UserError(f"The API does not answer: {error}") from None
        if response.status != 200:
            raise UserError(f"The API does not answer: status {response.status}")
        return response.data


@contextmanager
def running(
    state: State,
    emulator_port: int,
    api_port: int,
    report: Callable[[str], None],
    checks: Checks = Checks(),
) -> Iterator[Cloud]:
    """Start everything and deploy; stop everything at the end.

    Parameters
    ----------
    state
        Where data and logs are kept.
    report
        Is told what happens next.
    checks
        What callers are asked for.

    Raises
    ------
    UserError
        If something does not start, or the deployment fails.
    """
    emulator.check_port_is_free(emulator_port, "the emulator's; choose another with --emulator-port")
    emulator.check_port_is_free(api_port, "the API's; choose another with --port")
    stack = ExitStack()
    try:
        report("Starting PostgreSQL")
        database_url = stack.enter_context(database.running(state.postgres, state.log("postgres")))
        report("Preparing the emulator's and the processor's environments")
        interpreter(EMULATOR)
        issued = certificates.issue(state.folder / "tls") if checks.enforce_iam or checks.tokens else None
        aws = stack.enter_context(
            emulator.running(state.folder, emulator_port, state.logs, issued, enforce_iam=checks.enforce_iam)
        )
        tokens_of = (
            stack.enter_context(issuer.serving(issued.authority)) if issued and checks.tokens else None
        )
        interpreter(PROCESSOR)
        report("Synthesising the stack")
        assembly = cloud_assembly(context=_context(tokens_of, checks))
        report("Starting PostgreSQL and the emulator")
        url = database_url()
        aws.wait_until_healthy()
        stack.enter_context(state.announced(aws.endpoint, aws.ca_bundle))
        processor = Processor(
            aws, link_task_root(state.folder / "processor"), state.scratch(), state.log("processor")
        )
        function = stack.enter_context(closing(Function(processor.start)))
        processor_url = stack.enter_context(InvocationEndpoint(function.invoke)).url
        report("Deploying")
        parameters = {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: processor_url}
        deployed = deploy(aws, assembly, parameters)
        engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False))
        stack.callback(engine.dispose)
        api = stack.enter_context(Gateway(deployed[outputs.API_URL], api_port, tls=aws.tls))
        cloud = Cloud(aws, engine, function, deployed, api.url, checks.enforce_iam, tokens_of)
        _warm_up(cloud)
        yield cloud
    finally:
        with uninterrupted():
            stack.close()


def _context(tokens_of: Issuer | None, checks: Checks) -> dict[str, str]:
    """Return who may call the API, in the words of the CDK command line."""
    if tokens_of:
        return {"auth": "jwt", "issuer": tokens_of.url, "audience": AUDIENCE}
    return {"auth": "iam"} if checks.enforce_iam else {}


def _warm_up(cloud: Cloud) -> None:
    """Start the API's execution environment while something else happens; whatever it answers."""

    def call() -> None:
        with suppress(UserError):
            cloud.get("/customers/-/stats?from=9999-12-31")

    threading.Thread(target=call, daemon=True, name="warm-up").start()
