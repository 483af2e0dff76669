"""The versions of the tools and libraries that affect the figures without a change of the code."""

import os
import platform
import re
import subprocess

import database


def said(*command):
    """Returns the first version number in a program's output, or `unknown`."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except OSError:
        return "unknown"
    number = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return number[0] if number else "unknown"


def versions():
    return {
        "architecture": platform.machine(),
        "swift": said("swift", "--version"),
        "libc": os.confstr("CS_GNU_LIBC_VERSION").removeprefix("glibc "),
        "libpq": said("pkg-config", "--modversion", "libpq"),
        "postgresql": database.version(),
        "kernel": said("uname", "-r"),
        "valgrind": said("valgrind", "--version"),
        "strace": said("strace", "--version"),
    }
