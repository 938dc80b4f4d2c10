"""The root certificates of Amazon RDS: what they are, and that both drivers take them."""

import datetime as dt
import re
import ssl
from collections import Counter

from cryptography import x509
from cryptography.x509.oid import NameOID

from api.database.reader import connect_arguments
from api.settings import ApiSettings
from logstats.settings import RDS_CA_FILE, DatabaseSettings

NAME = re.compile(r"Amazon RDS ([a-z]{2}-[a-z]+-\d) Root CA (RSA2048|RSA4096|ECC384) G1")
LARGE_REGIONS = {"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1"}
SETTINGS = DatabaseSettings(url="postgresql://u@db.example/n", iam_auth=False, ca_file="rds")


def certificates() -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(RDS_CA_FILE.read_bytes())


def common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def test_every_region_has_its_three_roots_and_nothing_else_is_trusted() -> None:
    found = Counter(NAME.fullmatch(common_name(certificate)) is not None for certificate in certificates())
    assert set(found) == {True}
    regions = Counter(NAME.sub(r"\1", common_name(certificate)) for certificate in certificates())
    assert set(regions.values()) == {3}
    assert regions.keys() >= LARGE_REGIONS


def test_each_is_a_root_that_signed_itself_and_is_valid_for_years() -> None:
    for certificate in certificates():
        certificate.verify_directly_issued_by(certificate)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        organisation = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
        assert organisation == "Amazon Web Services, Inc."
        now = dt.datetime.now(dt.UTC)
        assert (
            certificate.not_valid_before_utc < now < certificate.not_valid_after_utc - dt.timedelta(days=3650)
        )


def test_asyncpg_trusts_these_roots_only() -> None:
    context = connect_arguments(SETTINGS, ApiSettings())["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.cert_store_stats() == {
        "x509": len(certificates()),
        "crl": 0,
        "x509_ca": len(certificates()),
    }
