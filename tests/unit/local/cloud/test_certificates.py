"""The emulator's certificates: trusted by their own authority only, and private."""

import ssl
from pathlib import Path

from local.cloud import certificates


def test_the_key_is_private_that_of_the_authority_is_not_there_and_every_run_has_its_own(
    tmp_path: Path,
) -> None:
    issued = certificates.issue(tmp_path / "tls")
    assert issued.emulator.stat().st_mode & 0o777 == 0o600
    assert sorted((tmp_path / "tls").iterdir()) == sorted([issued.bundle, issued.emulator])
    ssl.create_default_context(cafile=issued.bundle)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(issued.emulator)
    assert certificates.issue(tmp_path).bundle.read_bytes() != issued.bundle.read_bytes()
