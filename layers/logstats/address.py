"""Parse a database URL, once and strictly, so that every driver reaches the same database.

libpq, asyncpg and SQLAlchemy disagree on what they default, override and ignore. So they never see the URL: they get the
parts of an `Address` as keywords. The form is that of libpq (PostgreSQL documentation, "Connection URIs").
"""

import getpass
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

FORM = "postgresql://user@host:5432/name or postgresql://user@/name?host=/socket/folder"
TLS = ("disable", "prefer", "require", "verify-full")

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"}
_PARTS = re.compile(
    r"(?P<scheme>[^:/]+)://((?P<user>[^:@/?#]*)(:(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/?#\[\]]*)(:(?P<port>[^@:/?#]*))?(/(?P<database>[^/?#]*))?(\?(?P<query>[^#]*))?"
)
_MALFORMED_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLACES = {"host", "port"}
_OPTIONS = {
    "sslmode": re.compile("|".join(TLS)),
    "sslrootcert": re.compile(".+"),
    "channel_binding": re.compile("disable|prefer|require"),
    "connect_timeout": re.compile("[1-9][0-9]{0,5}"),
    "application_name": re.compile(".*"),
    "options": re.compile(".*"),
}


class AddressError(ValueError):
    """A database URL has no single meaning; the message is for people, and shows no value of the URL."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database and how to sign in to it.

    The host is a name, an IP address, or the folder of a Unix socket. No password leaves it to the password file
    (`PGPASSFILE`), or to IAM. The options are those of the URL, by libpq's names: `sslmode`, `sslrootcert`,
    `channel_binding` (asyncpg has none), `connect_timeout` in seconds, `application_name`, and `options` for the server.
    """

    host: str
    port: int
    user: str
    password: str | None
    database: str
    options: dict[str, str]

    @property
    def is_socket(self) -> bool:
        """Tell whether the server is reached through a Unix socket, where there is no TLS."""
        return self.host.startswith("/")

    def for_psycopg(self) -> dict[str, Any]:
        """Return the keywords of `psycopg.connect`, but for TLS."""
        shared = {"host": self.host, "port": self.port, "user": self.user, "dbname": self.database}
        password = {} if self.password is None else {"password": self.password}
        return shared | password | {name: self.options[name] for name in self.options if "ssl" not in name}

    def for_asyncpg(self) -> dict[str, Any]:
        """Return the keywords of `asyncpg.connect`, but for TLS."""
        keywords: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "server_settings": {
                name: self.options[name] for name in ("application_name", "options") if name in self.options
            },
        }
        if "connect_timeout" in self.options:
            keywords["timeout"] = int(self.options["connect_timeout"])
        return keywords


def parse(url: str) -> Address:
    """Parse a database URL.

    What it leaves out is read from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD` and `PGDATABASE`, as libpq does; the defaults
    are port 5432, the user of this process, and the database of the user's name. An `AddressError` if the URL is malformed,
    says something twice, or asks for what is not supported.
    """
    parts = _PARTS.fullmatch(url)
    if parts is None or _MALFORMED_PERCENT.search(url) or not url.isprintable():
        raise AddressError(f"the database URL is malformed; its form is {FORM}, special characters as %40")
    if parts["scheme"] not in _SCHEMES:
        raise AddressError(f"the database URL is not PostgreSQL's; its form is {FORM}")
    if "PGHOSTADDR" in os.environ:
        raise AddressError(
            "PGHOSTADDR is set, which not every driver reads; name the address in the database URL"
        )
    places, options = _query(parts["query"] or "")
    for name in _PLACES & places.keys():
        if parts[name]:
            raise AddressError(f"the database URL has two of {name}; name one")
    user = _decoded(parts["user"]) or os.environ.get("PGUSER") or getpass.getuser()
    password = None if parts["password"] is None else _decoded(parts["password"])
    return Address(
        host=_host(places.get("host") or _decoded(parts["host"]) or os.environ.get("PGHOST", "")),
        port=_port(places.get("port") or parts["port"] or os.environ.get("PGPORT", "5432")),
        user=user,
        password=os.environ.get("PGPASSWORD") if password is None else password,
        database=_decoded(parts["database"]) or os.environ.get("PGDATABASE") or user,
        options=options,
    )


def _query(query: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return host and port, if the query has them, and the options."""
    found: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        if name not in _PLACES | _OPTIONS.keys():
            known = ", ".join(sorted(_PLACES | _OPTIONS.keys()))
            raise AddressError(f"the database URL has ?{name}=; it may have {known}")
        if name in found:
            raise AddressError(f"the database URL has two of {name}; name one")
        found[name] = _decoded(value)
        if name in _OPTIONS and not _OPTIONS[name].fullmatch(found[name]):
            values = f" (known: {', '.join(TLS)})" if name == "sslmode" else ""
            raise AddressError(f"the database URL has an impossible ?{name}={values}")
    places = {name: found.pop(name) for name in _PLACES & found.keys()}
    return places, found


def _decoded(text: str | None) -> str:
    """Decode %40 and the like; a plus stays one, as libpq has it."""
    try:
        decoded = unquote(text or "", errors="strict")
    except UnicodeDecodeError:
        raise AddressError("the database URL has percent-encoded bytes that are not UTF-8") from None
    if "\0" in decoded:
        raise AddressError("the database URL has a NUL character")
    return decoded


def _host(host: str) -> str:
    name = host.removeprefix("[").removesuffix("]")
    if not name or (not name.startswith("/") and re.search(r"[,@/\s]", name)):
        raise AddressError(f"the database URL names no host, or several; its form is {FORM}")
    return name


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise AddressError("the database URL's port is not a number from 1 to 65535")
    return int(text)
