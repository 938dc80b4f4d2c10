"""Settings of the API: environment variables that start with API_."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Auth = Literal["iam", "jwt", "none"]
"""Who authenticates the callers: API Gateway by IAM, or by tokens; or nobody does, and everybody reads all."""


class ApiSettings(BaseSettings):
    """How the API treats its callers and its database.

    Attributes
    ----------
    auth
        `none` only where a deployment has chosen it: without the variable nobody gets in but through a gateway.
    root_path
        Where a gateway has put the API, if not at the root: a named stage (`/dev`), or a base path of a domain.
    pool_size
        Database connections of one process. A Lambda environment answers one request at a time: 1.
    answer_seconds
        The latest a request is answered: with 503 when the database has not answered by then. API Gateway
        gives up after 30 s.
    retry_after_seconds
        What a 503 tells its client. Together with `answer_seconds` it is longer than Aurora takes to resume
        from zero capacity (about 15 s).
    idle_seconds
        How long a connection may stay unused. PostgreSQL itself ends it then, because a frozen Lambda cannot,
        and an open connection keeps Aurora from pausing.
    cache_bytes
        How much one process keeps of its answers; none is given again before the database has said that it is
        still right. 0: every answer is made anew.
    """

    model_config = SettingsConfigDict(env_prefix="API_", frozen=True)

    auth: Auth = "iam"
    root_path: str = Field(default="", pattern="^(/[^/?#]+)*$")
    pool_size: int = Field(default=1, ge=1)
    answer_seconds: float = Field(default=8, gt=0, le=25)
    retry_after_seconds: int = Field(default=10, ge=1)
    idle_seconds: int = Field(default=60, ge=1)
    cache_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
