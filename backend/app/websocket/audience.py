"""The sockets of one board on this worker, and where their players stand."""

from collections.abc import Iterator

import structlog

from app.websocket.client import Client
from app.websocket.frames import Close
from app.websocket.own_ranks import OwnRanks, Place
from app.websocket.transport import offer

log = structlog.get_logger(__name__)


class Audience:
    """Registers clients and gives up those that read too slowly. Knows no standings."""

    def __init__(self) -> None:
        self.own = OwnRanks()
        self.dropped = 0
        """Clients that were too slow."""
        self._clients: set[Client] = set()
        self._by_slot: dict[int, Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def __contains__(self, client: Client) -> bool:
        return client in self._clients

    def __iter__(self) -> Iterator[Client]:
        """Over a copy: a client that is written to may turn out too slow, and leave."""
        return iter(tuple(self._clients))

    def enter(self, client: Client) -> None:
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        """A socket that has ended. Harmless if it has left already."""
        self._clients.discard(client)
        client.greeted = client.current = False
        if client.slot is not None:
            self.own.remove(client.slot)
            del self._by_slot[client.slot]
            client.slot = None

    def place(self, client: Client, user_id: int, place: Place, position: int) -> None:
        """Follows the client's own rank from this position on."""
        client.slot = self.own.add(user_id, place, position)
        self._by_slot[client.slot] = client

    def at(self, slot: int) -> Client | None:
        """Whose slot it is."""
        return self._by_slot.get(slot)

    def start(self, position: int) -> None:
        """Forgets all places: every client needs a new snapshot before it is told anything."""
        self.own.start(position)
        self._by_slot.clear()
        for client in self._clients:
            client.slot = None
            client.current = False

    def send(self, client: Client, *payloads: bytes) -> None:
        """Writes frames that were made for this client."""
        if client.greeted and not offer(client.outbox, *payloads):
            self.drop(client)

    def drop(self, client: Client) -> None:
        """Has a client closed that reads too slowly."""
        self.dropped += 1
        log.info("client too slow", user_id=client.user_id)
        self.leave(client)
        client.dismiss(Close.TOO_SLOW, "reads too slowly")
