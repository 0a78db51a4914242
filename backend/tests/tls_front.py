"""TLS in front of a server that has none: as PostgreSQL begins it, or from the first byte."""

import asyncio
import contextlib
import ssl
import struct
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


def make_certificate(folder: Path) -> ssl.SSLContext:
    """A server's context. Its certificate, for localhost, is in `folder`/ca.pem."""
    key, certificate = folder / "key.pem", folder / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@asynccontextmanager
async def tls_in_front(socket: str, context: ssl.SSLContext, *, asked_for: bool):
    """The port of a listener that hands on what comes by TLS to a Unix socket. `asked_for`: the
    client asks for TLS in PostgreSQL's words first; who does not is hung up on."""
    encrypted, served = [], []

    async def serve(reader, writer):
        served.append(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if asked_for:
                    if await reader.readexactly(8) != _SSL_REQUEST:
                        return
                    writer.write(b"S")
                    await writer.drain()
                    await writer.start_tls(context)
                encrypted.append(writer.get_extra_info("cipher"))
                inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
                await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            await _close(writer)

    listener = await asyncio.start_server(
        serve, "localhost", 0, family=2, ssl=None if asked_for else context
    )
    async with listener:
        yield listener.sockets[0].getsockname()[1], encrypted
        listener.close()
        await asyncio.gather(*served)


async def _pump(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    await _close(writer)


async def _close(writer):
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
