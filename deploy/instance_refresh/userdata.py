"""The lines of a launch template's user data that set the image of its instances."""

import base64
import binascii
import gzip
import re

from .failure import Failure

BYTE_LIMIT = 16384  # EC2's, before base64
UNPACKED_LIMIT = 1 << 20
GZIP = b"\x1f\x8b"
DEFAULT_PORT = 5001  # the boot script's
PORT = r"ITEMS_PORT=['\"]?(\d+)"
BASE_PATH = r"ITEMS_SETTINGS=['\"](?:.*\s)?BASE_PATH=(/[^\s'\"]*)"


def decode(encoded):
    """The text, and whether it was compressed."""
    try:
        data = base64.b64decode(encoded or "", validate=False)
        packed = data.startswith(GZIP)
        text = gzip.decompress(data) if packed else data
        if len(text) > UNPACKED_LIMIT:
            raise Failure("the user data is too large")
        return text.decode(), packed
    except (binascii.Error, OSError, EOFError, UnicodeDecodeError) as error:
        raise Failure(f"the user data of the launch template cannot be read: {error}") from None


def encode(text, packed):
    data = text.encode()
    if packed:
        data = gzip.compress(data, mtime=0)
    if len(data) > BYTE_LIMIT:
        raise Failure(f"the user data would have {len(data)} bytes; EC2 takes {BYTE_LIMIT}")
    return base64.b64encode(data).decode()


def _line(text, name):
    """The position of the one line that sets this variable."""
    found = list(re.finditer(rf"^{name}=.*$", text, re.MULTILINE))
    if len(found) != 1:
        raise Failure(f"the user data has {len(found)} lines that begin with {name}=, and must have exactly one")
    return found[0]


def value(text, name):
    """The value in the one line, without quotes."""
    return _line(text, name).group().partition("=")[2].strip().strip("'\"")


def place(text):
    """The service's port and base path as they follow a host in a URL: `:5001/career`."""
    port, path = (re.search(rf"^{pattern}", text, re.MULTILINE) for pattern in (PORT, BASE_PATH))
    return f":{port[1] if port else DEFAULT_PORT}{path[1] if path else ''}"


def with_value(text, name, new):
    """The text with another value in that line; `new` has no quotes."""
    line = _line(text, name)
    return f"{text[: line.start()]}{name}='{new}'{text[line.end() :]}"
