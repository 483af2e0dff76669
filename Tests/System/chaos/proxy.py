"""A TCP proxy on loopback whose faults can be changed while connections are open.

One event loop on its own thread does all the work. The public methods may be called from any thread and return once the
fault is in force. Faults are independent of each other; `heal` undoes all of them.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import socket
import struct
import threading

CHUNK = 65536
# A connection attempt without an answer after this time hangs: on loopback the kernel answers within microseconds.
HANGS_AFTER = 0.1


@dataclasses.dataclass
class Faults:
    """The faults applied to forwarded bytes, on old and new connections alike."""

    latency: float = 0.0  # delay in seconds of each chunk
    bandwidth: int | None = None  # bytes per second in each direction
    stalled: frozenset = frozenset()  # directions that are not read: the sender's window fills
    swallowed: frozenset = frozenset()  # directions whose bytes are read, acknowledged and dropped
    cut_after: int | None = None  # resets a connection after this many bytes to the client from now on
    mute_after: int | None = None  # silences a connection for good after its first N bytes to the client


TO_SERVER, TO_CLIENT = "to_server", "to_client"
BOTH = frozenset({TO_SERVER, TO_CLIENT})


class Link:
    """One client's connection and the connection to the upstream that belongs to it."""

    numbers = itertools.count(1)

    def __init__(self, client):
        self.number = next(self.numbers)
        self.client = client
        self.server = None
        self.upstream = None
        self.received_by_client = 0  # in total
        self.sent_to_client = 0  # since `cut_after` was set
        self.lost_bytes = False
        self.is_mute = False
        self.task = None

    def make_end_a_reset(self):
        """Makes `close` send RST instead of FIN (a linger time of zero)."""
        for side in (self.client, self.server):
            if side is not None and side.fileno() >= 0:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def end(self):
        """Closes both sockets. No task may be waiting for either descriptor: the kernel reuses the numbers at once."""
        for side in (self.client, self.server):
            if side is not None:
                side.close()


class Proxy:
    """Forwards `address` to `upstream`, both (host, port). A host that is a path is a directory with
    PostgreSQL's socket."""

    def __init__(self, upstream, host="127.0.0.1", port=0):
        self.upstream = upstream
        self.faults = Faults()
        self.links = set()
        self.accepted = 0
        self._changed = None
        self._listener = None
        self._acceptor = None
        self._fillers = []
        self._filler_ports = set()
        self._wanted = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._open)
        self.address = self._wanted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def port(self):
        return self.address[1]

    def set(self, **faults):
        """Changes the faults named; the others stay as they are."""
        self._call(self._set, dataclasses.replace(self.faults, **faults))

    def reset(self):
        """Sends RST to both sides of every connection."""
        self._call(self._end_links, True)

    def end(self):
        """Closes every connection with FIN."""
        self._call(self._end_links, False)

    def mute(self):
        """Silences every open connection for good, as a router that lost its state would. New ones work."""
        self._call(self._mute_links)

    def say(self, data, seconds):
        """Sends `data` to every client repeatedly for `seconds`. The upstream must not send anything meanwhile."""
        self._call(self._say, data, seconds)

    def refuse(self):
        """Closes the listening socket: new connections are refused, old ones stay."""
        self._call(self._close_listener)

    def black_hole(self):
        """Fills the accept queue: new connections get no answer at all, old ones stay."""
        self._call(self._fill_queue)

    def switch(self, upstream):
        """Forwards new connections to another upstream. Old ones stay."""
        self._call(self._switch, upstream)

    def heal(self):
        """Undoes every fault. Resets the connections that lost bytes, as a peer without their state would."""
        self._call(self._heal)

    def close(self):
        if self._thread.is_alive():
            self._call(self._shut)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    # Everything below runs on the loop.

    def _call(self, action, *arguments):
        async def act():
            result = action(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(30)

    async def _open(self):
        host, port = self._wanted
        if host.startswith("/"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{host}/.s.PGSQL.{port}")
        else:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._wanted)
            self._wanted = listener.getsockname()
        listener.listen(128)
        listener.setblocking(False)
        self._listener = listener
        self._changed = self._changed or asyncio.Event()
        self._acceptor = asyncio.create_task(self._accept(listener))

    async def _accept(self, listener):
        while True:
            client, peer = await self._loop.sock_accept(listener)
            if peer and peer[1] in self._filler_ports:
                self._filler_ports.discard(peer[1])
                client.close()
                continue
            self.accepted += 1
            link = Link(client)
            self.links.add(link)
            link.task = asyncio.create_task(self._serve(link))

    async def _serve(self, link):
        try:
            client = link.client
            if client.family == socket.AF_INET:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.server = server = socket.socket()
            server.setblocking(False)
            link.upstream = self.upstream
            try:
                await self._loop.sock_connect(server, link.upstream)
            except OSError:
                link.make_end_a_reset()  # an accepted connection can no longer be refused; a reset is closest to it
                return
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pumps = [
                asyncio.create_task(self._pump(link, client, server, TO_SERVER)),
                asyncio.create_task(self._pump(link, server, client, TO_CLIENT)),
            ]
            try:
                # Clients and servers of PostgreSQL never close one direction only, so the first end of
                # stream closes both.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            link.end()
            self.links.discard(link)

    async def _pump(self, link, source, sink, direction):
        try:
            while True:
                await self._until(lambda: direction not in self.faults.stalled)
                data = await self._loop.sock_recv(source, CHUNK)
                # Data and the end of stream that arrive while the fault is being set are held back as well.
                await self._until(lambda: direction not in self.faults.stalled)
                if link.is_mute or direction in self.faults.swallowed:
                    if data:
                        link.lost_bytes = True
                        continue
                    await self._until(lambda: not link.is_mute and direction not in self.faults.swallowed)
                if not data:
                    return
                if self.faults.latency:
                    await asyncio.sleep(self.faults.latency)
                if direction == TO_CLIENT and self.faults.cut_after is not None:
                    left = self.faults.cut_after - link.sent_to_client
                    link.sent_to_client += len(data)
                    if len(data) >= left:
                        await self._loop.sock_sendall(sink, data[: max(0, left)])
                        link.make_end_a_reset()
                        return
                if direction == TO_CLIENT:
                    link.received_by_client += len(data)
                    if self.faults.mute_after is not None and link.received_by_client > self.faults.mute_after:
                        link.is_mute = link.lost_bytes = True
                        continue
                await self._send(sink, data)
        except OSError:
            return

    async def _send(self, sink, data):
        while (rate := self.faults.bandwidth) is not None and data:
            # Twenty chunks per second, whatever the size of the input.
            piece, data = data[: max(1, rate // 20)], data[max(1, rate // 20) :]
            await self._loop.sock_sendall(sink, piece)
            await asyncio.sleep(len(piece) / rate)
        await self._loop.sock_sendall(sink, data)

    async def _until(self, condition):
        while not condition():
            await self._changed.wait()

    def _set(self, faults):
        if faults.cut_after != self.faults.cut_after:
            for link in self.links:
                link.sent_to_client = 0
        self.faults = faults
        # Wakes the waiting tasks, which check the faults again.
        self._changed.set()
        self._changed = asyncio.Event()

    def _switch(self, upstream):
        self.upstream = upstream

    def _mute_links(self):
        for link in self.links:
            link.is_mute = link.lost_bytes = True

    async def _say(self, data, seconds):
        end = self._loop.time() + seconds
        while self._loop.time() < end:
            for link in list(self.links):
                with contextlib.suppress(OSError):
                    sent = link.client.send(data) if link.server is not None else len(data)
                    if sent < len(data):
                        await self._loop.sock_sendall(link.client, data[sent:])
            await asyncio.sleep(0)

    async def _end_links(self, reset):
        await self._cancel(list(self.links), reset)

    async def _cancel(self, links, reset):
        for link in links:
            if reset:
                link.make_end_a_reset()
            link.task.cancel()
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)
        for link in links:
            link.end()  # a task cancelled before its first step has not closed its sockets
            self.links.discard(link)

    async def _stop_accepting(self):
        if self._acceptor is not None:
            self._acceptor.cancel()
            await asyncio.gather(self._acceptor, return_exceptions=True)
            self._acceptor = None

    async def _close_listener(self):
        await self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _fill_queue(self):
        if self._listener is None:
            await self._open()
        await self._stop_accepting()
        self._listener.listen(0)
        while True:
            filler = socket.socket()
            filler.setblocking(False)
            filler.bind((self.address[0], 0))
            self._filler_ports.add(filler.getsockname()[1])
            self._fillers.append(filler)
            try:
                await asyncio.wait_for(self._loop.sock_connect(filler, self.address), HANGS_AFTER)
            except TimeoutError:
                return

    async def _heal(self):
        self._set(Faults())
        await self._cancel([link for link in self.links if link.lost_bytes], reset=True)
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._listener is None:
            await self._open()
        elif self._acceptor is None:
            self._listener.listen(128)
            self._acceptor = asyncio.create_task(self._accept(self._listener))

    async def _shut(self):
        await self._close_listener()
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        await self._end_links(True)
