"""Passwords for Aurora: IAM authentication tokens, without the client that usually makes them.

`generate_db_auth_token` of boto3's RDS client makes the same token, but the client loads its model of the whole
service first, which takes longer than the start of the API. A token is only a presigned URL.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.Connecting.html
"""

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from logstats.address import Address

if TYPE_CHECKING:
    from botocore.session import Session

_LIFETIME_SECONDS = 900
_SCHEME = "https://"  # signed without being part of the token


def database_token(address: Address) -> str:
    """Return a token for the user and the server of a database, valid for 15 minutes.

    Raises
    ------
    botocore.exceptions.NoRegionError, botocore.exceptions.NoCredentialsError
        If AWS's usual settings name no region, or no credentials.
    """
    from botocore.auth import SigV4QueryAuth  # noqa: PLC0415 - only AWS needs it
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - slow to import, needed only here
    from botocore.exceptions import NoCredentialsError, NoRegionError  # noqa: PLC0415 - slow to import, needed only here

    query = urlencode({"Action": "connect", "DBUser": address.user})
    request = AWSRequest("GET", f"{_SCHEME}{address.host}:{address.port}/?{query}")
    session = _session()
    region = session.get_config_variable("region")
    if region is None:
        raise NoRegionError
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    signer = SigV4QueryAuth(credentials.get_frozen_credentials(), "rds-db", region, expires=_LIFETIME_SECONDS)
    signer.add_auth(request)
    return str(request.url).removeprefix(_SCHEME)


@cache
def _session() -> "Session":
    """Return one session: it knows when credentials expire, and renews them."""
    from botocore.session import Session  # noqa: PLC0415 - slow to import, needed only here

    return Session()
