"""Settings of the functions and the command line: environment variables, read once, typed."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from logstats.address import Address, parse

S = TypeVar("S", bound=BaseSettings)

RDS_CA_FILE = Path(__file__).with_name("rds-ca.pem")
"""The root certificates of Amazon RDS, which no operating system trusts; see docs/decisions/0011."""

MAX_RETENTION_DAYS = 36_500

Objective = Annotated[Decimal, Field(ge=0, le=100, decimal_places=3)]
"""The uptime that a customer shall have, in percent."""


class SettingsError(Exception):
    """A setting is missing or malformed; the message names the variable, and its form."""


def load(kind: type[S], **values: Any) -> S:  # noqa: ANN401 - whatever the settings take
    """Read settings from the environment; a `SettingsError` of one line if a variable is missing or malformed."""
    try:
        return kind(**values)
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        problems = (
            f"{prefix}{'.'.join(map(str, problem['loc']))}".upper()
            + f": {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SettingsError("; ".join(problems)) from None


def _checked_url(url: str) -> str:
    parse(url)
    return url


def _known_ca_file(name: str | None) -> str | None:
    return str(RDS_CA_FILE) if name == "rds" else name


class DatabaseSettings(BaseSettings):
    """How to reach PostgreSQL. Secure unless said otherwise: TLS with a verified host, IAM authentication.

    Attributes
    ----------
    url
        A ``postgresql://user@host:port/name``, or with ``?host=/socket/folder`` (`logstats.address`); the drivers
        are chosen inside. TLS follows `tls`, not its ``sslmode``.
    tls
        ``verify-full``; ``require`` uses TLS whoever the server is; ``prefer`` uses it when the server offers
        it; ``disable`` never (the embedded server has none).
    iam_auth
        Whether the password is a token signed with the caller's AWS credentials (Aurora).
    ca_file
        Certificate authorities to trust: a file, or ``rds`` for those of Amazon RDS; by default the operating
        system's.
    connect_timeout_seconds
        How long one attempt to connect may take.
    statement_timeout_seconds
        How long a statement may run: less than a function lives, so that it cannot outlive its caller.
    lock_timeout_seconds
        How long a statement may wait for another transaction, such as the commit of the same object.
    idle_transaction_timeout_seconds
        When the server ends a transaction whose client is silent: a function that was cut off in the middle of
        a commit must not keep its locks.
    idle_session_timeout_seconds
        When the server ends a session that is silent; 0 is never. The connection of a frozen function would keep
        Aurora awake. The session of an attempt, which is silent while the log object is read, is spared.
    """

    model_config = SettingsConfigDict(env_prefix="DATABASE_", frozen=True)

    url: Annotated[str, AfterValidator(_checked_url)]
    tls: Literal["verify-full", "require", "prefer", "disable"] = "verify-full"
    iam_auth: bool = True
    ca_file: Annotated[str | None, AfterValidator(_known_ca_file)] = None
    connect_timeout_seconds: int = Field(default=10, ge=1)
    statement_timeout_seconds: float = Field(default=240, ge=0)
    lock_timeout_seconds: float = Field(default=60, ge=0)
    idle_transaction_timeout_seconds: float = Field(default=60, ge=0)
    idle_session_timeout_seconds: float = Field(default=0, ge=0)

    @property
    def address(self) -> Address:
        """The parts of the URL."""
        return parse(self.url)


class RetentionSettings(BaseSettings):
    """Settings of the retention: months all of whose days are older than so many days are removed, or sealed; None is never."""

    model_config = SettingsConfigDict(frozen=True)

    retention_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] | None = None
    seal_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] | None = None
