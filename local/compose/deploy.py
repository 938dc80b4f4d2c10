"""The one-shot service `deploy`: migrate the database and deploy the stack, as the CDK command line would on AWS.

``python -m local.compose.deploy`` with `AWS_ENDPOINT_URL`, `DATABASE_URL`, `PGPASSWORD` and `PROCESSOR_ENDPOINT`.
"""

import os
import sys

import sqlalchemy as sa

from cdk import outputs
from local.cloud.deployment import deploy
from local.cloud.emulator import Endpoint
from local.cloud.synthesis import cloud_assembly
from local.errors import UserError


def with_password(url: str, password: str) -> str:
    """Return a URL with a password in it, whatever its characters: functions know no `PGPASSWORD`."""
    return sa.make_url(url).set(password=password).render_as_string(hide_password=False)


def main() -> None:
    """Deploy, and say where things are."""
    variables = os.environ
    parameters = {
        outputs.DATABASE_URL: with_password(variables["DATABASE_URL"], variables["PGPASSWORD"]),
        outputs.PROCESSOR_ENDPOINT: variables["PROCESSOR_ENDPOINT"],
    }
    try:
        deployed = deploy(Endpoint(variables["AWS_ENDPOINT_URL"]), cloud_assembly(), parameters)
    except UserError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(
        f"Deployed; the schema is {deployed[outputs.SCHEMA_REVISION]}. Try:\n"
        "  aws --endpoint-url=http://localhost:4566 s3 cp api_requests.log "
        f"s3://{deployed[outputs.LOGS_BUCKET]}/\n"
        "  curl 'http://localhost:8888/customers/cust_1/stats?from=2024-09-03'\n"
    )


if __name__ == "__main__":
    main()
