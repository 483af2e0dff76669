"""The proxy's faults, as a client sees them. A fault without an effect would make every scenario pass."""

import errno
import socket
import threading
import time

import pytest

from proxy import BOTH, TO_CLIENT, TO_SERVER, Proxy


class Echo:
    """An upstream that echoes every chunk, prefixed with its name."""

    def __init__(self, name=b""):
        self.name, self.received, self.ended = name, b"", threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[peer], daemon=True).start()

    def _serve(self, peer):
        with peer:
            try:
                while data := peer.recv(65536):
                    self.received += data
                    peer.sendall(self.name + data)
            except ConnectionError:
                pass
        self.ended.set()

    def close(self):
        self.listener.close()


@pytest.fixture
def echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo):
    with Proxy(echo.address) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    opened = []

    def connect(timeout=5):
        opened.append(socket.create_connection(proxy.address, timeout=timeout))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


def ask(client, data=b"ping"):
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        piece = client.recv(65536)
        if not piece:
            break
        answer += piece
    return answer


def is_silent(client, seconds=0.3):
    client.settimeout(seconds)
    try:
        client.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)


class TestWithoutFaults:
    def test_bytes_pass_both_ways(self, connect):
        assert ask(connect()) == b"ping"

    def test_much_data_arrives_whole_and_in_order(self, connect):
        data = bytes(range(256)) * 4000
        client = connect()
        sender = threading.Thread(target=client.sendall, args=[data])
        sender.start()
        got = b""
        while len(got) < len(data):
            got += client.recv(65536)
        sender.join()
        assert got == data

    def test_the_clients_end_reaches_the_server(self, connect, echo):
        client = connect()
        ask(client)
        client.close()
        assert echo.ended.wait(2)


class TestFaultsOfBytes:
    def test_latency_delays_each_way(self, proxy, connect):
        client = connect()
        proxy.set(latency=0.1)
        began = time.monotonic()
        assert ask(client) == b"ping"
        assert 0.2 <= time.monotonic() - began < 10
        proxy.heal()
        began = time.monotonic()
        ask(client)
        assert time.monotonic() - began < 0.19

    def test_bandwidth_bounds_the_rate(self, proxy, connect):
        client = connect()
        proxy.set(bandwidth=20_000)
        began = time.monotonic()
        assert len(ask(client, b"x" * 10_000)) == 10_000
        assert 0.4 <= time.monotonic() - began < 10

    def test_a_stall_holds_bytes_back_and_loses_none(self, proxy, connect, echo):
        client = connect()
        ask(client)
        proxy.set(stalled=BOTH)
        client.sendall(b"held")
        assert is_silent(client) and echo.received == b"ping"
        proxy.heal()
        assert client.recv(10) == b"held"

    def test_swallowed_answers_are_lost_although_the_server_acted(self, proxy, connect, echo):
        client = connect()
        ask(client)
        proxy.set(swallowed=frozenset({TO_CLIENT}))
        client.sendall(b"lost")
        assert is_silent(client) and echo.received == b"pinglost"

    def test_swallowed_questions_never_arrive(self, proxy, connect, echo):
        client = connect()
        ask(client)
        proxy.set(swallowed=frozenset({TO_SERVER}))
        client.sendall(b"lost")
        assert is_silent(client) and echo.received == b"ping"

    def test_a_connection_that_lost_bytes_is_reset_by_healing_and_others_stay(self, proxy, connect):
        hit, untouched = connect(), connect()
        ask(hit), ask(untouched)
        proxy.set(swallowed=BOTH)
        hit.sendall(b"lost")
        assert is_silent(hit)
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            hit.recv(1)
        assert ask(untouched) == b"ping"

    def test_a_close_is_not_passed_on_while_bytes_are_dropped(self, proxy, connect, echo):
        client = connect()
        ask(client)
        proxy.set(swallowed=BOTH)
        client.close()
        assert not echo.ended.wait(0.3)
        proxy.heal()
        assert echo.ended.wait(2)

    def test_a_cut_comes_after_exactly_the_given_number_of_bytes(self, proxy, connect):
        client = connect()
        ask(client, b"not counted")
        proxy.set(cut_after=6)
        assert ask(client) == b"ping"
        client.sendall(b"ping")
        assert client.recv(10) == b"pi"
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    def test_a_connection_falls_silent_for_good_after_the_given_number_of_bytes(self, proxy, connect, echo):
        proxy.set(mute_after=6)
        client = connect()
        assert ask(client) == b"ping"
        client.sendall(b"lost")
        assert is_silent(client)
        proxy.set(mute_after=None)
        client.sendall(b"lost too")
        assert is_silent(client) and echo.received == b"pinglost"
        assert ask(connect()) == b"ping"
        proxy.heal()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


    def test_bytes_that_the_proxy_injects_come_between_the_servers_chunks(self, proxy, connect):
        client = connect()
        ask(client)
        proxy.set(stalled=frozenset({TO_SERVER}))
        client.sendall(b"held")
        proxy.say(b"notice ", 0.05)
        proxy.heal()
        got = b""
        while not got.endswith(b"held"):
            got += client.recv(65536)
        notices = got.removesuffix(b"held")
        assert notices and notices == b"notice " * (len(notices) // 7)

    def test_many_injected_bytes_arrive_complete(self, proxy, connect):
        client = connect()
        ask(client)
        piece = bytes(range(250)) * 200
        speaker = threading.Thread(target=proxy.say, args=[piece, 0.3])
        speaker.start()
        got = b""
        client.settimeout(0.5)  # longer than the proxy pauses between two chunks
        try:
            while True:
                got += client.recv(65536)
        except TimeoutError:
            speaker.join()
        assert len(got) > len(piece) and got == piece * (len(got) // len(piece))


def test_a_proxy_in_a_directory_is_reached_by_postgresqls_socket(echo, tmp_path):
    with Proxy(echo.address, str(tmp_path), 5432), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / ".s.PGSQL.5432"))
        assert ask(client) == b"ping"


class TestFaultsOfConnections:
    def test_reset_sends_rst_and_not_fin(self, proxy, connect):
        client = connect()
        ask(client)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert ask(connect()) == b"ping"

    def test_end_sends_fin_and_not_rst(self, proxy, connect):
        client = connect()
        ask(client)
        proxy.end()
        assert client.recv(1) == b""

    def test_muted_connections_are_silent_for_good_and_new_ones_work(self, proxy, connect, echo):
        old = connect()
        ask(old)
        proxy.mute()
        old.sendall(b"lost")
        assert is_silent(old) and echo.received == b"ping"
        assert ask(connect()) == b"ping"

    def test_refused_connections_are_refused_and_old_ones_stay(self, proxy, connect):
        old = connect()
        ask(old)
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect()
        assert ask(old) == b"ping"
        proxy.heal()
        assert ask(connect()) == b"ping"

    def test_a_black_hole_does_not_answer_and_old_ones_stay(self, proxy, connect):
        old = connect()
        ask(old)
        accepted = proxy.accepted
        proxy.black_hole()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                connect(timeout=0.3)
        assert ask(old) == b"ping" and proxy.accepted == accepted
        proxy.heal()
        assert ask(connect()) == b"ping"

    def test_a_connection_begun_in_a_black_hole_is_made_after_it(self, proxy, echo):
        proxy.black_hole()
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(proxy.address) == errno.EINPROGRESS
            time.sleep(0.2)
            proxy.heal()
            client.settimeout(5)  # the kernel sends the next SYN after 1 s
            while client.connect_ex(proxy.address) not in (0, errno.EISCONN):
                time.sleep(0.05)
            assert ask(client) == b"ping"

    def test_a_switch_affects_new_connections_only(self, proxy, connect, echo):
        old = connect()
        ask(old)
        other = Echo(b"other ")
        proxy.switch(other.address)
        assert ask(connect(), b"ping")[:5] == b"other"
        assert ask(old) == b"ping"
        other.close()

    def test_an_upstream_that_is_away_ends_the_connection(self, proxy, connect, echo):
        echo.close()
        proxy.switch(("127.0.0.1", 1))
        try:
            assert connect().recv(1) == b""
        except ConnectionResetError:
            pass  # the reset may arrive before or after connect(2) returns
