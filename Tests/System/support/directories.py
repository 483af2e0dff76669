"""Directories that end with a test."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def temporary_directory():
    """Where another user may own things below; short enough for the path of a socket."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="items-test.", dir="/tmp"))
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
