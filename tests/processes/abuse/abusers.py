#!/usr/bin/env python3
"""One kind of abuse against a gateway, for so long: a process of its own. It prepares, prints READY and how many players
it plays, waits for a line, does it, and prints a JSON object: `tries`, and what else it has seen."""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import sys
import time

sys.dont_write_bytecode = True  # the source folder stays as it is
import speech

CHANNEL = speech.text("abuse")


class Peer:
    """A connection. What the server says is read when asked for only."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.buffer = b""
        self.next_request = 1

    @classmethod
    async def connect(cls, port: int, receive_bytes: int = 0) -> "Peer":
        connection = socket.socket()
        connection.setblocking(False)
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self) -> bytes:
        """Raises ConnectionError at the end."""
        data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        if not data:
            raise ConnectionResetError("closed by the server")
        return data

    async def frame(self) -> bytes:
        while True:
            if len(self.buffer) >= 4:
                end = 4 + int.from_bytes(self.buffer[:4], "little")
                if len(self.buffer) >= end:
                    payload, self.buffer = self.buffer[4:end], self.buffer[end:]
                    return payload
            self.buffer += await self.read()

    async def until_closed(self) -> None:
        try:
            while True:
                await self.read()
        except OSError:
            pass

    def close(self) -> None:
        self.socket.close()

    def cut(self) -> None:
        """Without a goodbye, and without a port that is occupied for a minute."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    # --- the native protocol
    async def say_hello(self) -> bytes:
        """The nonce of this connection."""
        await self.send(speech.hello)
        reply, _ = speech.unpack(await self.frame(), 4)
        if reply[0] != 0:
            raise ConnectionRefusedError(reply[1])
        return reply[8]

    async def enter(self, claim: bytes) -> list:
        await self.send(claim)
        while True:
            payload = await self.frame()
            command = int.from_bytes(payload[1:3], "little")
            if command == speech.ENTER and payload[0] & ~speech.SECRET == speech.REPLY:
                return speech.unpack(payload, 4)[0]
            if command in (speech.ENTER, speech.CLOSE):
                raise ConnectionRefusedError(repr(payload))

    async def request(self, command: int, body: bytes) -> None:
        await self.send(speech.request(command, self.next_request, body))
        self.next_request += 1


async def guest_token(login: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", login)
    try:
        writer.write(b"POST /v1/guest HTTP/1.1\r\nHost: login\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                     b"Connection: close\r\n\r\n{}")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionRefusedError(head.splitlines()[0].decode() if head else "no answer")
    return json.loads(body)["token"]


class Abuse:
    """What is common: who it is against, how long, how many at once. `run` does it until `until`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.report = {"tries": 0}
        self.until = 0.0
        self.playing = 0

    async def prepare(self) -> None:
        pass

    async def run(self) -> None:
        """Many at once, each again and again."""
        await asyncio.gather(*(self.again(number) for number in range(self.options.count)))

    async def again(self, number: int) -> None:
        while time.monotonic() < self.until:
            peer = None
            try:
                peer = await Peer.connect(self.options.gateway)
                self.report["tries"] += 1
                await asyncio.wait_for(self.once(peer, number), max(0.1, self.until - time.monotonic()))
            except (OSError, asyncio.TimeoutError, UnicodeDecodeError, KeyError, IndexError):
                pass  # the server says no in many ways
            finally:
                if peer:
                    peer.cut()
            await asyncio.sleep(self.options.pause)

    async def once(self, peer: Peer, number: int) -> None:
        raise NotImplementedError

    async def entered(self, count: int, receive_bytes: int = 0) -> list:
        """So many players: (peer, what the server said)."""
        at_once = asyncio.Semaphore(50)

        async def one() -> tuple:
            async with at_once:
                token = await guest_token(self.options.login)
                peer = await Peer.connect(self.options.gateway, receive_bytes)
                await peer.say_hello()
                return peer, await peer.enter(speech.enter(token))

        self.playing += count
        return await asyncio.gather(*(one() for _ in range(count)))


class Slowloris(Abuse):
    """A hello of which a byte comes each second. Who is hung up on comes again. Without asyncio, so that what 5,000 of them
    cost on this side takes little from a small machine."""

    slow = speech.frame(b"GSP1\x95\x01\x01" + speech.text("x" * 1000))
    rounds = 100  # in a second

    async def run(self) -> None:
        sockets, sent = [None] * self.options.count, [0] * self.options.count
        began, round_ = time.monotonic(), 0
        while time.monotonic() < self.until:
            for number in range(round_ % self.rounds, len(sockets), self.rounds):
                if sockets[number] is None or not self.is_wanted(sockets[number]):
                    if sockets[number] is not None:
                        sockets[number].close()
                    sockets[number], sent[number] = self.connect(), 0
                sent[number] += self.send(sockets[number], self.slow[sent[number]:sent[number] + 1])
            round_ += 1
            time.sleep(max(0.0, began + round_ / self.rounds - time.monotonic()))

    def connect(self) -> socket.socket:
        self.report["tries"] += 1
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.connect_ex(("127.0.0.1", self.options.gateway))
        return connection

    @staticmethod
    def is_wanted(connection: socket.socket) -> bool:
        try:
            connection.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    @staticmethod
    def send(connection: socket.socket, byte: bytes) -> int:
        try:
            return connection.send(byte)
        except OSError:
            return 0  # it is hung up on, which is seen next time


class NeverRead(Abuse):
    """Members of a channel to which a line is said 20 times a second, and who do not read it."""

    async def prepare(self) -> None:
        self.members = await self.entered(self.options.count, receive_bytes=4096)
        for peer, _ in self.members:
            await peer.request(speech.JOIN, b"\x91" + CHANNEL)
        [(self.sender, _)] = await self.entered(1)

    async def run(self) -> None:
        reader = asyncio.ensure_future(self.sender.until_closed())
        self.report["tries"] = len(self.members)
        line = b"\x92" + CHANNEL + speech.text("x" * self.options.line_bytes)
        while time.monotonic() < self.until and not reader.done():
            await self.sender.request(speech.SAY, line)
            await asyncio.sleep(0.05)
        self.report["sender_lost"] = reader.done()
        reader.cancel()


class Logins(Abuse):
    """So many logins a second: a guest account, a connection, entering, leaving."""

    async def run(self) -> None:
        tasks = []
        began = time.monotonic()
        while time.monotonic() < self.until:
            due = int((time.monotonic() - began) * self.options.count)
            while len(tasks) < due:
                tasks.append(asyncio.ensure_future(self.login()))
            await asyncio.sleep(0.01)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            key = "refused" if isinstance(result, OSError) else "failed" if isinstance(result, Exception) else "entered"
            self.report[key] = self.report.get(key, 0) + 1
        self.report["took_s"] = round(time.monotonic() - began, 1)

    async def login(self) -> None:
        self.report["tries"] += 1
        token = await guest_token(self.options.login)
        peer = await Peer.connect(self.options.gateway)
        try:
            await peer.say_hello()
            await peer.enter(speech.enter(token))
            await peer.send(speech.leave)
        finally:
            peer.close()


class Reconnects(Abuse):
    """Players whose connections are cut all at once, and who come back at once, each until it has its session again.
    A few seconds later once more. `whiles`: when that was, and a second that it touches."""

    period = 4.3
    patience = 20

    async def prepare(self) -> None:
        self.players = await self.entered(self.options.count)

    async def run(self) -> None:
        self.report.update(cut=0, resumed=0, resumed_within_s=0.0, whiles=[])
        while time.monotonic() < self.until:
            began, wall = time.monotonic(), time.time()
            for peer, _ in self.players:
                peer.cut()
            self.report["cut"] += len(self.players)
            self.players = await asyncio.wait_for(
                asyncio.gather(*(self.come_back(entered) for _, entered in self.players)), self.patience)
            took = time.monotonic() - began
            self.report["resumed_within_s"] = max(self.report["resumed_within_s"], round(took, 2))
            self.report["whiles"].append((wall - 0.5, wall + took + 0.5))
            await asyncio.sleep(max(0.0, self.period - took))

    async def come_back(self, entered: list) -> tuple:
        player, _, session, key = entered[:4]
        while True:
            peer = None
            self.report["tries"] += 1
            try:
                peer = await Peer.connect(self.options.gateway)
                nonce = await peer.say_hello()
                entered = await peer.enter(
                    speech.resume(player, session, 0, 0, speech.proof_of(key, nonce, player, session, 0, 0)))
                self.report["resumed"] += 1
                return peer, entered
            except OSError:
                if peer:
                    peer.cut()
                await asyncio.sleep(random.random())  # what the protocol asks for


class Flood(Abuse):
    """One command, as fast as it can be sent."""

    async def prepare(self) -> None:
        self.players = await self.entered(self.options.count)

    async def run(self) -> None:
        await asyncio.gather(*(self.flood(peer) for peer, _ in self.players))

    async def flood(self, peer: Peer) -> None:
        reader = asyncio.ensure_future(peer.until_closed())
        body = b"\x91" + speech.text("flood")
        try:
            while time.monotonic() < self.until:
                requests = b"".join(speech.request(speech.ECHO, peer.next_request + number, body) for number in range(100))
                peer.next_request += 100
                await asyncio.wait_for(peer.send(requests), max(0.1, self.until - time.monotonic()))
                self.report["tries"] += 100
                await asyncio.sleep(self.options.pause)
        except (OSError, asyncio.TimeoutError):
            pass
        reader.cancel()


class Garbage(Abuse):
    """Random bytes in frames, after a good hello."""

    async def once(self, peer: Peer, number: int) -> None:
        await peer.say_hello()
        await peer.send(b"".join(speech.frame(b"\xff" + random.randbytes(200)) for _ in range(20)))
        await peer.until_closed()


class Sizes(Abuse):
    """A frame that says it is longer than memory."""

    async def once(self, peer: Peer, number: int) -> None:
        await peer.say_hello()
        size = random.choice([0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 1 << 24, 1 << 16])
        await peer.send(size.to_bytes(4, "little") + bytes(1000))
        await peer.until_closed()


class Fragments(Abuse):
    """A WebSocket message that never ends: fragment after fragment, empty, or with a byte of a frame that does not end."""

    async def once(self, peer: Peer, number: int) -> None:
        await peer.send(speech.websocket_upgrade())
        await peer.read()
        reader = asyncio.ensure_future(peer.until_closed())
        await peer.send(speech.websocket_frame(2, b"", final=False))
        pieces = speech.websocket_frame(0, b"" if number % 2 == 0 else b"\xff", final=False) * 500
        try:
            while not reader.done():
                await peer.send(pieces)
                await asyncio.sleep(0)  # the others' turn
        finally:
            reader.cancel()


class Unmasked(Abuse):
    """A WebSocket client that does not mask."""

    async def once(self, peer: Peer, number: int) -> None:
        await peer.send(speech.websocket_upgrade())
        await peer.read()
        await peer.send(speech.websocket_frame(2, speech.hello, masked=False))
        await peer.until_closed()


class Headers(Abuse):
    """A request for WebSocket with headers that are longer than anything needs."""

    async def once(self, peer: Peer, number: int) -> None:
        reader = asyncio.ensure_future(peer.until_closed())
        try:
            await peer.send(b"GET / HTTP/1.1\r\nHost: game\r\n")
            while not reader.done():
                await peer.send(b"X-Long: " + b"x" * 1000 + b"\r\n")
                await asyncio.sleep(0)
        finally:
            reader.cancel()


class Proofs(Abuse):
    """Somebody else's session: with a proof that is drawn, and with one that was good on another connection."""

    async def prepare(self) -> None:
        self.used, self.owners = [], []
        for peer, entered in await self.entered(10):
            player, _, session, key = entered[:4]
            peer.cut()
            again = await Peer.connect(self.options.gateway)
            nonce = await again.say_hello()
            proof = speech.proof_of(key, nonce, player, session, 0, 0)
            await again.enter(speech.resume(player, session, 0, 0, proof))
            self.used.append((player, session, proof))
            self.owners.append(again)  # they stay
        self.report["let_in"] = 0

    async def once(self, peer: Peer, number: int) -> None:
        player, session, proof = random.choice(self.used)
        await peer.say_hello()
        if number % 2 == 0:
            proof = os.urandom(32)
        await peer.enter(speech.resume(player, session, 0, 0, proof))
        self.report["let_in"] += 1


class Replay(Abuse):
    """What an honest client said in an encrypted session, recorded on the way and said again."""

    async def prepare(self) -> None:
        with open(self.options.recording, "rb") as file:
            self.recording = file.read()
        self.report["let_in"] = 0

    async def once(self, peer: Peer, number: int) -> None:
        length = 4 + int.from_bytes(self.recording[:4], "little")
        await peer.send(self.recording[:length])
        hello = await peer.frame()
        if hello[:4] != b"GSP1":
            raise ConnectionRefusedError("no hello")
        await peer.send(self.recording[length:])
        await peer.frame()  # to a replay the server has nothing to say
        self.report["let_in"] += 1


abuses = {"slowloris": Slowloris, "never_read": NeverRead, "logins": Logins, "reconnects": Reconnects, "flood": Flood,
          "garbage": Garbage, "sizes": Sizes, "fragments": Fragments, "unmasked": Unmasked, "headers": Headers,
          "proofs": Proofs, "replay": Replay}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("abuse", choices=abuses)
    parser.add_argument("--gateway", type=int, required=True, help="port")
    parser.add_argument("--login", type=int, required=True, help="port")
    parser.add_argument("--count", type=int, required=True, help="at once; of logins: in a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds before one tries again (0.05)")
    parser.add_argument("--line-bytes", type=int, default=2000)
    parser.add_argument("--recording", help="of a client's bytes")
    abuse = abuses[parser.parse_args().abuse](parser.parse_args())
    await abuse.prepare()
    print("READY", abuse.playing, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    abuse.until = time.monotonic() + abuse.options.seconds
    await abuse.run()
    print(json.dumps(abuse.report), flush=True)


if __name__ == "__main__":
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    asyncio.run(main())
