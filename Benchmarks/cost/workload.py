"""The counted requests: the workloads of docs/performance.md, with the same bytes in every run."""

import json

# Rows in the table before the first request.
ROWS = 10_000
# Coprime to ROWS, so that the ids are spread over the table and none repeats within ROWS requests.
STRIDE = 7_919

FIELDS = "Host: 127.0.0.1\r\n"
# The fields that a browser sends and those that an Application Load Balancer adds.
BALANCED_FIELDS = (
    "Host: items.example.com\r\n"
    "X-Forwarded-For: 203.0.113.77\r\n"
    "X-Forwarded-Proto: https\r\n"
    "X-Forwarded-Port: 443\r\n"
    "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
)


def get(path, fields=FIELDS):
    return f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()


def item(number, fields=FIELDS):
    return get(f"/api/items/{1 + number * STRIDE % ROWS}", fields)


def create(number):
    # All numbers have the same number of digits.
    body = json.dumps({"name": f"Item {number:06}", "description": f"Created to be counted, number {number:06}"})
    fields = f"{FIELDS}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST /api/items HTTP/1.1\r\n{fields}\r\n{body}".encode()


# Each function returns the bytes of the request with this number.
WORKLOADS = {
    "root": lambda number: get("/"),
    "health": lambda number: get("/health"),
    "list": lambda number: get("/api/items?limit=20"),
    "item": item,
    "balanced": lambda number: item(number, BALANCED_FIELDS),
    "create": create,
}
