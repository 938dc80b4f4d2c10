"""Sign requests to the emulated API Gateway, as its IAM authoriser asks (AWS Signature Version 4)."""

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.cloud.emulator import ACCESS_KEY, REGION, SECRET_KEY

ADMINISTRATOR = Credentials(ACCESS_KEY, SECRET_KEY)


def signed_headers(url: str, credentials: Credentials = ADMINISTRATOR) -> dict[str, str]:
    """Return the headers that a GET of this URL of the API needs, its `Host` among them."""
    request = AWSRequest("GET", url)
    request.prepare()
    SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
    return dict(request.headers.items())
