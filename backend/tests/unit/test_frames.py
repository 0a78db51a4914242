"""Frames as a client library reads them, at the sizes where their heads change."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from app.websocket.frames import wire

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 70_000)


@pytest.fixture
def client() -> ClientProtocol:
    """A client whose handshake is over."""
    made = ClientProtocol(parse_uri("ws://localhost/ws/leaderboard"), max_size=None)
    server = ServerProtocol()
    made.send_request(made.connect())
    server.receive_data(b"".join(made.data_to_send()))
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    made.receive_data(b"".join(server.data_to_send()))
    (response,) = made.events_received()
    assert isinstance(response, Response)
    return made


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_read_as_it_was_written(client, size):
    payload = bytes(at % 128 for at in range(size))
    client.receive_data(wire(payload) + wire(b"next"))
    first, second = client.events_received()
    assert (first.opcode, first.fin, bytes(first.data)) == (Opcode.TEXT, True, payload)
    assert bytes(second.data) == b"next"
    assert client.parser_exc is None


def test_frames_in_pieces(client):
    """However the network cuts them."""
    sent = b"".join(wire(b"x" * size) for size in SIZES)
    for at in range(0, len(sent), 8_191):
        client.receive_data(sent[at : at + 8_191])
    assert [len(each.data) for each in client.events_received()] == list(SIZES)
