"""Clients that keep a service busy over kept-alive connections, and remember every answer that is not a success."""

import json

from support.client import Client


class Reader(Client):
    """Creates, lists and finds items in turn."""

    timeout = 20

    def __init__(self, port, number, description="d" * 200):
        super().__init__(port)
        self.number, self.description, self.created = number, description, []

    def request(self, connection):
        turn = self.answers % 4
        if turn == 0 or not self.created:
            body = json.dumps({"name": f"{self.number}/{self.answers}", "description": self.description})
            connection.request("POST", "/api/items", body, {"Content-Type": "application/json"})
        elif turn == 1:
            connection.request("GET", "/api/items?limit=100&order=desc")
        else:
            connection.request("GET", f"/api/items/{self.created[-1]}")

    def take(self, status, body):
        super().take(status, body)
        if status == 201:
            self.created.append(json.loads(body)["id"])


class Clients:
    """Several of them at once, from `with` to its end."""

    def __init__(self, container, count, **options):
        self.all = [Reader(container.port, number, **options) for number in range(count)]

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
