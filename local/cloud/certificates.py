"""Certificates for one run of the local cloud: an authority of its own, whose key is never written."""

from dataclasses import dataclass
from pathlib import Path

import trustme

_NAMES = ("localhost", "127.0.0.1", "*.execute-api.localhost")


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, and the files of what the emulator serves and its clients trust, in PEM.

    Attributes
    ----------
    bundle
        The authority's own certificate: for `AWS_CA_BUNDLE`.
    emulator
        The emulator's key and certificate.
    """

    authority: trustme.CA
    bundle: Path
    emulator: Path


def issue(folder: Path) -> Certificates:
    """Make a new authority, and a certificate for the emulator; write them to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="The local cloud of logstats")
    issued = Certificates(authority, folder / "ca.pem", folder / "emulator.pem")
    issued.emulator.unlink(missing_ok=True)
    issued.emulator.touch(mode=0o600)
    authority.issue_cert(*_NAMES).private_key_and_cert_chain_pem.write_to_path(issued.emulator)
    authority.cert_pem.write_to_path(issued.bundle)
    return issued
