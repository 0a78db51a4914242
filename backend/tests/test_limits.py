"""Rate limits: never over them on all workers together, no unfairness below, and without Redis."""

import asyncio
import struct
import time
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from app.core.redis import create_client
from app.core.supervisor import Supervisor
from app.services.access.callers import with_key
from app.services.limits import limiter as limiter_module
from app.services.limits import limits as limits_module
from app.services.limits.limiter import MAX_KNOWN, Limiter
from app.services.limits.limits import Limits
from app.services.limits.policies import LEASE_SECONDS, Kind, Policy, Who
from app.websocket.door import Door

ADDRESS = "192.0.2.1"


class Caller(NamedTuple):
    kind: str
    prefix: str | None = None
    user_id: int | None = None


ANONYMOUS = Caller("anonymous")
KEY = Caller("key", prefix="ab12cd34")


def player(user_id: int) -> Caller:
    return Caller("player", user_id=user_id)


@asynccontextmanager
async def limits_of(sandbox, **changes):
    """The limits of one worker, on the run's Redis."""
    settings = sandbox.make_settings(rate_limits=True, **changes)
    client = create_client(settings, lambda _: None, timeout=settings.redis_timeout, connections=4)
    limits = Limits(client, settings)
    try:
        async with Supervisor().running("limits", limits.run):
            yield limits
    finally:
        await client.aclose()


async def hammer(limits: Limits, kind: Kind, until: float, caller=ANONYMOUS, pause=0.0) -> int:
    """How much was granted by then to callers who never stop asking."""
    granted = 0

    async def ask() -> None:
        nonlocal granted
        while time.monotonic() < until:
            standing = await limits.charge(kind, caller, ADDRESS)
            granted += not standing.wait
            await asyncio.sleep(pause)

    await asyncio.gather(*(ask() for _ in range(20)))
    return granted


@pytest.mark.parametrize("quota", [60, 1_200, 60_000])
async def test_two_workers_together_grant_no_more_than_the_limit(sandbox, quota):
    """And no less, wherever leases were left."""
    async with (
        limits_of(sandbox, limit_address_reads=quota) as one,
        limits_of(sandbox, limit_address_reads=quota) as other,
    ):
        started = time.monotonic()
        until = started + 2.0
        granted = sum(
            await asyncio.gather(hammer(one, Kind.READS, until), hammer(other, Kind.READS, until))
        )
        took = time.monotonic() - started
        burst, rate = quota // 4, quota / 60
        assert granted <= burst + rate * took + 1
        spare = 2 * max(1, rate * LEASE_SECONDS)  # may be leased and not yet spent
        if quota <= 1_200:  # beyond, the callers themselves are what is slow
            assert granted >= burst + rate * 2.0 - spare - 1


async def test_a_caller_below_the_limit_is_never_refused(sandbox):
    """Through two workers in turns, at nine tenths of the rate, with nothing saved up."""
    quota, seconds = 1_200, 3.0
    changes = {"limit_address_reads": quota, "limit_burst_seconds": 1.0}
    async with limits_of(sandbox, **changes) as one, limits_of(sandbox, **changes) as other:
        refused, asked, started = 0, 0, time.monotonic()
        while (now := time.monotonic() - started) < seconds:
            if asked < now * quota / 60 * 0.9:
                each = (one, other)[asked % 2]
                refused += bool((await each.charge(Kind.READS, ANONYMOUS, ADDRESS)).wait)
                asked += 1
            else:
                await asyncio.sleep(0.005)
        assert asked > 45
        assert refused == 0


async def test_after_a_refusal_the_wait_is_enough(sandbox):
    async with limits_of(sandbox, limit_address_submits=120, limit_burst_seconds=1.0) as limits:
        standings = [await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS) for _ in range(3)]
        assert [bool(each.wait) for each in standings] == [False, False, True]
        assert 0.1 < standings[2].wait <= 0.5
        await asyncio.sleep(standings[2].wait + 0.005)
        assert not (await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS)).wait


async def test_a_batch_counts_its_items(sandbox):
    async with limits_of(sandbox) as limits:
        assert (await limits.charge(Kind.SUBMITS, player(7), ADDRESS, 10)).left == 5
        assert (await limits.charge(Kind.SUBMITS, player(7), ADDRESS, 6)).wait > 0
        assert not (await limits.charge(Kind.SUBMITS, player(7), ADDRESS, 5)).wait
        # More than ever come at once is refused for good, and takes nothing.
        assert (await limits.charge(Kind.SUBMITS, player(7), ADDRESS, 16)).wait > 0


async def test_keys_players_and_addresses_are_counted_apart(sandbox):
    async with limits_of(sandbox, limit_address_submits=4, limit_player_submits=4) as limits:
        for caller in (ANONYMOUS, player(7), player(8)):
            assert not (await limits.charge(Kind.SUBMITS, caller, ADDRESS)).wait
            assert (await limits.charge(Kind.SUBMITS, caller, ADDRESS)).wait
        assert not (await limits.charge(Kind.SUBMITS, ANONYMOUS, "192.0.2.2")).wait
        for _ in range(50):
            assert not (await limits.charge(Kind.SUBMITS, KEY, ADDRESS)).wait
        # Wrong credentials count for the address, whoever comes along with them.
        assert (await limits.charge_sign_in(ADDRESS)).policy.name == "address-sign-ins"


async def test_leases_spare_redis(sandbox):
    """A server at ten thousand a second asks some times a second; so does who is refused."""
    async with limits_of(sandbox) as limits:
        calls = 0
        call = limits._shared._calls._call

        async def count(wants):
            nonlocal calls
            calls += 1
            return await call(wants)

        limits._shared._calls._call = count
        for _ in range(5_000):
            assert not (await limits.charge(Kind.READS, KEY, ADDRESS)).wait
        assert calls < 30
        calls = 0
        for _ in range(5_000):
            await limits.charge_sign_in(ADDRESS)
        assert calls < 20


async def test_the_standing_is_told_in_the_fields_of_the_draft(sandbox):
    async with limits_of(sandbox) as limits:
        standing = await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS)
        assert standing.headers == (
            (b"ratelimit-policy", b'"address-submits";q=60;w=60'),
            (b"ratelimit", b'"address-submits";r=14;t=1'),
        )


async def test_a_flood_of_addresses_costs_a_bounded_memory(sandbox):
    async with limits_of(sandbox) as limits:
        limiter = limits._of_addresses[Kind.READS]
        for number in range(0, MAX_KNOWN + 2_000, 500):
            await asyncio.gather(
                *(
                    limits.charge(Kind.READS, ANONYMOUS, f"flood-{each}")
                    for each in range(number, number + 500)
                )
            )
        assert len(limiter._leases) == MAX_KNOWN
        with sandbox.redis() as client:
            keys = client.keys(f"{sandbox.name}:*limits*")
            # Nothing stays longer than a bucket takes to be full again.
            assert max(client.pttl(key) for key in keys[:50]) <= 15_000


async def test_without_redis_each_worker_counts_a_smaller_share_and_comes_back(sandbox):
    with sandbox.redis() as client:
        async with limits_of(sandbox, workers=2, redis_timeout=0.2) as limits:
            assert not limits.standing_in
            client.config_set("min-replicas-to-write", 1)  # answers, but takes no writes
            try:
                granted = [
                    not (await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS)).wait
                    for _ in range(20)
                ]
                assert limits.standing_in
                # A quarter of 15: half of the limit, by two workers.
                assert sum(granted) == 3
                started = time.monotonic()
                await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS)
                assert time.monotonic() - started < 0.05, "nobody waits for a Redis that is away"
            finally:
                client.config_set("min-replicas-to-write", 0)
            async with asyncio.timeout(5):
                while limits.standing_in:
                    await asyncio.sleep(0.05)
            assert (await limits.charge(Kind.SUBMITS, ANONYMOUS, ADDRESS)).left == 14


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def limiter_of(limits: Limits, quota: int, clock: Clock, *, share: float = 0.25) -> Limiter:
    """With a burst of a quarter of its quota."""
    policy = Policy(Who.ADDRESS, Kind.SUBMITS, quota, quota // 4)
    return Limiter(policy, limits._shared, share=share, clock=clock)


async def test_what_a_lease_has_left_is_not_spent_after_its_end_and_goes_back(sandbox):
    async with limits_of(sandbox) as limits:
        clock = Clock()
        limiter = limiter_of(limits, 2_400, clock)
        assert limiter.policy.slice == 10
        assert (await limiter.decide("a", 1)).left == 599
        lease = limiter._leases["a"]
        assert lease.tokens == 9
        assert limiter.spend("a", 1) is not None, "spent without asking"
        clock.now += LEASE_SECONDS
        assert limiter.spend("a", 1) is None, "the lease is over"
        # The eight that were left go back, so the bucket is short of what was used alone.
        standing = await limiter.decide("a", 1)
        assert 600 - 3 <= standing.left <= 600


async def test_a_batch_larger_than_what_a_lease_has_left_is_asked_for(sandbox):
    async with limits_of(sandbox) as limits:
        limiter = limiter_of(limits, 2_400, Clock())
        assert (await limiter.decide("a", 1)).left == 599
        assert limiter._leases["a"].tokens == 9
        assert limiter.spend("a", 10) is None
        # The nine went back and ten were taken; at most one has come meanwhile, then it was full.
        assert 589 <= (await limiter.decide("a", 10)).left <= 590


async def test_a_lease_that_ends_comes_back_to_other_workers(sandbox):
    """A worker that leased all and spent nothing: with its next request the others have it."""
    async with limits_of(sandbox) as limits:
        clock = Clock()
        one, other = limiter_of(limits, 60, clock), limiter_of(limits, 60, clock)
        lease = one._lease_of("a")
        await one.decide("a", 14)
        lease.tokens += 14  # as if none of them had been spent
        assert (await other.decide("a", 2)).wait > 0
        clock.now += 60
        await one.decide("a", 1)
        assert not (await other.decide("a", 12)).wait


async def test_a_batch_larger_than_a_lone_share_waits_for_a_full_bucket_and_leaves_a_debt(sandbox):
    async with limits_of(sandbox) as limits:
        clock = Clock()
        limiter = limiter_of(limits, 240, clock)  # alone: at most 15 at once, 1 a second
        assert not limiter._decide_alone("a", 45).wait, "a full bucket takes any batch"
        owed = limiter._decide_alone("a", 1).wait
        assert owed == pytest.approx(31)
        clock.now += 30
        assert limiter._decide_alone("a", 1).wait == pytest.approx(1)
        clock.now += 1
        assert not limiter._decide_alone("a", 1).wait
        assert limiter._decide_alone("a", 45).wait == pytest.approx(15)
        clock.now += 15
        assert not limiter._decide_alone("a", 45).wait
        assert limiter._decide_alone("a", 61).wait > 0
        assert (await limiter.ask("b", 61)).wait > 0, "more than ever come at once"


async def test_when_the_clock_of_redis_goes_back_nobody_is_shut_out_or_let_in(sandbox):
    async with limits_of(sandbox) as limits:
        limiter = limiter_of(limits, 60, Clock())
        with sandbox.redis() as client:
            seconds, micros = client.time()
            ahead = (seconds + 3_600) * 1_000 + micros // 1_000
            client.set(limiter._key + "a", struct.pack(">dd", 5.0, ahead))
            assert [bool((await limiter.ask("a", 1)).wait) for _ in range(6)] == [False] * 5 + [
                True
            ]
            # From then on the bucket fills by the clock as it is now.
            _, since = struct.unpack(">dd", client.get(limiter._key + "a"))
            assert since < ahead - 3_000_000
            assert 0 < client.pttl(limiter._key + "a") <= 15_000


async def test_every_map_of_callers_is_bounded(sandbox, monkeypatch):
    """Leases, buckets of this worker alone, and sockets by address and key; those seen longest ago
    go first, and who is refused stays refused."""
    monkeypatch.setattr(limiter_module, "MAX_KNOWN", 50)
    async with limits_of(sandbox) as limits:
        limiter = limiter_of(limits, 60, Clock())
        limiter._decide_alone("first", 15)
        for number in range(200):
            await limiter.ask(f"{number}", 1)
            limiter._decide_alone(f"{number}", 1)
            assert limiter._decide_alone("first", 1).wait > 0
        assert len(limiter._leases) == 50
        assert len(limiter._alone) == 50
        assert set(limiter._leases) == {str(number) for number in range(150, 200)}
        assert "first" in limiter._alone
        door = Door(limits, sandbox.make_settings())
        for number in range(100):
            caller = with_key(number + 1, f"k{number}", ["read"], float("inf"))
            assert door.refusal(f"192.0.2.{number}", []) is None
            async with door.entered(f"192.0.2.{number}", caller):
                assert len(door._by_address) == len(door._by_key) == 1
        assert (door.clients, door._by_address, door._by_key) == (0, {}, {})


async def test_refusals_are_held_back_for_so_many_at_a_time(sandbox, monkeypatch):
    monkeypatch.setattr(limits_module, "MAX_HELD", 3)
    async with limits_of(sandbox) as limits:
        held = [asyncio.create_task(limits.hold_back()) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sum(each.done() for each in held) == 7
        assert limits._held == 3
        for each in held:
            each.cancel()
        await asyncio.wait(held)
        assert limits._held == 0
