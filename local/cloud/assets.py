"""Publish a synthesised stack's assets: what `cdk bootstrap` and `cdk-assets` do on AWS."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local.cloud.emulator import ACCOUNT, REGION, Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_VERSION = "30"
_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"


def bootstrap(emulator: Endpoint) -> None:
    """Provide the version parameter and the bucket of assets."""
    emulator.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value=_VERSION, Type="String", Overwrite=True
    )
    s3: S3Client = emulator.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_BUCKET)


def publish(emulator: Endpoint, assembly: Path, stack: str) -> str:
    """Upload the assets that are not there yet; return the URL of the template, which is one of them.

    Their keys are digests of their content.
    """
    s3: S3Client = emulator.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
    published = {item["Key"] for page in pages for item in page.get("Contents", [])}
    template_url = ""
    manifest = json.loads((assembly / f"{stack}.assets.json").read_text(encoding="utf-8"))
    for asset in manifest["files"].values():
        path = assembly / asset["source"]["path"]
        (destination,) = asset["destinations"].values()
        key = destination["objectKey"]
        if key not in published:
            body = _zip(path) if asset["source"]["packaging"] == "zip" else path.read_bytes()
            s3.put_object(Bucket=_BUCKET, Key=key, Body=body)
        if path.name == f"{stack}.template.json":
            template_url = f"{emulator.endpoint}/{_BUCKET}/{key}"
    return template_url


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()
