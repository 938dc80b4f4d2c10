"""Which answers of S3 are worth another delivery."""

from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from processor.reading.objects import SourceError, TransientSourceError
from processor.reading.s3 import MissingError, S3Object

HEAD = "HeadObject"


def answer(status: int, code: str = "") -> ClientError:
    response = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, HEAD)  # type: ignore[arg-type]  # botocore reads no more of it


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="http://s3"), TransientSourceError),
        (answer(500), TransientSourceError),
        (answer(503, "SlowDown"), TransientSourceError),
        (answer(429), TransientSourceError),
        (answer(412), TransientSourceError),
        (answer(400, "ExpiredToken"), TransientSourceError),
        (answer(400, "RequestTimeout"), TransientSourceError),
        (answer(400, "ThrottlingException"), TransientSourceError),
        (answer(400, "KMS.ThrottlingException"), TransientSourceError),
        (answer(404), MissingError),
        (answer(405, "MethodNotAllowed"), MissingError),  # the version is a delete marker
        (answer(400, "InvalidArgument"), SourceError),
        (answer(403, "AccessDenied"), SourceError),
    ],
)
def test_what_passes_comes_again_and_the_rest_does_not(error: Exception, kind: type[Exception]) -> None:
    client = Mock()
    client.head_object.side_effect = error
    with pytest.raises(SourceError) as raised:
        S3Object.head(client, "b", "a.log", "v1")
    assert raised.type is kind
