"""Certificates for one run of the local cloud: an authority of its own, whose key is never written."""

from dataclasses import dataclass
from pathlib import Path

import trustme

_NAMES = ("localhost", "127.0.0.1", "*.execute-api.localhost")


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the emulator serves, and what its clients trust.

    Attributes
    ----------
    authority
        Issues certificates.
    bundle
        The authority's own certificate: for `AWS_CA_BUNDLE`.
    chain, key
        The emulator's.
    """

    authority: trustme.CA
    bundle: Path
    chain: Path
    key: Path


def issue(folder: Path) -> Certificates:
    """Make a new authority, and a certificate for the emulator; write them to a folder, as PEM files."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="The local cloud of logstats")
    issued = Certificates(authority, folder / "ca.pem", folder / "emulator.pem", folder / "emulator.key")
    certificate = authority.issue_cert(*_NAMES)
    issued.key.unlink(missing_ok=True)
    issued.key.touch(mode=0o600)
    certificate.private_key_pem.write_to_path(issued.key)
    issued.chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(issued.bundle)
    return issued
