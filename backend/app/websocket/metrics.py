"""What a worker's hubs count, under the names that Prometheus knows it by."""

from collections.abc import Iterator

from app.core.metrics.families import Family, Reading, Source, Type
from app.websocket.hubs import Hubs

_BOARD = ("board",)

SOCKETS = Family("leaderboard_sockets", Type.GAUGE, "Sockets that watch a board.", _BOARD)
ROUNDS = Family(
    "leaderboard_fanout_seconds", Type.HISTOGRAM, "Time to tell all watchers of a board.", _BOARD
)
FRAMES = Family(
    "leaderboard_fanout_writes_total", Type.COUNTER, "Writes to watchers in fan-outs.", _BOARD
)
SLOW = Family("leaderboard_slow_clients_total", Type.COUNTER, "Sockets closed as too slow.", _BOARD)


def live_metrics_of(hubs: Hubs) -> Source:
    """All that the hubs count."""

    def read() -> Iterator[Reading]:
        for hub in hubs.all:
            board = (hub.standings.board.slug,)
            yield Reading(SOCKETS, board, hub.clients)
            yield Reading(ROUNDS, board, hub.rounds.read())
            yield Reading(FRAMES, board, hub.frames)
            yield Reading(SLOW, board, hub.dropped)

    return Source((SOCKETS, ROUNDS, FRAMES, SLOW), read)
