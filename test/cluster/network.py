"""The network between the nodes of a cluster on one machine, so that it can be cut.

Each node reaches each other one through a port of its own (a wire), which hands on what it gets. A cut
wire loses nothing and closes nothing, as a switch that was turned off: bytes stop, and go on when the
wire is whole again.
"""
import asyncio
import contextlib
import threading

from processes import kept_ports


class Wire:
    """From one node to the port of another."""

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.whole = asyncio.Event()
        self.whole.set()

    async def listen(self):
        await asyncio.start_server(self.carry, "127.0.0.1", self.port)

    async def carry(self, reader, writer):
        await self.whole.wait()
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self.pump(reader, there[1]), self.pump(there[0], writer))

    async def pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.whole.wait()
                writer.write(data)
                await writer.drain()
        # That somebody has hung up is news that a cut wire does not carry either.
        await self.whole.wait()
        with contextlib.suppress(OSError):
            writer.close()


class Network:
    """`ports`: the port on which each node listens."""

    def __init__(self, ports):
        self.loop = asyncio.new_event_loop()
        pairs = [(a, b) for a in ports for b in ports if a != b]
        numbers = dict(zip(pairs, kept_ports(len(pairs))))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.wires = self.ask(self.lay(numbers, ports))

    async def lay(self, numbers, ports):
        wires = {(a, b): Wire(number, ports[b]) for (a, b), number in numbers.items()}
        for wire in wires.values():
            await wire.listen()
        return wires

    def ask(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def port(self, a, b):
        """Where `a` finds `b`."""
        return self.wires[a, b].port

    async def set(self, node, whole):
        for pair, wire in self.wires.items():
            if node in pair:
                (wire.whole.set if whole else wire.whole.clear)()

    def cut(self, node):
        """Nothing gets from this node to another one, or from another one to it."""
        self.ask(self.set(node, False))

    def join(self, node):
        self.ask(self.set(node, True))

    async def end(self):
        work = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def close(self):
        self.ask(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
