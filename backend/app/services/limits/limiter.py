"""One policy's callers, as a worker knows them: leases while Redis counts, buckets while not."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from app.services.limits.policies import LEASE_SECONDS, Policy
from app.services.limits.shared import SharedBuckets, Want

MAX_KNOWN = 10_000
"""Callers remembered a policy: a flood of addresses costs a worker no more than this."""


class Standing(NamedTuple):
    """Where a caller stands after a request. `wait`: seconds to stay away; 0 if it was granted."""

    policy: Policy
    left: int
    wait: float

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11). `t` is
        when all of `burst` could be asked for at once again."""
        policy, left, wait = self
        full = ceil((policy.burst - left) * 60 / policy.quota)
        told = f'"{policy.name}";r={left};t={max(full, ceil(wait))}'
        return policy.header, (b"ratelimit", told.encode())


@dataclass(slots=True)
class Lease:
    """`tokens` may be spent until `ends`; `left` were in the bucket when it was last asked.
    Until `free_at` nobody who wants `refused` tokens or more need ask. `asking`: how many do."""

    asking: int = 0
    tokens: int = 0
    ends: float = 0.0
    left: int = 0
    refused: int = 0
    free_at: float = 0.0


@dataclass(slots=True)
class Bucket:
    """A token bucket of this worker alone."""

    tokens: float
    since: float


class Limiter:
    """Grants or refuses what callers want under one policy.

    `spend` decides without I/O, whenever a lease or a refusal is known; `ask` decides always.
    What is leased was deducted from the shared bucket, so all workers together never grant more
    than is in it. What a lease has left when it ends is not spent: it goes back with the caller's
    next one.
    """

    def __init__(
        self,
        policy: Policy,
        shared: SharedBuckets,
        *,
        share: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy = policy
        self.granted = self.refused = 0
        self._shared = shared
        self._clock = clock
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        self._alone: OrderedDict[str, Bucket] = OrderedDict()
        self._key = f"{shared.prefix}{policy.name}:"
        self._per_ms = policy.rate / 1_000
        self._lone_burst = max(1.0, policy.burst * share)
        self._lone_rate = policy.rate * share

    async def decide(self, subject: str, cost: int) -> Standing:
        """The decision, at once if it can be made so."""
        standing = self.spend(subject, cost) or await self.ask(subject, cost)
        if standing.wait:
            self.refused += 1
        else:
            self.granted += 1
        return standing

    def spend(self, subject: str, cost: int) -> Standing | None:
        """The decision, if it can be made without asking anybody."""
        lease = self._leases.get(subject)
        if lease is None:
            return None
        now = self._clock()
        if lease.tokens >= cost and now < lease.ends:
            lease.tokens -= cost
            return Standing(self.policy, lease.left + lease.tokens, 0.0)
        if now < lease.free_at and cost >= lease.refused:
            wait = lease.free_at - now + (cost - lease.refused) / self.policy.rate
            return Standing(self.policy, lease.left, wait)
        return None

    def refuses(self, subject: str) -> bool:
        """Whether it is known, without asking anybody, that the caller has to stay away."""
        lease = self._leases.get(subject)
        return lease is not None and self._clock() < lease.free_at

    def known_refusal(self, subject: str, cost: int) -> Standing | None:
        """The refusal, counted, if it is known without asking anybody; None if the request may be
        granted. Nothing is spent."""
        lease = self._leases.get(subject)
        if lease is None or self._may_spend(lease, cost):
            return None
        standing = self.spend(subject, cost)
        if standing is not None:
            self.refused += 1
        return standing

    def _may_spend(self, lease: Lease, cost: int) -> bool:
        return lease.tokens >= cost and self._clock() < lease.ends

    async def ask(self, subject: str, cost: int) -> Standing:
        """The decision: of a lease, of Redis, or of this worker alone."""
        if cost > self.policy.burst:
            return Standing(self.policy, 0, cost / self.policy.rate)
        if self._shared.away:
            return self._decide_alone(subject, cost)
        lease = self._lease_of(subject)
        back, lease.tokens = lease.tokens, 0
        # Of many who ask at once only the first one brings a lease: the others would each empty
        # the bucket a little more, to no use of theirs and at the cost of the other workers.
        wanted = cost if lease.asking else max(cost, self.policy.slice)
        want = Want(self._key + subject, self.policy.burst, self._per_ms, back, wanted, cost)
        lease.asking += 1
        try:
            grant = await self._shared.take(want)
        finally:
            lease.asking -= 1
        if grant is None:
            return self._decide_alone(subject, cost)
        now = self._clock()
        lease.left = grant.left
        if grant.tokens < cost:
            lease.refused, lease.free_at = cost, now + grant.wait
            return Standing(self.policy, lease.left + lease.tokens, max(grant.wait, 0.001))
        lease.tokens += grant.tokens - cost
        lease.ends = now + LEASE_SECONDS
        lease.free_at = 0.0
        return Standing(self.policy, lease.left + lease.tokens, 0.0)

    def _lease_of(self, subject: str) -> Lease:
        lease = self._leases.get(subject)
        if lease is None:
            lease = self._leases[subject] = Lease()
            if len(self._leases) > MAX_KNOWN:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(subject)
        return lease

    def _decide_alone(self, subject: str, cost: int) -> Standing:
        """The worker's share of the limit, from a bucket of its own."""
        now = self._clock()
        bucket = self._alone.get(subject)
        if bucket is None:
            bucket = self._alone[subject] = Bucket(self._lone_burst, now)
            if len(self._alone) > MAX_KNOWN:
                self._alone.popitem(last=False)
        else:
            self._alone.move_to_end(subject)
            grown = bucket.tokens + (now - bucket.since) * self._lone_rate
            bucket.tokens, bucket.since = min(self._lone_burst, grown), now
        missing = min(cost, self._lone_burst) - bucket.tokens
        if missing > 0:
            return Standing(self.policy, int(bucket.tokens), missing / self._lone_rate)
        bucket.tokens -= cost
        return Standing(self.policy, max(0, int(bucket.tokens)), 0.0)
