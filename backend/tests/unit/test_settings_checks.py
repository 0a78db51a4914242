"""Each setting is checked whole at the start, and what is wrong with it is said in plain words."""

import re

import pytest
from pydantic import ValidationError

from app.core.config import FROM_FILES, Settings
from app.core.database import create_engine
from app.core.server_urls import for_driver, for_tools
from app.core.setting_types import own_networks
from app.core.settings_faults import faults_of

SCHEMA = Settings.model_json_schema()["properties"]
NUMBERS = {
    name: kind
    for name, field in SCHEMA.items()
    for kind in (field, *field.get("anyOf", ()))
    if kind.get("type") in ("integer", "number")
}
FREE = {"auth_secret", "auth_secret_previous", *(f"{name}_file" for name in FROM_FILES),
        "web_dir", "metrics_dir"}  # fmt: skip
"""A path may be any text; a secret's length is checked where it is known to be needed."""
JARGON = re.compile(r"input|pydantic|valid|pars|exception|literal|instance|<|\n", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def faults(**given):
    try:
        Settings(_env_file=None, **given)
    except ValidationError as error:
        return faults_of(error, Settings, set(FROM_FILES))
    return []


def only_fault(**given):
    (fault,) = faults(**given)
    assert not JARGON.search(fault), fault
    return fault


def test_every_number_has_two_bounds_and_a_message_for_each():
    assert len(NUMBERS) > 40
    for name, kind in NUMBERS.items():
        low = kind.get("minimum", kind.get("exclusiveMinimum"))
        high = kind.get("maximum", kind.get("exclusiveMaximum"))
        assert low is not None, name
        assert high is not None, name
        for wrong in (low - 1, high + 1):
            assert re.match(
                rf"{name.upper()} must be (at least|more than|at most|less than) ",
                only_fault(**{name: str(wrong)}),
            )
        for wrong in ("inf", "x"):
            assert only_fault(**{name: wrong}).startswith(f"{name.upper()} must be "), wrong


def test_every_other_setting_refuses_nonsense_by_name():
    for name in Settings.model_fields.keys() - NUMBERS.keys() - FREE:
        said = only_fault(**{name: "no such thing"})
        assert said.startswith(f"{name.upper()} "), said


def test_an_empty_value_counts_as_left_out(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert Settings(_env_file=None) == Settings.model_construct()


def test_an_empty_file_is_no_secret_and_no_address(tmp_path):
    """A secret before a rotation is the exception: without one its file is empty."""
    path = tmp_path / "secret"
    path.write_text(" \n")
    for name in FROM_FILES:
        said = faults(**{f"{name}_file": path})
        if name == "auth_secret_previous":
            assert said == []
        else:
            (fault,) = said
            assert fault == f"{name.upper()}_FILE has nothing in it: {path} is empty"
        missing = tmp_path / "missing"
        assert only_fault(**{f"{name}_file": missing}) == (
            f"{name.upper()}_FILE cannot read {missing}: No such file or directory"
        )


def test_all_faults_are_said_at_once():
    assert len(faults(live_top=0, workers="x", log_level="nope", tiers="[]")) == 4


@pytest.mark.parametrize("level", ["INFO", " warning ", "Debug", "error"])
def test_log_levels_in_any_case(level):
    assert Settings(_env_file=None, log_level=level).log_level == level.strip().lower()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://a.example/", "https://a.example"),
        ("HTTPS://A.Example:443", "https://a.example"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(given, kept):
    found = Settings(_env_file=None, allowed_origins=f"{given}, {kept}").allowed_origins
    assert found == (kept,)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("*", "must not be *"),
        ("https://*.a.example", "no name as browsers send it"),
        ("a.example", "write https://a.example"),
        ("a.example:443", "no origin: write it as in"),
        ("null:", "no origin"),
        ("https://", "no origin"),
        ("https://a.example/play", "more than an origin: write https://a.example"),
        ("https://a.example?x", "more than an origin"),
        ("https://me@a.example", "more than an origin: write https://a.example"),
        ("https://a.example:99999", "no port"),
        ("https://bücher.example", "xn--"),
        ("https://a b.example", "no name"),
    ],
)
def test_origins_that_no_browser_sends_are_refused(given, why):
    assert why in only_fault(allowed_origins=given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("[]", "at least one tier"),
        ('[["A", 50]]', "end with a tier from 0"),
        ('[["A", 50], ["B", 60], ["C", 0]]', "fall from tier to tier"),
        ('[["A", 101], ["C", 0]]', "at most 100"),
        ('[["A", 50], ["A", 0]]', "twice"),
        ('[["A", "x"]]', "pairs"),
        ("{", "pairs"),
    ],
)
def test_tiers_that_make_no_ladder(given, why):
    assert why in only_fault(tiers=given)


ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth1 00000000 010012AC 0003 0 0 0 00000000 0 0 0
eth0 0007D50A 00000000 0001 0 0 0 00FFFFFF 0 0 0
eth1 000012AC 00000000 0001 0 0 0 0000FFFF 0 0 0
eth1 0000A8C0 010012AC 0003 0 0 0 0000FFFF 0 0 0
"""


def test_own_networks_are_those_without_a_gateway_before_them(tmp_path):
    (tmp_path / "route").write_text(ROUTES)
    found = own_networks(tmp_path / "route")
    assert [str(each) for each in found] == ["10.213.7.0/24", "172.18.0.0/16"]
    assert own_networks(tmp_path / "none") == []
    settings = Settings(_env_file=None, trusted_proxies="own-networks, 192.0.2.0/24")
    assert str(settings.trusted_proxies[-1]) == "192.0.2.0/24"


def test_networks_that_are_none():
    assert "10.0.0.1/8" in only_fault(trusted_proxies="10.0.0.1/8")


POSTGRES = "postgresql+asyncpg://me:p%40ss@db.example:5433/scores"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgres://me:p%40ss@db.example:5433/scores", POSTGRES),
        ("postgresql://me:p%40ss@db.example:5433/scores", POSTGRES),
        (POSTGRES, POSTGRES),
        ("postgresql://me:p/ss@h/d", "postgresql+asyncpg://me:p%2Fss@h/d"),
        (POSTGRES + "?sslmode=require", POSTGRES + "?sslmode=require"),
        (POSTGRES + "?ssl=require", POSTGRES + "?sslmode=require"),
        (POSTGRES + "?ssl=true", POSTGRES + "?sslmode=require"),
        (POSTGRES + "?sslmode=no-verify", POSTGRES + "?sslmode=require"),
        (POSTGRES + "?sslmode=require&channel_binding=require", POSTGRES + "?sslmode=require"),
        (POSTGRES + "?pgbouncer=true&connection_limit=1", POSTGRES + "?pgbouncer=true"),
        (POSTGRES + "?statement_cache_size=0", POSTGRES + "?pgbouncer=true"),
        (POSTGRES + "?prepared_statement_cache_size=0", POSTGRES + "?pgbouncer=true"),
        (POSTGRES + "?target_session_attrs=read-write&connect_timeout=10", POSTGRES),
        (POSTGRES + "?options=endpoint%3Dabc", POSTGRES + "?options=endpoint%3Dabc"),
        ("postgresql:///d?host=/run/pg", "postgresql+asyncpg:///d?host=%2Frun%2Fpg"),
    ],
)
def test_databases_by_the_forms_that_providers_hand_out(given, kept):
    assert Settings(_env_file=None, database_url=given).database_url == kept


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("mysql://me:hidden@h/d", "must begin with postgresql://"),
        ("postgresql+psycopg://me:hidden@h/d", "must begin with postgresql://"),
        ("postgresql://me:hidden@h1:1,h2:2/d", "one host"),
        ("postgresql://me:hidden@h", "name a database"),
        ("postgresql://me:hidden@den@h/d", "%40"),
        ("postgresql://me:hidden@h/d?sslmode=always", "sslmode=always"),
        ("postgresql://me:hidden@h/d?target_session_attrs=read-only", "name the primary"),
        ("postgresql://me:hidden@h/d?schema=a", "the parameter schema"),
        ("postgresql://me:hidden@h/d?sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("scores", "is no URL"),
    ],
)
def test_databases_that_can_not_be_named_so(given, why):
    said = only_fault(database_url=given)
    assert why in said
    assert "hidden" not in said


def test_the_driver_and_the_tools_get_the_same_place():
    clean = Settings(_env_file=None, database_url=POSTGRES + "?sslmode=verify-full").database_url
    url, asked, arguments = for_driver(clean, {"timezone": "UTC"})
    assert (url.host, url.port, url.password, dict(url.query)) == (
        "db.example", 5433, "p@ss", {},
    )  # fmt: skip
    assert asked == {"timezone": "UTC"}
    assert arguments["ssl"].check_hostname
    said = for_tools(clean).render_as_string(hide_password=False)
    assert said == (
        "postgresql://me:p%40ss@db.example:5433/scores?sslmode=verify-full&sslrootcert=system"
    )
    session = {"timezone": "UTC", "lock_timeout": "5s"}
    _, asked, _ = for_driver(POSTGRES + "?options=-c+jit%3Doff", session)
    assert asked == {**session, "options": "-c jit=off"}
    _, asked, arguments = for_driver(POSTGRES + "?options=-c+jit%3Doff&pgbouncer=true", session)
    assert asked == {"timezone": "UTC"}
    assert arguments["statement_cache_size"] == 0
    names = {arguments["prepared_statement_name_func"]() for _ in range(3)}
    assert len(names) == 3


def test_engines_take_every_form():
    for form in ("", "?sslmode=require", "?sslmode=verify-full", "?pgbouncer=true"):
        settings = Settings(_env_file=None, database_url=POSTGRES + form)
        assert create_engine(settings).url.host == "db.example"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("redis://h", "redis://h"),
        ("rediss://user:p%40@h:6380/2", "rediss://user:p%40@h:6380/2"),
        ("rediss://h:1?ssl_cert_reqs=CERT_NONE", "rediss://h:1?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
    ],
)
def test_redis_by_the_forms_that_providers_hand_out(given, kept):
    assert Settings(_env_file=None, redis_url=given).redis_url == kept


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("h:6379", "must begin with redis://"),
        ("http://:hidden@h", "must begin with redis://"),
        ("redis://:hidden@h:port/0", "no good port"),
        ("redis://:hidden@", "names no host"),
        ("redis://:hidden@h/scores", "number of a database"),
        ("redis://:hidden@h?ssl_cert_reqs=none", "begin with rediss://"),
        ("rediss://:hidden@h?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
        ("rediss://:hidden@h?ssl_ca_certs=/nowhere", "/nowhere"),
        ("redis://:hidden@h?timeout=1", "the parameter timeout"),
    ],
)
def test_redis_that_can_not_be_named_so(given, why):
    said = only_fault(redis_url=given)
    assert why in said
    assert "hidden" not in said
