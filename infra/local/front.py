"""A TCP load balancer in front of several processes of one function, round robin.

In a deployment the platform does this. A process that dies takes only its own connections
with it.

Run as `python -m infra.local.front PORT BACKEND_PORT...`.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Sequence

from infra.local.processes import HOST

_CHUNK_BYTES = 64 * 1024

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Front:
    """Forwards each new connection to the next process.

    Args:
        backends: The processes' ports.
    """

    def __init__(self, backends: Sequence[int]) -> None:
        self._backends = deque(backends)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection to a process that accepts it, until either side ends it."""
        backend = await self._connected()
        if backend is None:
            writer.transport.abort()
            return
        from_backend, to_backend = backend
        requests = asyncio.create_task(_copy(reader, to_backend))
        try:
            await _copy(from_backend, writer)
        finally:
            requests.cancel()
            to_backend.close()
            writer.close()

    async def _connected(self) -> Stream | None:
        """Connect to the next process that is up; return None if none is."""
        for _ in range(len(self._backends)):
            port = self._backends[0]
            self._backends.rotate(-1)
            try:
                return await asyncio.open_connection(HOST, port)
            except OSError:
                continue
        return None


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the source ends; if the source breaks, break the target too."""
    try:
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:
        target.transport.abort()


async def serve(port: int, backends: Sequence[int]) -> None:
    """Serve until the process is killed."""
    front = Front(backends)
    server = await asyncio.start_server(front.pass_on, HOST, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    own_port, *backend_ports = map(int, sys.argv[1:])
    asyncio.run(serve(own_port, backend_ports))
