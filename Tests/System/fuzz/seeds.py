"""Writes the fuzzer's seed inputs: seeds.py DIRECTORY [MESSAGES].

MESSAGES is a directory of raw requests, one per file. Each seed starts with the four bytes of settings that
`Input.swift` reads.
"""

import hashlib
import pathlib
import re
import sys

CONNECTION, CHUNKED_BODY, ESCAPES, RESPONSE_FIELDS, JSON = range(5)

GET = b"GET /api/items/1?limit=2&q=a%20b+c HTTP/1.1\r\nHost: a.example:8080\r\n"
POST = b"POST /api/items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

TEXTS = {
    CONNECTION: [
        GET + b"\r\n",
        GET + b"\r\n" + b"\r\n" + GET + b"Connection: close\r\n\r\n",
        GET + b"X-Forwarded-For: 203.0.113.9\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n\r\n",
        POST + b"Content-Length: 12\r\n\r\n" + b'{"name":"a"}' + GET + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b'c;a="\\"b"\r\n{"name":"a"}\r\n0\r\nX: y\r\n\r\n' + GET + b"\r\n",
        POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET http://a.example/%2e%2e/x HTTP/1.1\r\nhost: A.example\r\n\r\n",
        b"OPTIONS https://[::1]:443?x HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD /b/of/%C3%A9 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        # Just beyond what is accepted or matched, so that a missing check is found immediately.
        b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/items/.. HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%2e/of/b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 16_384 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 16_384 + b"\r\n\r\n",
    ],
    CHUNKED_BODY: [
        b"3\r\nabc\r\n0\r\n\r\n",
        b"9\r\n012345678\r\n" * 2 + b"0\r\n\r\n",
        b'A ; name = "quoted \\" text" ;x\r\n0123456789\r\n000\r\nTrailer: x\r\nY:\r\n\r\nGET',
        b"1;" + b"a" * 4096 + b"\r\na\r\n0\r\n\r\n",
        b"0\r\n" + b"T: t\r\n" * 33 + b"\r\n",
        b"0\r\nT: " + b"t" * 8192 + b"\r\n\r\n",
    ],
    ESCAPES: [b"a%20b+c%2F%C3%A9", b"%F0%9F%98%80", b"%C0%AF", b"%00", b"%4", b"%g0"],
    RESPONSE_FIELDS: [
        b"\x80ETag: \"1\"\xffLocation:/api/items/1\xffdate: x",
        b"x: a\r\nSet-Cookie: b",
        b"x:" + b"a" * 31_745,
    ],
    JSON: [
        b'{"name":"Item 1","description":null,"parts":[1,-0.5e+3,{"a":true,"b":false}]}',
        b'"\\u00e9\\ud83d\\ude00\\n\xc3\xa9"',
        b"[" * 65 + b"]" * 65,
        b'{"a":1,"a":2}',
    ],
}

# Limits and splits: each message is written with a few of them, the fuzzer finds others.
STYLES = [0x00, 0x05, 0x0C, 0x0A]
STRETCHED = 0x10


def stretch(text):
    """Encodes long runs of one byte as `Input.stretch` decodes them; returns None if there are none."""
    if b"\x1a" in text:
        return None
    run = re.compile(rb"(.)\1{255,}", re.DOTALL)

    def shorten(match):
        count = min((len(match[0]) - 1) // 128, 255)
        return match[1] + b"\x1a" + bytes([count]) + match[1] * (len(match[0]) - 1 - 128 * count)

    return run.sub(shorten, text) if run.search(text) else None


def write(directory, subject, text):
    short = stretch(text)
    for style in STYLES:
        flags = style if short is None else style | STRETCHED
        seed = bytes([subject, flags, 0, 1]) + (text if short is None else short)
        (directory / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for subject, texts in TEXTS.items():
        for text in texts:
            write(directory, subject, text)
    for messages in sys.argv[2:]:
        for message in pathlib.Path(messages).iterdir():
            write(directory, CONNECTION, message.read_bytes())


if __name__ == "__main__":
    main()
