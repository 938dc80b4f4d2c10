"""The service `function`: between the emulator and the processor's container.

``python -m local.compose.function``. The emulator posts invocations to port 9000; the processor's image asks for them
through Lambda's Runtime API, on port 9001.
"""

import signal

from local.cloud.endpoint import InvocationEndpoint
from local.cloud.runtime_api import RuntimeApi


def main() -> None:
    """Serve until the container stops."""
    everywhere = "0.0.0.0"  # nosec B104 # noqa: S104 - in a container; its network decides who calls
    with RuntimeApi(everywhere, 9001) as api, InvocationEndpoint(api.invoke, everywhere, 9000):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
