"""Headers of every answer, the policy of every page, CORS, depth, and what no log line says."""

import base64
import hashlib
import json
import logging
import re

import httpx
import pytest
import structlog

from app.api.answer_headers import page_policy
from app.core.addresses import Addresses
from app.core.config import Settings
from app.core.redaction import redact
from app.main import create_app
from tests.conftest import _with_state

SUBMIT = "/api/leaderboard/submit"
EVERYWHERE = {"x-content-type-options": "nosniff"}
DATA = "default-src 'none'; frame-ancestors 'none'"
DOCUMENTS = {
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
ORIGIN = "https://play.example.com"


def client_of(state=None, **settings):
    app = create_app(Settings(_env_file=None, **settings))
    if state is not None:
        app = _with_state(app, state)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def inline(tag: str, html: str) -> list[str]:
    return re.findall(rf"<{tag}(?![^>]*\bsrc=)[^>]*>(.*?)</{tag}>", html, re.DOTALL)


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


async def test_every_answer_is_hardened(worker):
    (player,) = await worker.add_players(1)
    await worker.submit(player, 5)
    hot = [
        await worker.client.get("/api/leaderboard/top"),
        await worker.client.get(f"/api/leaderboard/rank/{player}"),
        await worker.client.get("/api/leaderboard/rank/99"),
        await worker.submit(player, 5),
        await worker.client.post(SUBMIT, content=b"{"),
    ]
    plain = [
        await worker.client.get("/api/boards"),
        await worker.client.get("/api/users/99"),
        await worker.client.get("/nowhere"),
        await worker.client.delete("/api/boards"),
        await worker.client.get("/openapi.json"),
        await worker.client.options("/api/leaderboard/top"),
    ]
    for answer in hot + plain:
        assert answer.headers.items() >= EVERYWHERE.items(), answer.url
        assert answer.headers["content-security-policy"] == DATA
        assert "strict-transport-security" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
    for answer in plain:
        assert answer.headers.items() >= DOCUMENTS.items(), answer.url
        assert "geolocation=()" in answer.headers["permissions-policy"]


async def test_a_defect_of_ours_is_hardened_too(worker, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("app.api.boards._to_answer", fail)
    answer = await worker.client.get("/api/boards")
    assert answer.status_code == 500
    assert answer.headers.items() >= {**EVERYWHERE, **DOCUMENTS}.items()


async def test_the_documentation_is_a_page_like_all_others(worker):
    """It loads nothing from elsewhere, and its policy is that of the app."""
    async with client_of(worker.state) as client:
        answer = await client.get("/docs", headers={"accept": "text/html"})
        assert (await client.get("/redoc")).status_code == 404
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy == page_policy(answer.content).decode()
    (script,) = inline("script", answer.text)
    assert f"script-src 'self' {digest(script)};" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers.items() >= {**EVERYWHERE, **DOCUMENTS}.items()
    loaded = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]*)"', answer.text)
    assert loaded == ["/favicon.svg", "/viewer/swagger-ui.css", "/viewer/swagger-ui-bundle.js"]
    # Where no viewer is, there is still the document.
    assert 'href="/openapi.json"' in answer.text


async def test_pages_allow_their_own_inline_styles_and_no_scripts(tmp_path):
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text("{}")
    page = (
        "<!doctype html><style>html { background: #080b12 }</style>"
        '<script type="module" src="/assets/a.js"></script>'
    )
    (tmp_path / "index.html").write_text(page)
    html = {"accept": "text/html"}
    async with client_of(web_dir=tmp_path) as client:
        answer = await client.get("/", headers=html)
        known = {**html, "if-none-match": answer.headers["etag"]}
        answers = [answer, await client.get("/players/7", headers=html)]
        answers += [await client.get("/nowhere", headers=html)]
        answers += [await client.get("/", headers=known)]
    assert [each.status_code for each in answers] == [200, 200, 404, 304]
    for each in answers:
        (policy,) = each.headers.get_list("content-security-policy")
        assert digest("html { background: #080b12 }") in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert each.headers.items() >= {**EVERYWHERE, **DOCUMENTS}.items()
    async with client_of() as client:
        answer = await client.get("/", headers=html)
    assert digest(inline("style", answer.text)[0]) in answer.headers["content-security-policy"]
    assert " style=" not in answer.text


async def test_hsts_behind_tls_alone(worker):
    url, forwarded = "/api/boards", {"x-forwarded-proto": "https"}
    secure = "strict-transport-security"
    for path in (url, "/api/leaderboard/top"):
        answer = await worker.client.get(f"https://localhost{path}")
        assert secure in answer.headers
        # Not for who merely says so.
        assert secure not in (await worker.client.get(path, headers=forwarded)).headers
        async with client_of(worker.state, trusted_proxies="127.0.0.0/8") as client:
            assert secure in (await client.get(path, headers=forwarded)).headers
            assert secure not in (await client.get(path)).headers


@pytest.mark.parametrize("path", ["/api/boards", "/api/leaderboard/top"])
async def test_cors_is_closed_unless_an_origin_is_named(worker, path):
    asked = {"origin": ORIGIN, "access-control-request-method": "GET"}
    closed = await worker.client.options(path, headers=asked)
    assert closed.status_code == 405
    async with client_of(worker.state, allowed_origins=f"https://a.example, {ORIGIN}") as client:
        preflight = await client.options(path, headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        allowed = set(preflight.headers["access-control-allow-headers"].split(", "))
        assert {"authorization", "traceparent", "tracestate", "baggage", "sentry-trace"} <= allowed
        answer = await client.get(path, headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers
        for other in ("https://evil.example", ORIGIN + ".evil.example", "null"):
            for refused in (
                await client.options(path, headers={**asked, "origin": other}),
                await client.get(path, headers={"origin": other}),
            ):
                assert "access-control-allow-origin" not in refused.headers
                assert "access-control-allow-methods" not in refused.headers
                assert "origin" in refused.headers.get_list("vary")


async def test_more_headers_may_be_allowed():
    settings = {"allowed_origins": ORIGIN, "allowed_headers": "X-Team, traceparent"}
    async with client_of(**settings) as client:
        asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
        answer = await client.options(SUBMIT, headers=asked)
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert "x-team" in allowed
    assert allowed.count("traceparent") == 1


@pytest.mark.parametrize("names", ["a b", "x:y", "x\r\nset-cookie: a", "é"])
def test_a_header_that_has_no_such_name_is_refused_at_the_start(names):
    with pytest.raises(ValueError, match="no name of a header"):
        Settings(_env_file=None, allowed_headers=names)


def nested(depth: int, kind: str) -> str:
    head, tail = ('{"a":', "}") if kind == "object" else ("[", "]")
    return '{"deep":' + head * (depth - 1) + "1" + tail * (depth - 1) + "}"


@pytest.mark.parametrize("kind", ["object", "list"])
async def test_metadata_has_a_bound_on_its_depth(worker, kind):
    (player,) = await worker.add_players(1)

    async def send(metadata: str) -> httpx.Response:
        body = f'{{"user_id": {player}, "score": 1, "metadata": {metadata}}}'
        return await worker.client.post(
            SUBMIT, content=body, headers={"content-type": "application/json"}
        )

    wide = json.dumps({str(number): [[]] for number in range(60)})
    brackets = json.dumps({"text": "[" * 100})
    for good in (nested(32, kind), wide, brackets):
        assert (await send(good)).status_code == 200
    for depth in (33, 100, 190):
        answer = await send(nested(depth, kind))
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"field": "metadata", "message": "must be nested at most 32 deep"}
        ]
    answer = await send(nested(600, kind))  # beyond the parser's own bound
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")
    score = f'"user_id": {player}, "score": 1'
    batch = f'{{"submissions": [{{{score}, "metadata": {nested(40, kind)}}}, {{{score}}}]}}'
    answer = await worker.client.post(
        f"{SUBMIT}/batch", content=batch, headers={"content-type": "application/json"}
    )
    first, second = answer.json()["results"]
    assert first["problem"]["errors"][0]["field"] == "metadata"
    assert second["status"] == "accepted"


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl-_x"
SECRETS = (
    "lb_ab12cd34_S3cr3tS3cr3tS3cr3t", JWT, "nova@example.com", "hunter2hunter2",
)  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        {"event": "login of nova@example.com failed"},
        {"event": "x", "email": "not even an address: hunter2hunter2"},
        {"event": "x", "headers": {"Authorization": "Bearer hunter2hunter2"}},
        {"event": "x", "headers": [(b"authorization", b"Bearer hunter2hunter2")]},
        {"event": "x", "error": "INSERT ... [parameters: ('Nova', 'nova@example.com')]"},
        {"event": "x", "url": "postgresql+asyncpg://leaderboard:hunter2hunter2@db/leaderboard"},
        {"event": "x", "url": "redis://:hunter2hunter2@cache:6379/0"},
        {"event": f"token {JWT} expired"},
        {"event": "x", "key": SECRETS[0]},
        {"event": "x", "nested": {"a": [{"b": SECRETS[0]}], "guest_secret": "hunter2hunter2"}},
        {"event": 'body {"guest_secret": "hunter2hunter2", "user_id": 3}'},
        {"event": "x", "exception": f"Traceback ...\nValueError: {SECRETS[0]} {JWT}"},
    ],
)
def test_no_secret_is_logged(event):
    line = json.dumps(redact(None, "info", dict(event)), default=repr)
    for secret in SECRETS:
        assert secret not in line
    assert "[cut]" in line


def test_what_is_no_secret_stays():
    event = {
        "event": "request", "path": "/api/leaderboard/rank/7", "ms": 1.25, "request_id": "ab-1c",
        "tokens": 3, "key": "lb_ab12cd34", "error": "TimeoutError()", "status": None,
    }  # fmt: skip
    assert redact(None, "info", dict(event)) == event


def test_long_lines_take_no_longer_than_they_are():
    import time

    started = time.perf_counter()
    for text in (
        "a" * 200_000,
        "a." * 100_000,
        "@" * 200_000,
        "a@" * 100_000,
        "://" + "b" * 99_999,
    ):
        redact(None, "info", {"event": text})
    assert time.perf_counter() - started < 1


def test_the_log_as_it_is_configured_cuts(capsys):
    """Of our lines, of libraries', and of tracebacks."""
    from app.core.logging import configure_logging

    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logging("info")
        structlog.get_logger("test").info("hello", user="nova@example.com")
        logging.getLogger("library").warning("from %s", "nova@example.com")
        try:
            raise ValueError(SECRETS[0])  # noqa: TRY301
        except ValueError:
            structlog.get_logger("test").exception("failed")
        said = capsys.readouterr().err
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = before
    assert said.count("[cut]") >= 3
    assert not [secret for secret in SECRETS if secret in said]
    assert "ValueError" in said


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.2.3.4", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, nonsense, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "1.1.1.1:4711", "1.1.1.1"),
        ("10.0.0.1", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("2001:db8:1:2:3:4:5:6", "1.1.1.1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
        ("::ffff:9.9.9.9", "", "9.9.9.9"),
        (None, "1.1.1.1", "local"),
    ],
)
def test_addresses_behind_trusted_proxies_alone(peer, forwarded, found):
    settings = Settings(_env_file=None, trusted_proxies="10.0.0.0/8, 2001:db8:ffff::/48")
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert Addresses(settings.trusted_proxies).of(peer, headers) == found


def test_headers_that_come_twice_are_one_list():
    settings = Settings(_env_file=None, trusted_proxies=["10.0.0.0/8"])
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"1.1.1.1, 10.0.0.9")]
    assert Addresses(settings.trusted_proxies).of("10.0.0.1", headers) == "1.1.1.1"
