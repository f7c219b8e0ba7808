"""A TCP proxy in front of one address that does to connections what bad networks do: delay, a slow line, silence in one
direction or both, and ends in the middle of a frame. TCP delivers in order or not at all, so nothing is dropped,
doubled or reordered inside a connection. What happens at random comes from the generator that is handed in.

Faults begin and end by calls from the driver's thread; the bytes flow in a thread of the Network's own."""

import asyncio
import random
import threading

FORTH, BACK = "forth", "back"  # from who connects, and to it
CHUNK = 16 * 1024
CHUNKS_WAITING = 64  # of a direction; then the sender's own queue fills, as with a slow network


class Network:
    """The thread in which proxies run."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.proxies = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def proxy(self, name: str, listen: int, target: int, generator: random.Random) -> "Proxy":
        proxy = Proxy(self, name, listen, target, generator)
        self.call(proxy.open())
        self.proxies.append(proxy)
        return proxy

    def close(self) -> None:
        for proxy in self.proxies:
            self.call(proxy.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Proxy:
    def __init__(self, network: Network, name: str, listen: int, target: int, generator: random.Random) -> None:
        self.network, self.name, self.listen, self.target = network, name, listen, target
        self.random = generator
        self.delay = 0.0  # seconds, in each direction
        self.rate = None  # bytes a second, in each direction; None: as fast as it goes
        self.connections = set()
        self.cuts = 0
        self.gates = {}

    async def open(self) -> None:
        self.gates = {direction: asyncio.Event() for direction in (FORTH, BACK)}
        for gate in self.gates.values():
            gate.set()
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.listen)

    async def close(self) -> None:
        self.server.close()
        ending = [connection.task for connection in self.connections]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def accept(self, reader, writer) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # nobody listens: as it would be without the proxy, but a moment later
            writer.transport.abort()
            return
        connection = Connection(self, (reader, writer), there)
        self.connections.add(connection)
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # aborted by a fault
        finally:
            self.connections.discard(connection)

    # --- faults, by the driver
    def silence(self, *directions: str) -> None:
        """Nothing passes any more; what comes waits. Connections stay, and new ones are accepted."""
        self._do(lambda: [self.gates[direction].clear() for direction in directions])

    def slow(self, bytes_a_second: float) -> None:
        self._do(lambda: setattr(self, "rate", bytes_a_second))

    def late(self, seconds: float) -> None:
        self._do(lambda: setattr(self, "delay", seconds))

    def cut(self) -> None:
        """Each connection ends with the next bytes that pass, after a part of them."""
        self._do(lambda: [setattr(connection, "cuts_next", True) for connection in self.connections])

    def abort(self) -> None:
        """Each connection ends now; what waits in it is lost."""
        self._do(lambda: [connection.task.cancel() for connection in self.connections])

    def heal(self) -> None:
        def all_well():
            self.delay, self.rate = 0.0, None
            for gate in self.gates.values():
                gate.set()
        self._do(all_well)

    def _do(self, action) -> None:
        async def run():
            action()
        self.network.call(run())


class Connection:
    def __init__(self, proxy: Proxy, here, there) -> None:
        self.proxy = proxy
        self.streams = {FORTH: (here[0], there[1]), BACK: (there[0], here[1])}
        self.cuts_next = False
        self.task = asyncio.current_task()

    async def run(self) -> None:
        """Until one of the four ends with an error, or both sides have sent all they wanted to."""
        parts = []
        for direction, (reader, writer) in self.streams.items():
            waiting = asyncio.Queue(CHUNKS_WAITING)
            parts += [self.receive(reader, waiting), self.send(direction, writer, waiting)]
        parts = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            for _, writer in self.streams.values():
                writer.transport.abort()

    async def receive(self, reader, waiting) -> None:
        data = b"?"
        while data:
            data = await reader.read(CHUNK)
            await waiting.put((asyncio.get_running_loop().time() + self.proxy.delay, data))

    async def send(self, direction: str, writer, waiting) -> None:
        loop, proxy = asyncio.get_running_loop(), self.proxy
        while True:
            due, data = await waiting.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await proxy.gates[direction].wait()
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if self.cuts_next and len(data) > 1:
                writer.write(data[:proxy.random.randrange(1, len(data))])
                await writer.drain()
                proxy.cuts += 1
                raise ConnectionAbortedError
            while data:
                rate = proxy.rate
                piece = data if rate is None else data[:max(1, int(rate / 20))]
                data = data[len(piece):]
                if rate is not None:
                    await asyncio.sleep(len(piece) / rate)
                await proxy.gates[direction].wait()
                writer.write(piece)
                await writer.drain()
