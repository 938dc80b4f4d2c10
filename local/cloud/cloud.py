"""All of the local cloud: database, emulator, deployed stack, processor, and the API on a port of its own."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import urllib3
from urllib3.exceptions import HTTPError

from api.requests.authorisation import ALL_CUSTOMERS_SCOPE
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
class Cloud:
    """A running local cloud.

    Attributes
    ----------
    processor
        Remembers what has failed.
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

    def get(self, path: str) -> bytes:
        """Return what the API answers to a caller with all rights; a `UserError` says that it does not."""
        headers = {}
        if self.issuer:
            headers = {"Authorization": f"Bearer {self.issuer.token(scope=ALL_CUSTOMERS_SCOPE)}"}
        elif self.enforces_iam:
            headers = signed_headers(self.outputs[outputs.API_URL] + path)
        try:
            response = urllib3.request("GET", self.api_url + path, headers=headers, timeout=60, retries=False)
        except HTTPError as error:
            raise UserError(f"The API does not answer: {error}") from None
        if response.status != 200:
            raise UserError(f"The API does not answer: status {response.status}")
        return response.data


@contextmanager
def running(
    state: State,
    ports: tuple[int, int],
    report: Callable[[str], None],
    *,
    enforce_iam: bool = False,
    tokens: bool = False,
) -> Iterator[Cloud]:
    """Start everything and deploy; stop everything at the end.

    Parameters
    ----------
    state
        Where data and logs are kept.
    ports
        The emulator's, and the API's.
    report
        Is told what happens next.
    enforce_iam
        Whether the emulator evaluates policies as AWS does, and the API asks for signed requests.
    tokens
        Whether the API asks for tokens instead, of an issuer that is started too.

    Raises
    ------
    UserError
        If something does not start, or the deployment fails.
    """
    emulator_port, api_port = ports
    emulator.check_port_is_free(emulator_port, "the emulator's; choose another with --emulator-port")
    emulator.check_port_is_free(api_port, "the API's; choose another with --port")
    stack = ExitStack()
    try:
        report("Starting PostgreSQL")
        database_url = stack.enter_context(database.running(state.folder / "postgres", state.log("postgres")))
        report("Preparing the emulator's and the processor's environments")
        interpreter(EMULATOR)
        issued = certificates.issue(state.folder / "tls") if enforce_iam or tokens else None
        aws = stack.enter_context(
            emulator.running(state.folder, emulator_port, state.logs, issued, enforce_iam=enforce_iam)
        )
        tokens_of = stack.enter_context(issuer.serving(issued.authority)) if issued and tokens else None
        interpreter(PROCESSOR)
        report("Synthesising the stack")
        assembly = cloud_assembly(context=_context(tokens_of, enforce_iam=enforce_iam))
        report("Starting PostgreSQL and the emulator")
        url = database_url()
        aws.wait_until_healthy()
        stack.enter_context(state.announced(aws.endpoint, aws.ca_bundle))
        processor = Processor(
            aws,
            link_task_root(state.folder / "processor"),
            Path(tempfile.mkdtemp(dir=state.folder / "tmp")),
            state.log("processor"),
        )
        function = stack.enter_context(closing(Function(processor.start)))
        processor_url = stack.enter_context(InvocationEndpoint(function.invoke)).url
        report("Deploying")
        parameters = {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: processor_url}
        deployed = deploy(aws, assembly, parameters)
        engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False))
        stack.callback(engine.dispose)
        api = stack.enter_context(Gateway(deployed[outputs.API_URL], api_port, tls=aws.tls))
        api.log = state.log("access")
        yield Cloud(aws, engine, function, deployed, api.url, enforce_iam, tokens_of)
    finally:
        with uninterrupted():
            stack.close()


def _context(tokens_of: Issuer | None, *, enforce_iam: bool) -> dict[str, str]:
    """Return who may call the API, in the words of the CDK command line."""
    if tokens_of:
        return {"auth": "jwt", "issuer": tokens_of.url, "audience": AUDIENCE}
    return {"auth": "iam"} if enforce_iam else {}
