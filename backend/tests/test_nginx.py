"""Nginx with the project's own configuration, in front of a real worker."""

import asyncio
import gzip
import json
import os
import re
import shutil
import ssl
import subprocess
from contextlib import AsyncExitStack

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.api.answer_headers import _HARDENING, page_policy
from app.api.web import CLIENT_ROUTES
from app.core.config import Settings
from app.main import create_app
from tests.conftest import serve
from tests.nginx_helpers import NGINX, TOP, defaults, find_nginx, free_port, nginx, policy_file

pytestmark = pytest.mark.skipif(
    find_nginx() is None, reason="there is no nginx (in PATH, or named by NGINX)"
)

INDEX = b"<!doctype html><style>html { color: red }</style>" + b"<!-- -->" * 200
SCRIPT = b"console.log(1);" * 100
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PROXY = {"trusted_proxies": ["127.0.0.1/32"]}


@pytest.fixture
def build(tmp_path):
    """What the image has of a build."""
    files = {
        "index.html": INDEX,
        "index.html.gz": gzip.compress(INDEX),
        "favicon.svg": b"<svg/>",
        "robots.txt": b"User-agent: *\n",
        "manifest.webmanifest": b"{}",
        ".hidden": b"not yours",
        "assets/index-4f2a.js": SCRIPT,
        "assets/index-4f2a.js.gz": gzip.compress(SCRIPT),
        "assets/font-77.woff2": b"wOF2",
        "viewer/swagger-ui-bundle.js": SCRIPT,
        "viewer/swagger-ui-bundle.js.gz": gzip.compress(SCRIPT),
    }
    for name, content in files.items():
        path = tmp_path / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "dist"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nginx").mkdir()
    return tmp_path / "nginx"


def log_of(folder):
    return [json.loads(line) for line in (folder / "access.log").read_text().splitlines()]


@pytest.fixture
async def site(sandbox, build, folder):
    """A client of Nginx, with a worker behind it."""
    async with (
        sandbox.serve(**PROXY) as backend,
        nginx(folder, build, backend) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client,
    ):
        yield client


def is_problem(answer, status, code):
    return (
        answer.status_code == status
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json()["code"] == code
        and answer.json()["status"] == status
    )


async def test_pages_files_and_what_is_neither(site, sandbox, build):
    """The answers are those of a worker that serves the app itself, headers included."""
    pages = ("/", "/players/1", "/boards/weekly-2_x", "/boards/global/players/7/", "/index.html")
    missing = ("/nope", "/players/0", "/players/1/games", "/assets/gone.js", "/.hidden",
               "/index.html.gz", "/assets/index-4f2a.js.gz")  # fmt: skip
    files = ("/favicon.svg", "/robots.txt", "/manifest.webmanifest",
             "/assets/index-4f2a.js", "/assets/font-77.woff2",
             "/viewer/swagger-ui-bundle.js")  # fmt: skip
    (build / ".vite").mkdir()
    (build / ".vite" / "manifest.json").write_text("{}")
    same = ("content-type", "cache-control", "content-security-policy", "content-encoding",
            *(name.decode() for name, _ in _HARDENING))  # fmt: skip
    async with (
        sandbox.serve(web_dir=build) as own,
        httpx.AsyncClient(base_url=f"http://{own}") as worker,
    ):
        for path in (*pages, *files, *missing):
            for headers in (BROWSER, {"accept": "*/*"}):
                ours = await site.get(path, headers={**headers, "accept-encoding": "gzip"})
                theirs = await worker.get(path, headers={**headers, "accept-encoding": "gzip"})
                assert ours.status_code == theirs.status_code, path
                plain = path in missing and headers is not BROWSER
                if not plain:
                    assert ours.content == theirs.content, path
                for name in same:
                    values = ours.headers.get_list(name)
                    assert values == theirs.headers.get_list(name), (path, name)
                if plain:
                    assert is_problem(ours, 404, "not-found")
    for path in pages:
        answer = await site.get(path)
        assert (answer.status_code, answer.content) == (200, INDEX)
        assert answer.headers["vary"] == "Accept-Encoding"
    kept = await site.get("/assets/index-4f2a.js")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    known = {"if-none-match": (await site.get("/")).headers["etag"]}
    again = await site.get("/players/3", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert "style-src 'self' 'sha256-" in again.headers["content-security-policy"]


async def test_the_preview_image_has_a_whole_address_made_from_the_request(site, build):
    preview = b'<meta property="og:image" content="%s/social.png">'
    (build / "index.html").write_bytes(INDEX + preview % b"")
    for path in ("/", "/boards/weekly", "/nope"):
        for headers, address in (
            ({"host": "board.example"}, b"http://board.example"),
            ({"host": "board.example", "x-forwarded-proto": "https"}, b"https://board.example"),
            ({"host": 'x"><script>'}, b""),
        ):
            answer = await site.get(path, headers=BROWSER | headers)
            assert answer.content == INDEX + preview % address


@pytest.mark.parametrize("path", ["/", "/players/1", "/favicon.svg"])
async def test_pages_are_only_read(site, path):
    for method in ("POST", "PUT", "DELETE"):
        assert is_problem(await site.request(method, path, headers=BROWSER), 404, "not-found")


async def test_the_api_is_as_without_it(site):
    made = await site.post("/api/users", json={"username": "Nova"})
    assert made.status_code == 201, made.text
    player = made.json()["user_id"]
    sent = await site.post("/api/leaderboard/submit", json={"user_id": player, "score": 7})
    assert sent.json()["new_rank"] == 1
    top = await site.get("/api/leaderboard/top", params={"limit": 5})
    assert [entry["user_id"] for entry in top.json()["entries"]] == [player]
    assert top.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "x-none" not in top.headers
    etag = top.headers["etag"]
    again = await site.get(
        "/api/leaderboard/top", params={"limit": 5}, headers={"if-none-match": f"W/{etag}"}
    )
    assert again.status_code == 304
    assert is_problem(await site.get("/api/leaderboard/rank/99"), 404, "unknown-player")
    assert is_problem(await site.get("/api/nope", headers=BROWSER), 404, "not-found")
    docs = await site.get("/docs", headers=BROWSER)
    assert docs.headers.get_list("content-security-policy") == [page_policy(docs.content).decode()]
    viewer = await site.get("/viewer/swagger-ui-bundle.js", headers={"accept-encoding": "gzip"})
    assert (viewer.content, viewer.headers["content-encoding"]) == (SCRIPT, "gzip")
    assert "javascript" in viewer.headers["content-type"]
    contract = await site.get("/openapi.json", headers={"accept-encoding": "gzip"})
    assert contract.headers["content-encoding"] == "gzip"
    assert contract.json()["openapi"].startswith("3.")


async def test_what_is_for_operators_is_not_on_the_site(site):
    for path in ("/metrics", "/metrics/"):
        assert is_problem(await site.get(path), 404, "not-found")


async def test_a_body_that_is_too_large(site):
    """Nginx says so, in the worker's words and at the worker's bound. What the worker refuses
    before it has read a long body is told as well."""
    assert int(defaults()["BODY_LIMIT"]) == Settings(_env_file=None).max_body_bytes
    for _ in range(5):
        refused = await site.post(
            "/api/leaderboard/submit/batch",
            content=b" " * 1_000_000,
            headers={"content-type": "text/plain"},
        )
        assert is_problem(refused, 415, "unsupported-media-type"), refused.text
    for size in (1_000_001, 5_000_000):
        answer = await site.post(
            "/api/leaderboard/submit",
            content=b" " * size,
            headers={"content-type": "application/json"},
        )
        assert is_problem(answer, 413, "body-too-large"), (size, answer.text)


async def test_a_socket_and_what_is_pushed(site):
    player = (await site.post("/api/users", json={"username": "Nova"})).json()["user_id"]
    own = str(site.base_url).rstrip("/")
    place = own.replace("http", "ws") + "/"
    async with connect(f"{place}ws/leaderboard/{player}", origin=own) as watcher:
        snapshot = json.loads(await asyncio.wait_for(watcher.recv(), 10))
        assert snapshot["type"] == "snapshot"
        await site.post("/api/leaderboard/submit", json={"user_id": player, "score": 7})
        seen = set()
        async with asyncio.timeout(10):
            while seen < {"update", "rank"}:
                for frame in (await watcher.recv()).splitlines():
                    seen.add(json.loads(frame)["type"])
        await watcher.send('{"type": "ping"}')
    async with connect(f"{place}ws/leaderboard", origin="https://elsewhere.example") as stranger:
        await asyncio.wait_for(stranger.wait_closed(), 10)
        assert stranger.close_code == 4403


async def test_a_backend_that_drains_gets_no_more_sockets(sandbox, build, folder):
    """They go to another one, and requests go to both."""
    draining, seen = create_app(sandbox.make_settings(**PROXY)), []

    async def watched(scope, receive, send):
        seen.append(scope.get("state"))
        await draining(scope, receive, send)

    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(serve(watched))
        new = await stack.enter_async_context(sandbox.serve(**PROXY))
        # Where Docker's DNS knows several backends by one name.
        group = f"upstream pair {{ server {old}; server {new}; }}"
        changes = {"map $scheme": f"{group} map $scheme"}
        address = await stack.enter_async_context(nginx(folder, build, "pair", changes=changes))
        client = await stack.enter_async_context(httpx.AsyncClient())
        await client.get(f"http://{old}/api/live")
        async with connect(f"ws://{old}/ws/leaderboard") as lost:
            await lost.recv()
            await seen[-1]["hubs"].drain(per_second=100, seconds=5)
            await asyncio.wait_for(lost.wait_closed(), 10)
            assert lost.close_code == 1012
        for _ in range(4):
            async with connect(f"ws://{address}/ws/leaderboard") as watcher:
                assert json.loads(await watcher.recv())["type"] == "snapshot"
    tried = [line["backend"] for line in log_of(folder) if line["path"] == "/ws/leaderboard"]
    assert f"{old}, {new}" in tried
    assert {each.split(", ")[-1] for each in tried} == {new}


async def test_the_callers_address_reaches_the_worker(sandbox, build, folder):
    """Limits count the caller that Nginx sees, whatever the caller claims; also for sockets."""
    bounded = {
        **PROXY, "rate_limits": True, "limit_address_reads": 240, "auth_mode": "closed",
        "auth_secret": os.urandom(32).hex(),
    }  # fmt: skip

    async def left(client, claimed):
        answer = await client.get("/api/leaderboard/top", headers={"x-forwarded-for": claimed})
        return int(re.search(r"r=(\d+)", answer.headers["ratelimit"])[1])

    async with sandbox.serve(**bounded) as backend, nginx(folder, build, backend) as address:
        at = f"http://{address}"
        here = httpx.AsyncHTTPTransport(local_address="127.0.0.1")
        there = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with (
            httpx.AsyncClient(base_url=at, transport=here) as one,
            httpx.AsyncClient(base_url=at, transport=there) as other,
        ):
            # 127.0.0.1 is Nginx' own address too, so what it adds for `one` is passed over.
            assert await left(one, "203.0.113.1") == 59
            assert await left(one, "203.0.113.2") == 59
            # What `other` claims stands left of what Nginx adds, and nobody believes it.
            seen = [await left(other, f"203.0.113.{number}") for number in range(1, 31)]
            assert seen[0] == 59
            assert seen[-1] < 50
    assert {line["address"] for line in log_of(folder)} == {"127.0.0.1", "127.0.0.2"}


async def test_the_log_has_what_is_needed_and_no_query(site, folder):
    answer = await site.get("/api/leaderboard/top?limit=3&token=dont-write-this")
    await site.get("/favicon.svg?token=dont-write-this")
    lines = log_of(folder)
    api = next(line for line in lines if line["path"] == "/api/leaderboard/top")
    assert api["request_id"] == answer.headers["x-request-id"]
    assert (api["method"], api["status"]) == ("GET", 200)
    assert "dont-write-this" not in (folder / "access.log").read_text()


async def test_without_a_backend(build, folder):
    nobody = f"127.0.0.1:{free_port()}"
    async with (
        nginx(folder, build, nobody) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        answer = await client.post("/api/leaderboard/submit", json={})
        assert is_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/")).content == INDEX


async def test_no_connections_left(sandbox, build, folder):
    """Who comes then is told to come back, and gets in when others have left."""
    few = {
        "worker_processes 2": "worker_processes 1",
        "worker_connections 19000": "worker_connections 20",
    }
    async with (
        sandbox.serve(**PROXY) as backend,
        nginx(folder, build, backend, changes=few) as address,
    ):
        sockets, refused = [], None
        while refused is None:
            try:
                sockets.append(await connect(f"ws://{address}/ws/leaderboard"))
            except InvalidStatus as error:
                refused = error.response
        assert 4 < len(sockets) < 10
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["content-type"] == "application/problem+json"
        async with httpx.AsyncClient(base_url=f"http://{address}") as client:
            assert is_problem(await client.get("/api/leaderboard/top"), 503, "unavailable")
            assert (await client.get("/")).content == INDEX
        assert "worker_connections are not enough" in (folder / "error.log").read_text()
        for each in sockets:
            assert json.loads(await each.recv())["type"] == "snapshot"
        await sockets.pop().close()
        async with connect(f"ws://{address}/ws/leaderboard") as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"
        for each in sockets:
            await each.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
async def test_one_address_has_a_bound_of_connections(sandbox, build, folder):
    """Sockets and requests together; what is refused is a problem document, and ends with them."""
    few = {"limit_conn addresses 4000": "limit_conn addresses 3"}
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(sandbox.serve(**PROXY))
        address = await stack.enter_async_context(nginx(folder, build, backend, changes=few))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{address}"))
        url = f"ws://{address}/ws/leaderboard"
        sockets = [await stack.enter_async_context(connect(url)) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == 429
        for path in ("/api/leaderboard/top", "/", "/robots.txt"):
            answer = await client.get(path)
            assert is_problem(answer, 429, "rate-limited"), (path, answer.text)
            assert answer.headers["retry-after"] == "2"
        await sockets[0].close()
        async with asyncio.timeout(5):
            while (await client.get("/api/leaderboard/top")).status_code != 200:
                await asyncio.sleep(0.02)


async def test_a_trusted_proxy_has_no_bound_of_connections(sandbox, build, folder, monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "own-networks, 10.0.0.0/8,127.0.0.0/8")
    few = {"limit_conn addresses 4000": "limit_conn addresses 3"}
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(sandbox.serve(**PROXY))
        address = await stack.enter_async_context(nginx(folder, build, backend, changes=few))
        for _ in range(5):
            await stack.enter_async_context(connect(f"ws://{address}/ws/leaderboard"))


async def test_tls_where_a_certificate_was_dropped_in(sandbox, build, folder):
    (folder / "tls").mkdir()
    subprocess.run(  # noqa: ASYNC221 - quick
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=localhost", "-keyout", folder / "tls" / "privkey.pem",
         "-out", folder / "tls" / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    async with (
        sandbox.serve(**PROXY) as backend,
        nginx(folder, build, backend, scheme="https") as address,
        httpx.AsyncClient(verify=False) as client,
    ):
        for path in ("/", "/favicon.svg", "/api/boards", "/api/leaderboard/top"):
            answer = await client.get(f"https://{address}{path}")
            assert answer.status_code == 200
            assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
        plain = await client.get(f"http://{address}/players/1?x=1")
        assert plain.status_code == 308
        assert plain.headers["location"] == f"https://{address}/players/1?x=1"
        anyone = ssl._create_unverified_context()
        async with connect(f"wss://{address}/ws/leaderboard", ssl=anyone) as watcher:
            assert json.loads(await asyncio.wait_for(watcher.recv(), 10))["type"] == "snapshot"


def test_connections_fit_into_the_open_files_of_a_worker():
    """Of which the container has so many, and other files need some."""
    text = (NGINX / "nginx.conf").read_text()
    (files,) = map(int, re.findall(r"^worker_rlimit_nofile (\d+);", text, re.MULTILINE))
    (connections,) = map(int, re.findall(r"worker_connections (\d+);", text))
    allowed = re.findall(r"MAX_FILES:-(\d+)", (TOP / "docker-compose.yml").read_text())
    assert {*map(int, allowed)} == {files}
    assert connections + 500 < files


def test_the_pages_are_the_backends():
    """One list of the app's pages, in the two places that need it."""
    template = (NGINX / "templates" / "default.conf.template").read_text()
    pattern = re.sub(r"\s", "", CLIENT_ROUTES.pattern)
    assert f'location ~ "^{pattern}$"' in template


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_page_policy_is_the_backends(tmp_path):
    page = INDEX + b'<script>let a = "\xc3\xa9"</script><SCRIPT type="module" src="/a.js"></SCRIPT>'
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_bytes(page)
    (tmp_path / "scripts").mkdir()
    shutil.copy(TOP / "frontend" / "scripts" / "page-policy.mjs", tmp_path / "scripts")
    made = subprocess.run(
        ["node", tmp_path / "scripts" / "page-policy.mjs"], check=True, capture_output=True
    )
    assert made.stdout.decode() == policy_file(tmp_path / "dist")
    assert page_policy(page).decode() in made.stdout.decode()
