import subprocess
import sys

import pytest

from bench import process


@pytest.fixture
def parent():
    """A process with a child that ignores SIGTERM, in a new session."""
    child = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    started.stdout.readline()
    yield started
    process.stop(started)
    started.stdout.close()


def test_the_tree_holds_a_process_and_its_children(parent):
    assert len(process.tree(parent.pid)) == 2
    assert process.tree(parent.pid)[0] == parent.pid


def test_the_memory_of_the_tree_is_the_sum_of_its_processes(parent):
    both = process.memory(parent.pid)
    assert both.resident > both.proportional > 1000


def test_a_stop_leaves_no_child_behind(parent):
    pids = process.tree(parent.pid)
    process.stop(parent)
    assert [pid for pid in pids if process.is_in_session(pid, parent.pid)] == []


def test_a_process_that_has_ended_counts_as_zero():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert process.cpu_seconds(ended.pid) == 0
    assert process.memory(ended.pid).resident == 0
