"""What the front does with connections, between real sockets of this machine."""

import asyncio
from contextlib import AsyncExitStack

from infra.local.front import Front
from infra.local.processes import HOST, free_ports


async def answering(stack: AsyncExitStack, name: bytes) -> int:
    """Start a backend that answers each request with its name, and return its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readline()
        writer.write(name if request == b"who\n" else b"")
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(answer, HOST, 0))
    return int(server.sockets[0].getsockname()[1])


async def fronted(stack: AsyncExitStack, *backends: int) -> int:
    server = await asyncio.start_server(Front(backends).pass_on, HOST, 0)
    await stack.enter_async_context(server)
    return int(server.sockets[0].getsockname()[1])


async def asked(port: int, request: bytes = b"who\n") -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def test_connections_go_to_each_process_in_its_turn():
    async def talk() -> list[bytes]:
        async with AsyncExitStack() as stack:
            backends = [await answering(stack, name) for name in (b"one", b"two")]
            port = await fronted(stack, *backends)
            return [await asked(port) for _ in range(4)]

    assert asyncio.run(talk()) == [b"one", b"two", b"one", b"two"]


def test_a_dead_process_loses_nothing_that_it_never_held():
    async def talk() -> list[bytes]:
        async with AsyncExitStack() as stack:
            (dead,) = free_ports(1)
            port = await fronted(stack, dead, await answering(stack, b"alive"))
            return [await asked(port) for _ in range(4)]

    assert asyncio.run(talk()) == [b"alive"] * 4


def test_with_no_process_at_all_the_connection_breaks():
    async def talk() -> bytes:
        async with AsyncExitStack() as stack:
            return await asked(await fronted(stack, *free_ports(2)))

    assert asyncio.run(talk()) in (b"reset", b"")


def test_an_answer_that_breaks_off_breaks_off_for_the_caller():
    async def talk() -> bytes:
        async with AsyncExitStack() as stack:
            port = await fronted(stack, await answering(stack, b"one"))
            return await asked(port, b"something else\n")

    assert asyncio.run(talk()) == b""
