"""Clients that keep a service busy over kept-alive connections, and remember every answer that is not a success."""

import http.client
import json
import threading
import time


class Client(threading.Thread):
    """Creates, lists and finds items in turn until it is told to stop."""

    def __init__(self, port, number, description="d" * 200):
        super().__init__(daemon=True)
        self.port, self.number, self.description = port, number, description
        self.enough = threading.Event()
        self.answers, self.closes, self.created, self.failures = 0, 0, [], []

    def request(self, connection):
        turn = self.answers % 4
        if turn == 0 or not self.created:
            body = json.dumps({"name": f"{self.number}/{self.answers}", "description": self.description})
            connection.request("POST", "/api/items", body, {"Content-Type": "application/json"})
        elif turn == 1:
            connection.request("GET", "/api/items?limit=100&order=desc")
        else:
            connection.request("GET", f"/api/items/{self.created[-1]}")
        return connection.getresponse()

    def run(self):
        connection = None
        while not self.enough.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                response = self.request(connection)
                body = response.read()
                if response.status == 201:
                    self.created.append(json.loads(body)["id"])
                elif response.status != 200:
                    self.failures.append(response.status)
                self.answers += 1
                if response.will_close:
                    self.closes += 1
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(repr(failure))
                connection = None
                time.sleep(0.01)
        if connection:
            connection.close()


class Clients:
    """Several of them at once, from `with` to its end."""

    def __init__(self, container, count, **options):
        self.all = [Client(container.port, number, **options) for number in range(count)]

    def __enter__(self):
        for client in self.all:
            client.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for client in self.all:
            client.enough.set()
        for client in self.all:
            client.join(30)

    @property
    def answers(self):
        return sum(client.answers for client in self.all)

    @property
    def failures(self):
        return [failure for client in self.all for failure in client.failures]

    @property
    def created(self):
        return {number for client in self.all for number in client.created}
