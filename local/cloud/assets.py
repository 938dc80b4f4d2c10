"""Publish a synthesised stack's assets: what `cdk bootstrap` and `cdk-assets` do on AWS."""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

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
    try:
        emulator.client("s3").create_bucket(Bucket=_BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def publish(emulator: Endpoint, assembly: Path, stack: str) -> str:
    """Upload the assets that are not there yet; their keys are digests of their content.

    Parameters
    ----------
    assembly
        The folder that synthesis wrote.

    Returns
    -------
    str
        The URL of the template, which is one of them.
    """
    s3: S3Client = emulator.client("s3")
    template_url = ""
    manifest = json.loads((assembly / f"{stack}.assets.json").read_text(encoding="utf-8"))
    for asset in manifest["files"].values():
        path = assembly / asset["source"]["path"]
        for destination in asset["destinations"].values():
            bucket, key = _resolve(destination["bucketName"]), destination["objectKey"]
            if not _exists(s3, bucket, key):
                zipped = asset["source"]["packaging"] == "zip"
                s3.put_object(Bucket=bucket, Key=key, Body=_zip(path) if zipped else path.read_bytes())
            if path.name == f"{stack}.template.json":
                template_url = f"{emulator.endpoint}/{bucket}/{key}"
    return template_url


def _resolve(name: str) -> str:
    return name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _exists(s3: "S3Client", bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()
