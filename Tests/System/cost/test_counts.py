"""Parsing of the tools' output: callgrind's dumps and strace's traces."""

import collections

import pytest

import calls
import hottest
import instructions
from server import ServerFailed

DUMP = """# callgrind format
version: 1
positions: line
events: Ir
summary: 160

ob=(1) /srv/items
fl=(1) ???
fn=(1) main
0 40
cob=(2) /usr/lib/libc.so.6
cfi=(2) ???
cfn=(2) memcpy
calls=3 0
0 60
+4 20

fn=(3) walk
* 7
cfn=(4) walk'2
calls=1 0
0 13

fn=(4)
-2 13

ob=(2)
fn=(2)
0 60

totals: 160
"""

TRACE = """\
7  100.000000 read(11, "GET / HTTP/1.1\\r\\n"..., 16384) = 16
7  101.000000 read(11, "GET / HTTP/1.1\\r\\n = "..., 16384) = 16
7  101.100000 sendto(11, "HTTP/1.1 200 OK\\r\\n"..., 300, MSG_NOSIGNAL, NULL, 0) = 300
7  101.200000 epoll_wait(6,  <unfinished ...>
8  101.300000 futex(0x7fe5, FUTEX_WAKE_PRIVATE, 1) = 1
7  101.400000 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=1}}], 256, 19) = 1
7  101.500000 recvfrom(12, 0x7f, 16384, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
7  101.600000 epoll_wait(6, 0x7f, 256, 19) = -1 EINTR (Interrupted system call)
8  101.700000 futex(0x7fe5, FUTEX_WAIT_PRIVATE, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
7  101.800000 --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=1, si_uid=0} ---
7  101.800000 --- stopped by SIGSTOP ---
8  101.900000 restart_syscall(<... resuming interrupted futex ...>) = 0
7  102.500000 read(11, "", 16384) = 0
7  103.000000 exit_group(0) = ?
7  103.000000 +++ exited with 0 +++
""".splitlines()


def test_callgrinds_total_is_found():
    assert instructions.collected(DUMP) == 160


def test_a_dump_without_a_total_is_refused():
    with pytest.raises(instructions.NotCounted):
        instructions.collected(DUMP.replace("totals", "total"))


def test_a_dump_of_something_else_than_instructions_is_refused():
    with pytest.raises(instructions.NotCounted):
        instructions.collected(DUMP.replace("events: Ir", "events: Dr"))


def test_a_functions_cost_is_without_its_callees_and_with_its_recursion():
    costs = hottest.self_costs(DUMP.splitlines())
    assert costs == {("main", "items"): 60, ("walk", "items"): 20, ("memcpy", "libc.so.6"): 60}


def test_a_call_is_counted_once_in_the_window_where_it_ended():
    first, second, empty = calls.counted(TRACE, [(99, 100.5), (101, 102), (104, 105)])
    assert first == {"read": 1}
    assert second == {"read": 1, "sendto": 1, "epoll_wait": 1, "recvfrom": 1, "futex": 2}
    assert empty == {}


def test_a_call_that_the_stop_interrupted_is_not_counted():
    (count,) = calls.counted(TRACE, [(101.55, 101.75)])
    assert count == {}


def test_a_restarted_call_is_counted_under_its_own_name():
    (count,) = calls.counted(TRACE, [(101.85, 102)])
    assert count == {"futex": 1}


def test_the_turn_with_the_fewest_calls_is_taken_whole():
    played = [("list", 10), ("root", 10), ("list", 20)]
    counts = [
        collections.Counter(read=10, recvfrom=5),
        collections.Counter(read=10),
        collections.Counter(read=20, recvfrom=2, write=2),
    ]
    assert calls.lowest(played, counts) == {
        "list": {"read": 1, "recvfrom": 0.1, "write": 0.1},
        "root": {"read": 1},
    }


def test_a_trace_that_never_ends_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(calls, "TRACE_SECONDS", 0)
    path = tmp_path / "trace"
    path.write_text("\n".join(TRACE[:-1]))
    with pytest.raises(ServerFailed):
        calls.wait_for_trace(path, 7)


def test_a_trace_ends_with_the_servers_end(tmp_path):
    path = tmp_path / "trace"
    path.write_text("\n".join(TRACE))
    assert len(calls.wait_for_trace(path, 7)) == len(TRACE)
