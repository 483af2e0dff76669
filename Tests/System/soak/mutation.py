"""Valid requests and their random mutations."""

HOST = b"Host: soak.test\r\n"
JSON = b"Content-Type: application/json\r\n"
VALID = [
    b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /api/items?limit=3&order=desc HTTP/1.1\r\n" + HOST + b"Accept: application/json\r\n\r\n",
    b"HEAD /api/items/1 HTTP/1.1\r\n" + HOST + b"X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n\r\n",
    b"GET http://soak.test/api/items/1 HTTP/1.1\r\n" + HOST + b"Connection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /api/items HTTP/1.1\r\n" + HOST + JSON + b'Content-Length: 31\r\n\r\n{"name":"a","description":null}',
    b"POST /api/items HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    b'5;x="y"\r\n{"nam\r\n7\r\ne":"b"}\r\n0\r\nX-Trailer: 1\r\n\r\n',
    b"POST /api/items HTTP/1.1\r\n" + HOST + JSON + b'Expect: 100-continue\r\nContent-Length: 12\r\n\r\n{"name":"c"}',
    b"PUT /api/items/1 HTTP/1.1\r\n" + HOST + JSON + b'Content-Length: 12\r\n\r\n{"name":"d"}',
    b"DELETE /api/items/x%20y/../1 HTTP/1.1\r\n" + HOST + b"X-Amzn-Trace-Id: Root=1-67891233-abc;Self=1\r\n\r\n",
]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"%00", b"%", b"%e2%28%a1", b"\xff\xfe", b"\xc0\x80",
    b"//", b"..", b"?", b"#", b'"', b"\\", b"[", b"{", b"0\r\n\r\n", b"-1", b"+1", b"0x10", b"99999999999999999999", b"1e9",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Host: other\r\n", b"HTTP/1.1", b"HTTP/1.0", b"limit=1000", b"cursor=a9223372036854775807", b"q=%25", b"\\ud800",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 300, b"[" * 100, b"a, " * 200,
]  # fmt: skip


def mutated(random):
    """Returns one to three requests with zero to six random changes."""
    data = bytearray(b"".join(random.choices(VALID, k=random.choice((1, 1, 1, 2, 3)))))
    for _ in range(random.choice((0, 1, 1, 2, 3, 6))):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((1, 1, 2, 4, 16, 64)))
        change = random.randrange(7)
        if change == 0 and start < len(data):
            data[start] ^= 1 << random.randrange(8)
        elif change == 1:
            del data[start:end]
        elif change == 2:
            data[start:start] = data[start:end] * random.choice((1, 2, 30))
        elif change == 3:
            data[start:start] = random.choice(TOKENS)
        elif change == 4:
            data[start:end] = random.choice(TOKENS)
        elif change == 5:
            data[start:end] = random.randbytes(end - start)
        elif change == 6:
            del data[start:]
            data += random.choice(VALID)
    return bytes(data)
