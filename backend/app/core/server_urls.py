"""The URLs of PostgreSQL and Redis, in the forms in which providers hand them out.

Each form becomes one: `postgresql+asyncpg://...` with libpq's names for TLS, and `redis://`,
`rediss://` or `unix://`. What is not known is refused here, with its name, because the drivers
would fail on it later. No message repeats a URL: it holds a password.
"""

import re
import ssl
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit
from uuid import uuid4

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
DATABASE_FORM = "postgresql://user:password@host:5432/name"
REDIS_FORM = "redis://user:password@host:6379/0, or rediss:// for TLS"

_NO_URL = (
    f"is no URL: write {DATABASE_FORM}, and in the password %40 for @, %2F for / and %3A for :"
)

POOLER = "pgbouncer"
"""The parameter by which a URL says that it names a pooler of transactions."""

_POOLED = ("application_name", "timezone")
"""Settings of a session that a pooler hands on; it refuses connections that ask for others."""

TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SSL_WORDS = {"true": "require", "1": "require", "on": "require", "no-verify": "require",
              "false": "disable", "0": "disable", "off": "disable"}  # fmt: skip
_SET_BY_US = (
    "application_name", "connect_timeout", "channel_binding", "gssencmode", "sslnegotiation",
    "connection_limit", "pool_timeout",
)  # fmt: skip
"""Taken and left out: the service sets them itself, or the driver has no such thing."""
_CACHE_SIZES = ("statement_cache_size", "prepared_statement_cache_size")
_READ_WRITE = ("any", "primary", "read-write", "prefer-standby")

_REDIS_TLS = (
    "ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname",
)  # fmt: skip
_REDIS_KNOWN = (*_REDIS_TLS, "db", "protocol")
_YES_AND_NO = {"true": "true", "1": "true", "false": "false", "0": "false"}


def clean_database_url(given: str) -> str:
    """The URL in the one form that the rest of the code reads. Raises ValueError."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        if "," in _split(given).netloc.rpartition("@")[2]:
            raise ValueError("must name one host: a list of hosts is not supported") from error
        raise ValueError(_NO_URL) from error
    if "@" in f"{url.host}{url.database}":
        raise ValueError(_NO_URL)
    if url.drivername not in ("postgres", "postgresql", DRIVER):
        raise ValueError(f"must begin with postgresql://, as in {DATABASE_FORM}")
    if not url.database:
        raise ValueError(f"must name a database, as in {DATABASE_FORM}")
    return url.set(drivername=DRIVER, query=_known(_flat(url))).render_as_string(
        hide_password=False
    )


def _known(query: dict[str, str]) -> dict[str, str]:
    """What a URL asks for, in libpq's words. Raises ValueError."""
    known = {name: query.pop(name) for name in ("host", "port", *_TLS_FILES) if name in query}
    for name in _SET_BY_US:
        query.pop(name, None)
    modes = {name: query.pop(name) for name in ("ssl", "sslmode") if name in query}
    for name, given in modes.items():
        known["sslmode"] = _SSL_WORDS.get(given.lower(), given.lower())
        if known["sslmode"] not in TLS_MODES:
            raise ValueError(f"has {name}={given}, which must be one of {', '.join(TLS_MODES)}")
    sizes = [query.pop(name) for name in _CACHE_SIZES if name in query]
    if "0" in sizes or query.pop(POOLER, "false").lower() in ("true", "1"):
        known[POOLER] = "true"
    session = query.pop("target_session_attrs", "any")
    if session not in _READ_WRITE:
        raise ValueError(
            f"has target_session_attrs={session}, which asks for a server that can't be written "
            "to: name the primary"
        )
    if "options" in query:
        known["options"] = query.pop("options")
    if query:
        raise ValueError(f"has the parameter {min(query)}, which is not known: leave it out")
    for name in _TLS_FILES:
        _readable(name, known.get(name, "system"))
    return known


def _readable(name: str, path: str) -> None:
    if path == "system":
        return
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"has {name}={path}, which can't be read: {error.strerror}") from error


def is_pooled(database_url: str) -> bool:
    """Whether a clean URL names a pooler of transactions."""
    return POOLER in make_url(database_url).query


def for_driver(
    database_url: str, session: dict[str, str]
) -> tuple[URL, dict[str, str], dict[str, object]]:
    """A clean URL as SQLAlchemy takes it, the settings of its sessions, and the driver's arguments.

    Raises OSError and ssl.SSLError for certificates that can't be used.
    """
    url = make_url(database_url)
    query = _flat(url)
    arguments: dict[str, object] = {}
    if "options" in query:
        session = session | {"options": query.pop("options")}
    if query.pop(POOLER, None):
        session = {name: value for name, value in session.items() if name in _POOLED}
        # Behind a pooler each transaction may have another server connection, which does not know
        # the statements that were prepared on the one before.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"lb_{uuid4().hex}",
        }
    tls = {name: query.pop(name) for name in ("sslmode", *_TLS_FILES) if name in query}
    if tls.get("sslmode") == "verify-full" and tls.get("sslrootcert", "system") == "system":
        # asyncpg knows only files of certificates; here the system's own are asked for.
        arguments["ssl"] = _system_tls(tls)
    elif tls:
        arguments["dsn"] = f"postgresql:///?{urlencode(tls)}"
    return url.set(query=query), session, arguments


def _flat(url: URL) -> dict[str, str]:
    """Its parameters; of one that stands there twice, the last."""
    return {
        name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()
    }


def _system_tls(tls: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "sslcert" in tls:
        context.load_cert_chain(tls["sslcert"], tls.get("sslkey"))
    return context


def for_tools(database_url: str) -> URL:
    """A clean URL as PostgreSQL's own programs take it."""
    url = make_url(database_url)
    query = _flat(url)
    query.pop(POOLER, None)
    if query.get("sslmode") == "verify-full":
        query.setdefault("sslrootcert", "system")
    return url.set(drivername="postgresql", query=query)


def clean_redis_url(given: str) -> str:
    """The URL in the form that the Redis driver takes. Raises ValueError."""
    parts = _split(given)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"must begin with redis://, as in {REDIS_FORM}")
    if parts.scheme != "unix":
        _check_place(parts)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in query.items():
        if name not in _REDIS_KNOWN:
            raise ValueError(f"has the parameter {name}, which is not known: leave it out")
        if name in _REDIS_TLS and parts.scheme != "rediss":
            raise ValueError(f"has the parameter {name}, so it must begin with rediss://")
        query[name] = _redis_value(name, value)
    place = given.partition("?")[0]
    return f"{place}?{urlencode(query)}" if query else place


def _check_place(parts: SplitResult) -> None:
    """Raises ValueError."""
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"has no good port: write {REDIS_FORM}") from error
    if not parts.hostname or port == 0:
        raise ValueError(f"names no host: write {REDIS_FORM}")
    if not re.fullmatch(r"/?[0-9]*", unquote(parts.path)):
        raise ValueError(f"must end with the number of a database: write {REDIS_FORM}")


def _redis_value(name: str, value: str) -> str:
    """Raises ValueError."""
    low = value.lower()
    if name == "ssl_cert_reqs":
        low = low.removeprefix("cert_")
        if low not in ("none", "optional", "required"):
            raise ValueError("has an ssl_cert_reqs that is not none, optional or required")
        return low
    if name == "ssl_check_hostname":
        if low not in _YES_AND_NO:
            raise ValueError("has an ssl_check_hostname that is not true or false")
        return _YES_AND_NO[low]
    if name in ("db", "protocol"):
        if not value.isdecimal():
            raise ValueError(f"has a {name} that is no number")
        return value
    _readable(name, value)
    return value


def _split(given: str) -> SplitResult:
    """Raises ValueError."""
    try:
        return urlsplit(given)
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from error
