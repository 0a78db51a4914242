"""What the service counts, as Prometheus reads it."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.services.rank_index.index import Change
from tests.access_helpers import closed
from tests.conftest import Sandbox, Worker

SUBMIT = "/api/leaderboard/submit"


async def scrape(worker: Worker) -> dict[tuple, float]:
    """{(name, label values but the worker's, by label...): value}, summed over the workers."""
    answer = await worker.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple, float] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = tuple(
                value for name, value in sorted(sample.labels.items()) if name != "worker"
            )
            assert "worker" in sample.labels
            key = (sample.name, *labels)
            found[key] = found.get(key, 0) + sample.value
    return found


def requests(found: dict[tuple, float], method: str, route: str, status: str) -> float:
    return found.get(("leaderboard_http_request_seconds_count", method, route, status), 0)


async def test_requests_by_route_and_status(worker: Worker) -> None:
    (player,) = await worker.add_players(1)
    await worker.submit(player, 5)
    await worker.submit(player + 1, 5)
    await worker.client.post(SUBMIT, content=b"{", headers={"content-type": "application/json"})
    for _ in range(3):
        await worker.rank(player)
    await worker.client.get("/api/users/999999")
    await worker.client.get("/no-such-page")
    found = await scrape(worker)
    assert requests(found, "POST", SUBMIT, "2xx") == 1
    assert requests(found, "POST", SUBMIT, "4xx") == 2
    assert requests(found, "GET", "/api/leaderboard/rank/{user_id}", "2xx") == 3
    assert requests(found, "POST", "/api/users", "2xx") == 1
    assert requests(found, "GET", "/api/users/{user_id}", "4xx") == 1
    assert requests(found, "*", "*", "4xx") == 1
    buckets = [
        value
        for (name, *labels), value in found.items()
        if name == "leaderboard_http_request_seconds_bucket"
        and labels[1:] == ["GET", "/api/leaderboard/rank/{user_id}", "2xx"]
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3
    assert requests(await scrape(worker), "GET", "/metrics", "2xx") == 1


async def test_submissions_and_batches(worker: Worker) -> None:
    (player,) = await worker.add_players(1)
    await worker.submit(player, 5, key="one")
    await worker.submit(player, 5, key="one")
    await worker.submit(player, 6, key="one")
    await worker.submit(player + 1, 5)
    answer = await worker.client.post(
        SUBMIT + "/batch",
        json={"submissions": [{"user_id": player, "score": 1, "game_mode": "a"}] * 30},
    )
    assert answer.status_code == 200
    found = await scrape(worker)
    name = "leaderboard_submissions_total"
    assert found[name, "", "accepted"] == 31
    assert found[name, "", "replayed"] == 1
    assert found[name, "idempotency-mismatch", "refused"] == 1
    assert found[name, "unknown-player", "refused"] == 1
    assert found["leaderboard_batch_submissions_sum",] == 34
    assert found["leaderboard_batch_submissions_count",] == 5
    assert found["leaderboard_batch_seconds_count",] == 5
    assert found["leaderboard_batch_seconds_sum",] > 0
    assert found["leaderboard_index_apply_seconds_count", "global"] >= 2
    assert found["leaderboard_queue_submissions",] == 0
    await worker.service.writer.close()
    assert (await worker.submit(player, 1)).status_code == 503
    assert (await scrape(worker))[name, "shutting-down", "refused"] == 1


async def test_every_refused_score_is_counted_once_by_code(sandbox: Sandbox) -> None:
    """Wherever it is refused: at the entrance, for its fields, rights or room, in the plan."""
    name = "leaderboard_submissions_total"

    async def refused(worker: Worker) -> dict[str, float]:
        found = await scrape(worker)
        return {key[1]: found[key] for key in found if key[0] == name and key[2:] == ("refused",)}

    async with sandbox.worker(writer_max_queue=5) as worker:
        (player,) = await worker.add_players(1, "counted")
        good = {"user_id": player, "score": 1}
        items = [good, {**good, "score": "x"}, {**good, "user_id": 999}, {**good, "won": 1}, 5]
        await worker.client.post(SUBMIT + "/batch", json={"submissions": items})
        assert await refused(worker) == {"invalid-input": 3, "unknown-player": 1}
        await worker.submit(player, 1.5)
        await worker.client.post(SUBMIT, content=b"1=2")
        await worker.client.post(SUBMIT + "/batch", json={"submissions": [good] * 6})
        assert await refused(worker) == {
            "invalid-input": 4,
            "unknown-player": 1,
            "unsupported-media-type": 1,
            "overloaded": 6,
        }
    async with closed(sandbox, rate_limits=True, limit_player_submits=40) as there:
        tokens = {"Authorization": f"Bearer {there.credentials['own']}"}
        theirs = [{"user_id": there.other, "score": 1}] * 2
        await there.client.post(SUBMIT + "/batch", json={"submissions": theirs}, headers=tokens)
        await there.client.post(SUBMIT, json=theirs[0])
        await there.client.post(
            SUBMIT + "/batch", json={"submissions": theirs * 10}, headers=tokens
        )
        written = there.worker.service.writer.written.refused
        assert written == {"forbidden": 2, "unauthenticated": 1, "rate-limited": 20}


async def test_reads_say_where_they_came_from(worker: Worker) -> None:
    (player,) = await worker.add_players(1)
    await worker.submit(player, 5)
    await worker.top()
    await worker.top()
    await worker.rank(player)
    await worker.client.get(f"/api/leaderboard/around/{player}")
    found = await scrape(worker)
    reads, pages = "leaderboard_reads_total", "leaderboard_pages_total"
    assert found[reads, "global", "memory"] == 2
    assert found[pages, "global", "kept"] == 1
    assert found[pages, "global", "encoded"] == 1
    assert found[reads, "global", "index"] == 2
    assert found[reads, "global", "database"] == 0
    assert found["leaderboard_players", "global"] == 1
    assert found["leaderboard_index_trusted", "global"] == 1

    doubts = found["leaderboard_index_doubts_total", "global"]
    worker.standings.index.distrust("a test")
    await worker.rank(player)
    found = await scrape(worker)
    assert found["leaderboard_index_doubts_total", "global"] == doubts + 1
    assert found[reads, "global", "database"] == 1


async def test_drift_is_counted_when_a_sweep_mends_it(sandbox: Sandbox) -> None:
    async with sandbox.worker(sweep_interval=0.1) as worker:
        one, other = await worker.add_players(2)
        await worker.submit(one, 5)
        apply = worker.standings.apply

        async def lose(folds):
            applied = await apply([])
            return replace(applied, ranks=[Change(None, None, is_news=True)] * len(folds))

        worker.standings.apply = lose  # as a worker that dies between the commit and the index
        await worker.submit(other, 9)
        worker.standings.apply = apply
        async with asyncio.timeout(10):
            while not (found := await scrape(worker))[
                "leaderboard_sweep_repaired_players_total", "global"
            ]:
                await asyncio.sleep(0.05)
        assert found["leaderboard_sweep_checked_players_total", "global"] >= 1
        async with asyncio.timeout(10):
            while (await scrape(worker)).get(("leaderboard_index_lag_events", "global")) != 0:
                await asyncio.sleep(0.05)


async def test_an_index_that_was_lost_is_a_rebuild(worker: Worker, sandbox: Sandbox) -> None:
    (player,) = await worker.add_players(1)
    await worker.submit(player, 5)
    before = (await scrape(worker))["leaderboard_index_rebuilds_total", "global"]
    sandbox.forget_index()
    async with asyncio.timeout(10):
        while (await scrape(worker))["leaderboard_index_rebuilds_total", "global"] == before:
            await asyncio.sleep(0.05)


async def test_limits_are_counted(sandbox: Sandbox) -> None:
    async with sandbox.worker(rate_limits=True, limit_address_reads=60) as worker:
        answers = [(await worker.client.get("/api/boards")).status_code for _ in range(20)]
        refused = answers.count(429)
        assert refused
        service = worker.service
        counted = {
            (each.policy.who, each.policy.kind): (each.granted, each.refused)
            for each in service.limits.all
        }
        assert counted["address", "reads"] == (20 - refused, refused)


async def test_strangers_do_not_see_it(sandbox: Sandbox) -> None:
    async with closed(sandbox) as there:
        for who, status in (
            ("nothing", 401), ("own", 403), ("submit", 403), ("read", 200), ("admin", 200),
        ):  # fmt: skip
            answer = await there.ask(who, "GET", "/metrics")
            assert answer.status_code == status, who
            assert ("leaderboard_submissions_total" in answer.text) == (status == 200)


async def test_workers_are_shown_together(sandbox: Sandbox, tmp_path, monkeypatch) -> None:
    """Two workers, of which one is asked; what a third left long ago is not shown."""
    import json
    import os
    import time

    from app.core.metrics import published

    monkeypatch.setattr(published, "INTERVAL", 0.05)
    gone = tmp_path / "7.json"
    gone.write_text(json.dumps({"leaderboard_submissions_total": [[["accepted", ""], 1_000]]}))
    os.utime(gone, (time.time() - 60,) * 2)
    monkeypatch.setattr(published.os, "getpid", lambda: 1_000_001)
    async with sandbox.worker(metrics_dir=tmp_path) as one:
        monkeypatch.setattr(published.os, "getpid", lambda: 1_000_002)
        async with sandbox.worker(metrics_dir=tmp_path) as other:
            (player,) = await one.add_players(1)
            for score in range(3):
                await one.submit(player, score)
            await other.submit(player, 9)
            async with asyncio.timeout(10):
                while True:
                    text = (await other.client.get("/metrics")).text
                    if 'outcome="accepted",worker="1000001"} 3.0' in text:
                        break
                    await asyncio.sleep(0.02)
            assert 'outcome="accepted",worker="1000002"} 1.0' in text
            assert 'worker="7"' not in text
            heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
            assert len(heads) == len(set(heads))
        assert [each.stem for each in tmp_path.glob("1*.json")] == ["1000001"]


@pytest.mark.parametrize("kind", ["kept", "headed", "encoded"])
async def test_every_result_of_a_page_is_there_from_the_start(worker: Worker, kind: str) -> None:
    assert (await scrape(worker))["leaderboard_pages_total", "global", kind] == 0
