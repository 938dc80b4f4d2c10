"""The service `api`: the deployed API on a port of its own, through the emulated API Gateway.

``python -m local.compose.api PORT`` with `AWS_ENDPOINT_URL`.
"""

import os
import signal
import sys
from urllib.parse import urlsplit

from cdk import outputs
from local.cloud import gateway
from local.cloud.deployment import STACK
from local.cloud.emulator import Endpoint


def main() -> None:
    """Serve until the container stops."""
    emulator = Endpoint(os.environ["AWS_ENDPOINT_URL"])
    stack = emulator.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    found = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    host = urlsplit(emulator.endpoint).hostname or ""
    with gateway.serving(
        found[outputs.API_URL],
        int(sys.argv[1]),
        host="0.0.0.0",  # nosec B104 # noqa: S104 - in a container; its network decides who calls
        emulator_host=host,
    ):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
