"""A run of Swift tests that exceeds its time limit is ended, and the running tests are named."""

import os
import signal
import subprocess
import time

import pytest

from support.project import ROOT
from support.waiting import until

SCRIPT = ROOT / "scripts/limit-tests"
# The output of Swift Testing for tests and for the cases of a parameterized test.
TOLD = r"""
echo '◇ Test run started.'
echo '◇ Test "is quick" started.'
echo '◇ Test hangs(number:) started.'
echo '◇ Test case passing 1 argument number → 1 to hangs(number:) started.'
echo '✔ Test "is quick" passed after 0.001 seconds.'
echo '◇ Test "a name that is passed over" started.'
echo '✔ Test "a name that is passed over" with 3 test cases passed after 0.001 seconds.'
echo '◇ Test "what failed is skipped" started.'
echo '➜ Test "what failed is skipped" skipped: "there is no server"'
echo '◇ Test "fails" started.'
echo '✘ Test "fails" failed after 0.001 seconds with 1 issue.'
"""


def run(seconds, script):
    began = time.monotonic()
    done = subprocess.run([SCRIPT, str(seconds), "sh", "-c", script], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, time.monotonic() - began


def test_the_tests_that_run_when_the_time_is_over_are_named():
    status, output, seconds = run(1, TOLD + "sleep 60")
    assert status == 124 and seconds < 8
    assert output.splitlines()[-2:] == [
        "limit-tests: not done within 1 s; these tests were running:",
        "    hangs(number:)",
    ]


def test_a_run_that_ignores_sigterm_is_killed_with_its_children():
    status, output, seconds = run(1, "trap '' TERM; sleep 61 & echo started $!; wait; sleep 62")
    assert status == 124 and seconds < 15
    child = int(output.split("started ")[1].split()[0])
    until(lambda: not os.path.exists(f"/proc/{child}/cwd"), what="the child to end")


@pytest.mark.parametrize("script, status", [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_a_run_that_ends_in_time_keeps_its_status_and_its_output(script, status):
    assert run(20, TOLD + script)[:2] == (status, TOLD.replace("echo '", "").replace("'\n", "\n").lstrip("\n"))


def test_a_signal_is_passed_on():
    process = subprocess.Popen(
        [SCRIPT, "20", "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.1; done"], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 9
    process.stdout.close()
