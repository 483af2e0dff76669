"""A proxy that speaks TLS for a PostgreSQL server without it, in records as large as TLS allows.

PostgreSQL 15 writes 8 KiB a record; later ones, and poolers and proxies, fill them to 16 KiB.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
RECORD = 16384
# What comes within this belongs to one answer.
GATHERING_SECONDS = 0.003


class RecordProxy:
    """Listens on a free port of 127.0.0.1 until it is closed."""

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
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = client.recv(8, socket.MSG_WAITALL)
            server = socket.create_connection(self.upstream)
            self.sockets.append(server)
            if start != SSL_REQUEST:  # a cancel request goes without TLS
                self.sockets.append(client)
                server.sendall(start + client.recv(65536))
                client.close()
                server.close()
                return
            client.sendall(b"S")
            client = self.context.wrap_socket(client, server_side=True)
            self.sockets.append(client)
            # An SSL object is for one thread at a time; with these both may wait outside it.
            lock = threading.Lock()
            client.setblocking(False)
            threading.Thread(target=self._answer, args=(server, client, lock), daemon=True).start()
            self._ask(client, server, lock)

    def _ask(self, client, server, lock):
        with contextlib.suppress(OSError, ValueError):
            while True:
                try:
                    with lock:
                        data = client.recv(65536)
                except ssl.SSLWantReadError:
                    select.select([client], [], [])
                    continue
                if not data:
                    server.shutdown(socket.SHUT_WR)
                    return
                server.sendall(data)

    def _answer(self, server, client, lock):
        with contextlib.suppress(OSError, ValueError):
            while True:
                data = server.recv(1 << 20)
                while data and len(data) < 1 << 20 and select.select([server], [], [], GATHERING_SECONDS)[0]:
                    more = server.recv(1 << 20)
                    if not more:
                        break
                    data += more
                if not data:
                    return
                for start in range(0, len(data), RECORD):
                    record = data[start : start + RECORD]
                    self.largest = max(self.largest, len(record))
                    while record:
                        try:
                            with lock:
                                record = record[client.send(record) :]
                        except ssl.SSLWantWriteError:
                            select.select([], [client], [])
