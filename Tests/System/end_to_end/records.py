"""A TLS proxy for a PostgreSQL server without TLS, which sends records of the maximum size.

PostgreSQL 15 writes at most 8 KiB per record; later versions, and other proxies, fill records to 16 KiB.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
RECORD = 16384
# Data received within this time belongs to one response.
GATHERING_SECONDS = 0.003


class RecordProxy:
    """Listens on a free port of 127.0.0.1 until it is closed.

    Sends each response at once, the partial record first, so that the last record of a long response is a full one.
    """

    def __init__(self, upstream, certificate, key):
        self.upstream = upstream
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        self.largest = 0  # bytes in one record to the client
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        for one in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.sockets.append(one)
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client, server):
        start = client.recv(8, socket.MSG_WAITALL)
        if start != SSL_REQUEST:  # a cancel request, which libpq sends without TLS
            server.sendall(start + client.recv(65536))
            client.close()
            server.close()
            return
        client.sendall(b"S")
        with contextlib.suppress(OSError, ssl.SSLError):
            Channel(self, client, server).carry()
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Channel:
    """One proxied connection; encrypted data is buffered in memory until it is sent."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = proxy.context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def carry(self):
        while not self._ready():
            self._take_in()
        # Data received with the end of the handshake, for which the socket does not become readable again.
        self._pass_on()
        while True:
            readable = select.select([self.client, self.server], [], [])[0]
            if self.client in readable:
                self._take_in()
                self._pass_on()
            if self.server in readable:
                self._send(self._gather())

    def _ready(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self.client.sendall(self.outgoing.read())
        return True

    def _take_in(self):
        data = self.client.recv(65536)
        if not data:
            raise ConnectionResetError
        self.incoming.write(data)

    def _pass_on(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            while data := self.tls.read(65536):
                self.server.sendall(data)

    def _gather(self):
        data = b""
        while select.select([self.server], [], [], GATHERING_SECONDS)[0] and len(data) < 1 << 20:
            more = self.server.recv(1 << 20)
            if not more:
                break
            data += more
        if not data:
            raise ConnectionResetError
        return data

    def _send(self, data):
        first = len(data) % RECORD
        records = [data[:first]] if first else []
        records += [data[start : start + RECORD] for start in range(first, len(data), RECORD)]
        for record in records:
            self.tls.write(record)
        self.proxy.largest = max(self.proxy.largest, *map(len, records))
        self.client.sendall(self.outgoing.read())
