# SPDX-License-Identifier: ISC
"""A proxy between a relay and its smarthost on whose line something goes wrong, once.

    with FaultProxies() as proxies:
        port = proxies.add(host.port, Trouble("reset", "mail"))

What went before the phase is passed on; then the trouble comes; whatever connects later has a good
line. One thread serves all proxies.
"""

import asyncio
import re
import socket
import struct
import threading

LATENCY = 0.2       # seconds
STALL = 2.0
PIECES = 7          # octets a write, when they are split
PIECE_PAUSE = 0.001

# Where a phase begins: the direction, and what is about to pass.
PHASES = {
    "connect": ("up", None),            # before the smarthost is reached
    "banner": ("down", rb"^220 "),
    "ehlo": ("up", rb"^EHLO "),
    "starttls": ("up", rb"^STARTTLS\r\n"),
    "handshake": ("up", rb"^\x16\x03"),
    "mail": ("up", rb"^MAIL FROM"),
    "rcpt": ("up", rb"^RCPT TO"),
    "data": ("up", rb"^(DATA|BDAT)\b"),
    "go-ahead": ("down", rb"^354 "),
    "body": ("up", rb"MIDDLE"),
    "last": ("up", rb"END\r\n(\.\r\n)?"),   # the content's last octets
    "end": ("up", rb"END\r\n(\.\r\n)?"),    # the same, when they have passed
    "reply": ("down", rb"^250 2\.0\.0 queued"),
    "idle": ("down", rb"^250 2\.0\.0 queued.*\r\n"),     # when it has passed
}
# There the trouble comes behind what marks the phase.
BEHIND = ("end", "idle")
# From here on the smarthost has the message: it may get it again.
LATE = ("end", "reply")
KINDS = ("latency", "stall", "reset", "slow-close", "cut", "split")


class Trouble:
    """kind: of KINDS; phase: of PHASES; skip: so many times the phase passes well before."""

    def __init__(self, kind, phase, skip=0):
        self.kind, self.phase, self.skip = kind, phase, skip
        self.direction, pattern = PHASES[phase]
        self.pattern = re.compile(pattern, re.MULTILINE) if pattern else None
        self.happened = 0

    def __repr__(self):
        return f"{self.kind} at {self.phase}"

    def place(self, data):
        """Where in these octets it comes; None: not here."""
        for found in self.pattern.finditer(data) if self.pattern else ():
            if self.skip == 0:
                return found.end() if self.phase in BEHIND else found.start()
            self.skip -= 1
        return None


class Line:
    """One connection through a proxy."""

    def __init__(self, trouble, reader, writer):
        self.trouble, self.sides = trouble, {"up": (reader, writer)}
        self.over = False

    async def run(self, port):
        try:
            if self.trouble.direction == "up" and self.trouble.pattern is None:
                await self.meet("up", b"", first=True)
            if not self.over:
                self.sides["down"] = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self.carry("up", "down"), self.carry("down", "up"))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for _, writer in self.sides.values():
                writer.close()

    async def carry(self, way, to):
        reader, writer = self.sides[way][0], self.sides[to][1]
        while not self.over:
            data = await reader.read(65536)
            if not data:
                break
            place = self.trouble.place(data) if self.is_due(way) else None
            if place is None:
                await self.pass_on(writer, data)
            else:
                await self.pass_on(writer, data[:place])
                await self.meet(way, data[place:], to)
        if not self.over:
            writer.close()

    def is_due(self, way):
        return self.trouble.happened == 0 and self.trouble.direction == way

    @staticmethod
    async def pass_on(writer, data):
        writer.write(data)
        await writer.drain()

    async def meet(self, way, data, to=None, first=False):
        if self.trouble.happened:
            return
        self.trouble.happened += 1
        await getattr(self, "do_" + self.trouble.kind.replace("-", "_"))(
            None if first else self.sides[to][1], data)

    async def do_latency(self, writer, data):
        await asyncio.sleep(LATENCY)
        if writer:
            await self.pass_on(writer, data)

    async def do_stall(self, writer, data):
        await asyncio.sleep(STALL)
        if writer:
            await self.pass_on(writer, data)

    async def do_split(self, writer, data):
        for at in range(0, len(data), PIECES):
            await self.pass_on(writer, data[at:at + PIECES])
            await asyncio.sleep(PIECE_PAUSE)

    async def do_reset(self, writer, data):
        for _, side in self.sides.values():
            side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                     struct.pack("ii", 1, 0))
            side.transport.abort()
        self.over = True

    async def do_cut(self, writer, data):
        """Three octets more, and nothing."""
        if writer:
            await self.pass_on(writer, data[:3])
        self.end()

    async def do_slow_close(self, writer, data):
        """Our side ends; the other is read for a while."""
        for _, side in self.sides.values():
            if side.can_write_eof():
                side.write_eof()
        await asyncio.sleep(LATENCY)
        self.end()

    def end(self):
        self.over = True
        for _, side in self.sides.values():
            side.close()


class FaultProxies:
    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.servers = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self._run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def add(self, port, trouble):
        """Its own port."""
        async def serve(reader, writer):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await Line(trouble, reader, writer).run(port)

        server = self._run(asyncio.start_server(serve, "127.0.0.1", 0))
        self.servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _close(self):
        for server in self.servers:
            server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
