"""The service `api`: the deployed API on a port of its own, through the emulated API Gateway.

``python -m local.compose.api PORT`` with `AWS_ENDPOINT_URL`.
"""

import os
import signal
import sys
from urllib.parse import urlsplit

from cdk import outputs
from local.cloud.deployment import STACK, outputs_of
from local.cloud.emulator import Endpoint
from local.cloud.gateway import Gateway


def main() -> None:
    """Serve until the container stops."""
    emulator = Endpoint(os.environ["AWS_ENDPOINT_URL"])
    found = outputs_of(emulator.client("cloudformation"), STACK)
    host = urlsplit(emulator.endpoint).hostname or ""
    everywhere = "0.0.0.0"  # nosec B104 # noqa: S104 - in a container; its network decides who calls
    with Gateway(found[outputs.API_URL], int(sys.argv[1]), everywhere, host):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
