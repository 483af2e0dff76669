"""A client that keeps a service busy."""

import http.client
import threading


class Client(threading.Thread):
    """Sends requests over a kept-alive connection, one after the other, until told to stop.

    A subclass says what it sends, `request`, and may look at each answer, `take`.
    """

    timeout = 10

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.enough = port, threading.Event()
        # A failure is a status that is no success, or an exception of the connection.
        self.answers, self.closes, self.failures = 0, 0, []

    def request(self, connection):
        """Sends the next request."""
        raise NotImplementedError

    def take(self, status, body):
        if status not in (200, 201):
            self.failures.append(status)

    def run(self):
        connection = None
        while not self.enough.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
                self.request(connection)
                response = connection.getresponse()
                self.take(response.status, response.read())
                self.answers += 1
                if response.will_close:
                    self.closes += 1
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(failure)
                connection = None
                # Nobody may listen for a while.
                self.enough.wait(0.01)
        if connection:
            connection.close()
