"""A client that keeps a service under load."""

import http.client
import threading


class Client(threading.Thread):
    """Sends requests over a kept-alive connection, one after the other, until `enough` is set.

    A subclass implements `request`, and may override `take` to check each response.
    """

    timeout = 10

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.enough = port, threading.Event()
        # A failure is a status other than 200 and 201, or an exception of the connection.
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
                # The server may be restarting.
                self.enough.wait(0.01)
        if connection:
            connection.close()
