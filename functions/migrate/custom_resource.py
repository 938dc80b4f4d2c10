"""Send a custom resource's response to CloudFormation.

Source: AWS CloudFormation user guide, "Custom resource response objects".
"""

import json
import time
import urllib.error
import urllib.request
from typing import Any

_MAX_REASON = 3000  # the whole answer may have 4096 bytes
_TRIES = 4


def respond(
    event: dict[str, Any], physical_id: str, data: dict[str, str] | None = None, failure: str | None = None
) -> None:
    """Answer a request: with `data`, or with the reason of a failure.

    An `OSError` if that cannot be delivered; CloudFormation then waits until the resource's service timeout.
    """
    answer = {
        "Status": "FAILED" if failure else "SUCCESS",
        "Reason": (failure or "")[:_MAX_REASON],
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data or {},
    }
    # The address is signed for exactly this method, without a content type.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    for tries_left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=10):  # nosec B310 # noqa: S310 - see above
                return
        except urllib.error.URLError:
            if not tries_left:
                raise
            time.sleep(_TRIES - tries_left)
