"""Temporary directories."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def temporary_directory():
    """Yields a directory in which another user may own files; its path is short enough for a Unix domain socket."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="items-test.", dir="/tmp"))
    os.chmod(directory, 0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
