"""A TCP proxy that can swallow everything, and leave the connections of that time half-open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from servers.process import free_port


class HalfOpenProxy:
    """Passes connections on to a port, until a black hole opens."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._hole = False
        self._doomed: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def swallow(self) -> None:
        """Let nothing through, and tell nobody: neither end sees its connection close."""
        self._hole = True
        self._doomed |= self._open

    def recover(self) -> None:
        """Let new connections through; those made before stay half-open for ever."""
        self._hole = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        both = {writer, there_writer}
        self._open |= both
        if self._hole:
            self._doomed |= both
        try:
            await asyncio.gather(
                self._pass_on(reader, there_writer), self._pass_on(there_reader, writer)
            )
        finally:
            self._open -= both

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if writer not in self._doomed:
                    writer.write(data)
                    await writer.drain()
        if writer not in self._doomed:
            writer.close()

    async def serve(self, ending: asyncio.Event, ready: threading.Event) -> None:
        """Serve until the event."""
        async with await asyncio.start_server(self._connected, "127.0.0.1", self.port):
            ready.set()
            await ending.wait()
            for writer in self._open:
                writer.close()


@contextmanager
def half_open_proxy(target_port: int) -> Iterator[HalfOpenProxy]:
    """Serve in a thread until the end of the block."""
    proxy, ready = HalfOpenProxy(target_port), threading.Event()
    loop, ending = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(proxy.serve(ending, ready)), name="proxy"
    )
    thread.start()
    ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
