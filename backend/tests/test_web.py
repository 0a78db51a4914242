"""The browser app as the API process serves it: a build, its pages, its 404s, and no build."""

import asyncio
import gzip
import socket

import httpx
import pytest

from app.core.config import Settings
from app.main import create_app

INDEX = b"<!doctype html><title>Leaderboard</title>" + b"<!-- -->" * 200
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "/assets/index-4f2a.js"


@pytest.fixture
def build(tmp_path):
    """What vite leaves, without the size."""
    files = {
        ".vite/manifest.json": b"{}",
        "index.html": INDEX,
        "index.html.gz": gzip.compress(INDEX),
        "index.html.br": b"as brotli",
        "favicon.svg": b"<svg/>",
        "manifest.webmanifest": b"{}",
        "assets/index-4f2a.js": b"console.log(1)",
        "assets/index-4f2a.js.gz": gzip.compress(b"console.log(1)"),
        "assets/font-77.woff2": b"wOF2",
    }
    for name, content in files.items():
        path = tmp_path / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "secret.txt").write_text("not yours")
    return tmp_path / "dist"


def client_of(web_dir):
    """The whole app, not started: nothing here asks its servers."""
    app = create_app(Settings(_env_file=None, web_dir=web_dir))
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"accept": "*/*"})


@pytest.fixture
async def client(build):
    async with client_of(build) as client:
        yield client


def is_problem(answer):
    return (
        answer.status_code == 404
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json()["code"] == "not-found"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/", "/players/1", "/players/281474976710655", "/boards/global", "/boards/weekly-2_x",
        "/boards/global/players/7", "/players/1/", "/index.html",
    ],
)  # fmt: skip
async def test_pages_answer_with_the_app(client, path):
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.content == INDEX
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/players", "/players/abc", "/players/0", "/players/1/games", "/boards/",
        "/boards/a/b", "/assets/", "/assets/gone-1.js", "/.vite/manifest.json", "/index.html.gz",
        "/players/\u0661",
    ],
)  # fmt: skip
async def test_other_paths_are_404_in_the_app_for_browsers_and_problems_for_others(client, path):
    page = await client.get(path, headers={**BROWSER, "if-none-match": "*"})
    assert (page.status_code, page.content) == (404, INDEX)
    assert page.headers["cache-control"] == "no-cache"
    assert "etag" not in page.headers
    assert is_problem(await client.get(path))


@pytest.mark.parametrize("path", ["/api", "/api/nope", "/ws", "/ws/nope", "/docs/nope"])
async def test_the_api_has_no_pages(client, path):
    assert is_problem(await client.get(path, headers=BROWSER))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/players/1", SCRIPT])
async def test_pages_are_only_read(client, method, path):
    assert is_problem(await client.request(method, path, headers=BROWSER))


async def test_what_has_a_hash_in_its_name_is_kept_for_good(client):
    for path, kind in (
        (SCRIPT, "text/javascript; charset=utf-8"),
        ("/assets/font-77.woff2", "font/woff2"),
    ):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    other = await client.get("/manifest.webmanifest")
    assert other.headers["content-type"] == "application/manifest+json"
    assert other.headers["cache-control"] == "public, max-age=3600"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip;q=1.0", "gzip"), ("br; q=0.000", None), ("identity", None), ("", None),
        ("deflate", None), ("brr, xgzip", None),
    ],
)  # fmt: skip
async def test_the_best_variant_that_is_accepted_is_sent(client, build, accepted, encoding):
    async with client.stream("GET", "/", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert answer.headers.get("content-encoding") == encoding
    assert raw == (build / f"index.html{suffix}").read_bytes()
    assert answer.headers["content-length"] == str(len(raw))
    assert answer.headers["vary"] == "accept-encoding"


async def test_a_file_without_variants_does_not_vary(client):
    answer = await client.get("/favicon.svg", headers={"accept-encoding": "br, gzip"})
    assert answer.content == b"<svg/>"
    assert not {"vary", "content-encoding"} & set(answer.headers)


async def test_a_browser_that_has_the_page_gets_no_body(client):
    tags = set()
    for accepted in ("gzip", "identity"):
        first = await client.get("/", headers={"accept-encoding": accepted})
        tag = first.headers["etag"]
        tags.add(tag)
        for known in (tag, f'"x", W/{tag}', "*"):
            again = await client.get(
                "/players/3", headers={"accept-encoding": accepted, "if-none-match": known}
            )
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == "no-cache"
            assert "content-length" not in again.headers
        changed = await client.get("/", headers={"if-none-match": '"other"'})
        assert changed.status_code == 200
    assert len(tags) == 2


@pytest.mark.parametrize("path", ["/", SCRIPT, "/nope"])
async def test_head_is_get_without_the_body(client, path):
    whole = await client.get(path, headers=BROWSER)
    head = await client.head(path, headers=BROWSER)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    unlike = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in unlike} == {
        k: v for k, v in whole.headers.items() if k not in unlike
    }


async def test_nothing_outside_the_build_is_reached(sandbox, build):
    async with sandbox.serve(web_dir=build) as address:
        for path in (
            "/../secret.txt", "/assets/../../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt",
            "//secret.txt", "/assets/..%5c..%5csecret.txt", f"/{build.parent}/secret.txt",
            "/.vite/manifest.json", "/favicon.svg%00.txt", "/./favicon.svg", "secret.txt", "//",
        ):  # fmt: skip
            answer = await asyncio.to_thread(ask_raw, address, path)
            assert answer.split(b" ", 2)[1] in (b"404", b"400"), path
            assert b"not yours" not in answer


def ask_raw(address, path):
    """Clients tidy a path up before they send it; this one doesn't."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


async def test_the_service_is_as_without_the_app(sandbox, build):
    async with sandbox.worker(web_dir=build) as worker:
        (player,) = await worker.add_players(1)
        assert (await worker.submit(player, 5)).json()["new_rank"] == 1
        assert (await worker.rank(player))["score"] == 5
        for path in ("/api/leaderboard/top", "/openapi.json"):
            answer = await worker.client.get(path, headers=BROWSER)
            assert answer.headers["content-type"] == "application/json"
        docs = await worker.client.get("/docs", headers=BROWSER)
        assert (docs.status_code, docs.content == INDEX) == (200, False)
        wrong = await worker.client.delete("/api/leaderboard/top", headers=BROWSER)
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize("kind", ["none", "missing", "sources"])
async def test_without_a_build_the_first_page_says_how_to_make_one(tmp_path, kind):
    sources = tmp_path / "frontend"
    (sources / "node_modules").mkdir(parents=True)
    (sources / "index.html").write_bytes(INDEX)
    web_dir = {"none": None, "missing": tmp_path / "gone", "sources": sources}[kind]
    async with client_of(web_dir) as client:
        page = await client.get("/", headers=BROWSER)
        assert page.status_code == 404
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert b"./quickstart.sh" in page.content
        assert is_problem(await client.get("/"))
        assert is_problem(await client.get("/players/1", headers=BROWSER))
        assert is_problem(await client.get("/index.html", headers=BROWSER))


PREVIEW = b'<meta property="og:image" content="%s/social.png">'


@pytest.mark.parametrize("path", ["/", "/players/1", "/nope"])
async def test_the_preview_image_has_a_whole_address_made_from_the_request(build, path):
    page = build / "index.html"
    page.write_bytes(INDEX + PREVIEW % b"")
    for suffix in (".br", ".gz"):
        page.with_name(page.name + suffix).unlink()
    async with client_of(build) as client:
        for headers, address in (
            ({"host": "board.example"}, b"http://board.example"),
            ({"host": "[::1]:8000"}, b"http://[::1]:8000"),
            ({"host": "board.example", "x-forwarded-proto": "https"}, b"https://board.example"),
            ({"host": 'x"><script>'}, b""),
        ):
            answer = await client.get(path, headers=BROWSER | headers)
            assert answer.content == INDEX + PREVIEW % address
            assert answer.headers["content-length"] == str(len(answer.content))
    page.write_bytes(INDEX + PREVIEW % b"https://given.example")
    async with client_of(build) as client:
        answer = await client.get("/", headers={"host": "board.example"})
        assert b'content="https://given.example/social.png"' in answer.content
