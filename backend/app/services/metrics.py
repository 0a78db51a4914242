"""What a worker's services count, under the names that Prometheus knows it by."""

import time
from collections.abc import Iterator

from sqlalchemy.pool import QueuePool

from app.core.metrics.families import Family, Reading, Source, Type
from app.services.service import Service

_BOARD = ("board",)

SUBMISSIONS = Family(
    "leaderboard_submissions_total",
    Type.COUNTER,
    "Submissions by what became of them, refused ones by their error's code.",
    ("outcome", "code"),
)
BATCH_SIZE = Family(
    "leaderboard_batch_submissions", Type.HISTOGRAM, "Submissions of a transaction."
)
BATCH_SECONDS = Family(
    "leaderboard_batch_seconds",
    Type.HISTOGRAM,
    "Time until a batch was committed, with its tries again.",
)
QUEUED = Family("leaderboard_queue_submissions", Type.GAUGE, "Submissions waiting to be written.")
QUEUE_LIMIT = Family(
    "leaderboard_queue_limit", Type.GAUGE, "Submissions that may wait, beyond them it is 503."
)
UNRANKED = Family(
    "leaderboard_submissions_unranked_total",
    Type.COUNTER,
    "Stored scores that were answered without a rank.",
)
FAILING = Family(
    "leaderboard_writes_failing",
    Type.GAUGE,
    "1 while the database can't store scores, by why.",
    ("why",),
)
POOL_USED = Family(
    "leaderboard_database_connections_in_use", Type.GAUGE, "Connections taken out of the pool."
)
POOL_SIZE = Family("leaderboard_database_pool_size", Type.GAUGE, "Connections the pool may have.")
LIMITED = Family(
    "leaderboard_rate_limit_decisions_total",
    Type.COUNTER,
    "Requests and sockets that were counted against a limit.",
    ("who", "kind", "decision"),
)
STANDING_IN = Family(
    "leaderboard_rate_limits_standing_in",
    Type.GAUGE,
    "1 while Redis is away and the worker counts its share of the limits alone.",
)
CPU = Family(
    "leaderboard_worker_cpu_seconds_total", Type.COUNTER, "CPU time of the worker's process."
)
TASK_FAILURES = Family(
    "leaderboard_task_failures_total",
    Type.COUNTER,
    "Failures of the worker's long-lived tasks, which are started again.",
    ("task",),
)

APPLY_SECONDS = Family(
    "leaderboard_index_apply_seconds",
    Type.HISTOGRAM,
    "Time until a batch's folds were in the index.",
    _BOARD,
)
TRUSTED = Family(
    "leaderboard_index_trusted", Type.GAUGE, "1 while reads are answered from the index.", _BOARD
)
DOUBTS = Family(
    "leaderboard_index_doubts_total",
    Type.COUNTER,
    "Reasons to doubt the index: Redis failed, was restarted, or has none.",
    _BOARD,
)
LAG = Family(
    "leaderboard_index_lag_events",
    Type.GAUGE,
    "Events by which the index was behind the ledger at the last sweep, by who swept.",
    _BOARD,
)
CHECKED = Family(
    "leaderboard_sweep_checked_players_total",
    Type.COUNTER,
    "Players whom sweeps brought into the index once more, to be sure.",
    _BOARD,
)
REPAIRED = Family(
    "leaderboard_sweep_repaired_players_total",
    Type.COUNTER,
    "Players whose rank a sweep had to mend.",
    _BOARD,
)
REBUILT = Family(
    "leaderboard_index_rebuilds_total", Type.COUNTER, "Indexes built from the folds.", _BOARD
)
MIRRORED = Family(
    "leaderboard_mirror_live", Type.GAUGE, "1 while the worker follows the board's steps.", _BOARD
)
PLAYERS = Family("leaderboard_players", Type.GAUGE, "Ranked players of a board.", _BOARD)
READS = Family(
    "leaderboard_reads_total",
    Type.COUNTER,
    "Ranks and lists by where they came from: memory, index or database.",
    ("board", "source"),
)
PAGES = Family(
    "leaderboard_pages_total",
    Type.COUNTER,
    "Pages from memory: kept ones, those with a new head, those encoded anew.",
    ("board", "result"),
)
SAMPLES = Family(
    "leaderboard_samples_total",
    Type.COUNTER,
    "Samples of a board's order: taken or failed.",
    ("board", "result"),
)

_FAMILIES = (
    SUBMISSIONS, BATCH_SIZE, BATCH_SECONDS, QUEUED, QUEUE_LIMIT, UNRANKED, FAILING,
    POOL_USED, POOL_SIZE, LIMITED,
    STANDING_IN, CPU, TASK_FAILURES, APPLY_SECONDS, TRUSTED, DOUBTS, LAG,
    CHECKED, REPAIRED, REBUILT, MIRRORED, PLAYERS, READS, PAGES, SAMPLES,
)  # fmt: skip


def metrics_of(service: Service) -> Source:
    """All that the services count."""

    def read() -> Iterator[Reading]:
        yield from _writer(service)
        yield from _limits(service)
        yield Reading(CPU, (), time.process_time())
        for task in service.supervisor.tasks:
            yield Reading(TASK_FAILURES, (task.name,), task.failures)
        pool = service.engine.pool
        if isinstance(pool, QueuePool):
            yield Reading(POOL_USED, (), pool.checkedout())
            yield Reading(POOL_SIZE, (), pool.size())
        yield from _boards(service)
        yield from _keepers(service)

    return Source(_FAMILIES, read)


def _writer(service: Service) -> Iterator[Reading]:
    written = service.writer.written
    yield Reading(SUBMISSIONS, ("accepted", ""), written.accepted)
    yield Reading(SUBMISSIONS, ("replayed", ""), written.replayed)
    for code, count in written.refused.items():
        yield Reading(SUBMISSIONS, ("refused", code), count)
    yield Reading(BATCH_SIZE, (), written.sizes.read())
    yield Reading(BATCH_SECONDS, (), written.seconds.read())
    yield Reading(QUEUED, (), service.writer.queued)
    yield Reading(QUEUE_LIMIT, (), service.settings.writer_max_queue)
    yield Reading(UNRANKED, (), written.unranked)
    why = service.writer.outage.why
    if why is not None:
        yield Reading(FAILING, (why,), 1)


def _limits(service: Service) -> Iterator[Reading]:
    yield Reading(STANDING_IN, (), service.limits.standing_in)
    for limiter in service.limits.all:
        who, kind = limiter.policy.who.value, limiter.policy.kind.value
        yield Reading(LIMITED, (who, kind, "granted"), limiter.granted)
        yield Reading(LIMITED, (who, kind, "refused"), limiter.refused)


def _boards(service: Service) -> Iterator[Reading]:
    for standings in service.standings.all:
        board, index, reads = standings.board.slug, standings.index, standings.reads
        follower = standings.follower
        yield Reading(APPLY_SECONDS, (board,), index.apply_seconds.read())
        yield Reading(TRUSTED, (board,), index.available)
        yield Reading(DOUBTS, (board,), index.doubts)
        yield Reading(MIRRORED, (board,), follower.mirror is not None)
        if follower.mirror is not None:
            yield Reading(PLAYERS, (board,), follower.players)
        yield Reading(READS, (board, "memory"), reads.kept + reads.headed + reads.encoded)
        yield Reading(READS, (board, "index"), reads.index)
        yield Reading(READS, (board, "database"), reads.database)
        yield Reading(PAGES, (board, "kept"), reads.kept)
        yield Reading(PAGES, (board, "headed"), reads.headed)
        yield Reading(PAGES, (board, "encoded"), reads.encoded)


def _keepers(service: Service) -> Iterator[Reading]:
    for keeper in service.keepers:
        board = (keeper.board.slug,)
        yield Reading(CHECKED, board, keeper.checked)
        yield Reading(REPAIRED, board, keeper.repaired)
        yield Reading(REBUILT, board, keeper.rebuilt)
        if keeper.lag is not None:
            yield Reading(LAG, board, keeper.lag)
    for sampler in service.samplers:
        slug = sampler.board.slug
        yield Reading(SAMPLES, (slug, "taken"), sampler.taken)
        yield Reading(SAMPLES, (slug, "failed"), sampler.failed)
