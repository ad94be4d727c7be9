"""What goes over the wire, byte by byte, and what becomes of it when nobody takes it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import drainer, feeding, guard, spool
from django_qaprod.records import EventRecord, Record, encode, new_id
from django_qaprod.sinks.statsd import StatsDSink, connection, resolving, sink
from django_qaprod.typing import Sink
from tests.servers import free_port, wait_until
from tests.store.make import batch, cell, failure, numbers

from .listeners import Datagrams, Stream

Make = Callable[..., StatsDSink]


@pytest.fixture
def make(settings: Settings) -> Iterator[Make]:
    made: list[StatsDSink] = []

    def make(**options: Any) -> StatsDSink:
        settings.QAPROD = {"STATSD": options}
        made.append(StatsDSink())
        return made[-1]

    guard.take()
    yield make
    for one in made:
        one.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_WITHIN", 0.1)
    monkeypatch.setattr(sink, "WRITE_WITHIN", 0.3)


def count(label: str, n: int = 1, **fields: Any) -> Record:
    return numbers(cell("n", label, attributes=(), count=n), **fields)


def counts(n: int, length: int = 40) -> list[str]:
    return [f"{number:0{length}}" for number in range(n)]


# Of a record that is long.
LINES, LENGTH = 1000, 80


def fill(to: StatsDSink) -> list[Record]:
    """Drain until the other end takes no more, in the middle of a packet; return all that was drained."""
    drain(to, count("first"), segment="first")
    client = to._connection._client
    assert client is not None
    # A third of it has to be free for the kernel to take anything.
    client._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    records: list[Record] = []
    while True:
        first = len(records) * LINES
        labels = [f"{number:0{LENGTH}}" for number in range(first, first + LINES)]
        records.append(numbers(*(cell("n", label, attributes=()) for label in labels)))
        try:
            drain(to, records[-1], after=len(records) - 1)
        except SinkUnavailableError:
            assert to._connection._gone
            return records


def drain(to: StatsDSink, *records: Record, segment: str = "segment", after: int = 0) -> None:
    """Do as a lane does that is offered one segment."""
    to.write(batch(*records, segment=segment, after=after))
    to.flush()


def dropped() -> dict[str, int]:
    tally = guard.take()
    return tally.dropped if tally is not None else {}


def test_it_is_a_sink_that_does_nothing_before_it_is_asked(make: Make) -> None:
    made = make(HOST="nowhere.invalid", PROTOCOL="tcp")
    assert isinstance(made, Sink)
    made.close()


class TestDatagrams:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_a_batch_is_one_packet(self, make: Make, host: str) -> None:
        with Datagrams() as listener:
            drain(make(HOST=host, PORT=listener.port, PREFIX="shop"), count("a", 2), count("b"))
            assert listener.take() == b"shop.n.a:2|c\nshop.n.b:1|c"
            assert listener.take_all() == []

    def test_by_ipv6(self, make: Make) -> None:
        if not socket.has_ipv6:
            pytest.skip("no IPv6")
        with Datagrams("::1") as listener:
            drain(make(HOST="::1", PORT=listener.port), count("a"))
            assert listener.take() == b"n.a:1|c"

    def test_a_socket_of_this_machine(self, make: Make, tmp_path: Path) -> None:
        with Datagrams(tmp_path / "dsd.socket") as listener:
            drain(make(PROTOCOL="unix", PATH=str(tmp_path / "dsd.socket")), count("a"), count("b"))
            assert listener.take() == b"n.a:1|c\nn.b:1|c"

    def test_no_packet_is_larger_than_it_may_be(self, make: Make) -> None:
        with Datagrams() as listener:
            drain(make(PORT=listener.port, MAX_PACKET=500), *map(count, counts(60)))
            packets = listener.take_all()
        assert all(400 < len(packet) <= 500 for packet in packets[:-1])
        assert len(b"\n".join(packets).splitlines()) == 60

    def test_what_nobody_listened_to_is_sent_again(self, make: Make) -> None:
        port = free_port()
        to = make(PORT=port, MAX_PACKET=128)
        records = [*map(count, counts(6))]
        for _ in range(3):
            with pytest.raises(SinkUnavailableError, match=rf"udp 127.0.0.1:{port} .*refused"):
                drain(to, *records)
        with Datagrams(port=port) as listener:
            drain(to, *records)
            assert b"\n".join(listener.take_all()).count(b"|c") == 6

    def test_a_full_socket_of_this_machine_is_waited_for(
        self, make: Make, tmp_path: Path, impatient: None
    ) -> None:
        path = tmp_path / "dsd.socket"
        records = [*map(count, counts(2000))]
        with Datagrams(path) as listener:
            to = make(PROTOCOL="unix", PATH=str(path), MAX_PACKET=128)
            with pytest.raises(SinkUnavailableError, match="takes no more"):
                drain(to, *records)
            reader = threading.Thread(target=lambda: taken.extend(take_lines(listener, 2000)))
            taken: list[bytes] = []
            reader.start()
            finish(lambda: drain(to, *records))
            reader.join(60)
        assert len(taken) == len(set(taken)) == 2000, "each once"

    def test_a_socket_that_was_made_anew_is_found(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "dsd.socket"
        to = make(PROTOCOL="unix", PATH=str(path))
        with Datagrams(path):
            drain(to, count("a"))
        path.unlink()
        with Datagrams(path) as listener:
            with pytest.raises(SinkUnavailableError):
                drain(to, count("b"), after=1)
            drain(to, count("b"), after=1)
            assert listener.take() == b"n.b:1|c"


def take_lines(listener: Datagrams, how_many: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < how_many:
        found += listener.take().splitlines()
    return found


class TestStreams:
    def test_packets_end_with_a_newline(self, make: Make) -> None:
        with Stream().read() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port, MAX_PACKET=128)
            drain(to, *map(count, counts(4)))
            drain(to, count("last"), after=4)
            assert len(listener.lines(5)) == 5
            assert listener.received.endswith(b"n.last:1|c\n")
            assert len(listener.connections) == 1

    def test_a_socket_of_this_machine(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "statsd.socket"
        with Stream(path).read() as listener:
            drain(make(PROTOCOL="unix", PATH=str(path)), count("a"), count("b"))
            assert listener.lines(2) == [b"n.a:1|c", b"n.b:1|c"]

    def test_a_connection_is_given_up_when_the_other_end_is_gone(self, make: Make) -> None:
        """A machine that vanishes says nothing, and the kernel would hope for a quarter of an hour."""
        with Stream().read() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port)
            drain(to, count("a"))
            client = to._connection._client
            assert client is not None
            assert client._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000

    def test_a_daemon_that_was_restarted_loses_nothing_of_what_comes_then(self, make: Make) -> None:
        with Stream().read() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port)
            drain(to, count("a"))
            listener.lines(1)
        with pytest.raises(SinkUnavailableError, match="refused"):
            drain(to, count("b"), after=1)
        with Stream(port=listener.port).read() as again:
            drain(to, count("b"), count("c"), after=1)
            assert again.lines(2) == [b"n.b:1|c", b"n.c:1|c"]

    def test_who_reads_too_slowly_gets_each_line_once(self, make: Make, impatient: None) -> None:
        """As from one that takes a byte a second: it is interrupted, and goes on where it stopped."""
        with Stream() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port, MAX_PACKET=65_000)
            records = fill(to)
            done = any(succeeds(lambda: drain(to, *records)) for _ in range(2))
            listener.drain(listener.accept())
            if not done:
                finish(lambda: drain(to, *records))
            lines = listener.lines(LINES * len(records) + 1)
        assert len(lines) == len(set(lines)) == LINES * len(records) + 1
        assert len(listener.connections) == 1

    def test_what_was_cut_by_the_end_of_a_connection_is_sent_whole(self, make: Make, impatient: None) -> None:
        with Stream() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port, MAX_PACKET=65_000)
            records = fill(to)
        with Stream(port=listener.port).read() as again:
            finish(lambda: drain(to, *records))
            wait_until(lambda: again.received.endswith(b"\n"))
            assert {len(line) for line in again.received.splitlines()} == {len("n.:1|c") + LENGTH}

    def test_a_black_hole_is_waited_for_and_not_for_long(
        self, make: Make, impatient: None, full: Stream
    ) -> None:
        to = make(PROTOCOL="tcp", PORT=full.port)
        with pytest.raises(SinkUnavailableError, match="timed out"):
            drain(to, count("a"))
        full.read()
        finish(lambda: drain(to, count("a")))
        assert full.lines(1) == [b"n.a:1|c"]

    @pytest.mark.parametrize("path", ["", "nowhere.socket", "a.file"])
    def test_a_path_where_nothing_is_is_named(self, make: Make, tmp_path: Path, path: str) -> None:
        (tmp_path / "a.file").touch()
        where = str(tmp_path / path) if path else ""
        with pytest.raises(SinkUnavailableError, match=f"the socket {where} cannot be reached"):
            drain(make(PROTOCOL="unix", PATH=where), count("a"))

    def test_what_is_logged_of_it_is_one_sentence(self, make: Make, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(SinkUnavailableError) as down:
            drain(make(PROTOCOL="tcp", PORT=free_port()), count("a"))
        guard.caught("sink.statsd.in_words", down.value)
        guard.take()
        assert "cannot be reached (Connection refused); the host was left alone." in caplog.text


@pytest.fixture
def full() -> Iterator[Stream]:
    """A socket that accepts no more connections: Linux answers to none that its queue has no room for."""
    with Stream(backlog=0) as listener:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", listener.port))
        yield listener
        for one in waiting:
            one.close()


def succeeds(act: Callable[[], None]) -> bool:
    try:
        act()
    except SinkUnavailableError:
        return False
    return True


def finish(act: Callable[[], None]) -> None:
    """Try again, as the drainer does, until it succeeds."""
    wait_until(lambda: succeeds(act))


class TestNames:
    @pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, "\udcff", "", "a b"])
    def test_one_that_leads_nowhere_is_named(self, make: Make, host: str) -> None:
        with pytest.raises(SinkUnavailableError, match=r"host .* cannot be found"):
            drain(make(HOST=host) if host else make(HOST="\x00"), count("a"))

    def test_one_that_takes_long_is_not_waited_for(
        self, make: Make, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer, look_up, asked = threading.Event(), resolving._look_up, []

        def slow(host: str) -> object:
            asked.append(host)
            answer.wait(60)
            return look_up(host)

        monkeypatch.setattr(resolving, "_look_up", slow)
        with Datagrams() as listener:
            to = make(HOST="localhost", PORT=listener.port)
            for _ in range(3):
                with pytest.raises(SinkUnavailableError, match="no answer yet"):
                    drain(to, count("a"))
            answer.set()
            finish(lambda: drain(to, count("a")))
            assert listener.take() == b"n.a:1|c"
        assert asked == ["localhost"]

    def test_an_answer_is_remembered_and_outlives_the_server_of_names(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def look_up(host: str) -> tuple[resolving.Address, ...]:
            asked.append(host)
            if len(asked) > 1:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return (("127.0.0.1", False),)

        monkeypatch.setattr(resolving, "_look_up", look_up)
        with Datagrams() as listener:
            to = make(HOST="statsd.example", PORT=listener.port)
            for number in range(3):
                drain(to, count("a"), after=number)
                to.close()
            assert len(asked) == 1
            later = time.monotonic() + resolving.FRESH_FOR + 1
            for module in (resolving, connection, sink):
                monkeypatch.setattr(module, "monotonic", lambda: later)
            drain(to, count("a"), after=3)
            assert len(asked) == 2
            assert len(listener.take_all()) == 4

    def test_of_several_addresses_one_that_answers_is_found(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = (("127.0.0.2", False), ("127.0.0.1", False))
        monkeypatch.setattr(resolving, "_look_up", lambda host: both)
        with Datagrams() as listener, Stream().read() as stream:
            drain(make(HOST="x", PROTOCOL="tcp", PORT=stream.port), count("a"))
            assert stream.lines(1) == [b"n.a:1|c"]
            to = make(HOST="x", PORT=listener.port)
            finish(lambda: drain(to, count("b")))
            assert listener.take() == b"n.b:1|c"


class TestWaiting:
    def test_what_has_waited_for_too_long_is_dropped_and_counted(self, make: Make) -> None:
        with Datagrams() as listener:
            to = make(PORT=listener.port, MAX_AGE=100)
            old = time.time() - 101
            drain(to, count("old", at=old), failure(at=old), count("new"))
            assert listener.take() == b"n.new:1|c"
        assert dropped() == {"sink.statsd.too_old": 2}

    def test_a_daemon_that_is_away_for_long_holds_nothing_back(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to = make(PORT=free_port(), PROTOCOL="tcp", MAX_AGE=100)
        first = [count("a"), count("b")]
        with pytest.raises(SinkUnavailableError):
            drain(to, *first)
        later = time.time() + 101
        monkeypatch.setattr(sink, "time", lambda: later)
        drain(to, *first)
        assert dropped() == {"sink.statsd.too_old": 2}, "once, however often they come"
        with pytest.raises(SinkUnavailableError):
            drain(to, count("c", at=later), after=2)

    def test_what_is_given_up_in_its_middle_is_not_gone_on_with(
        self, make: Make, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Stream() as listener:
            to = make(PROTOCOL="tcp", PORT=listener.port, MAX_AGE=100, MAX_PACKET=65_000)
            fill(to)
            later = time.time() + 101
            monkeypatch.setattr(sink, "time", lambda: later)
            listener.read()
            drain(to, count("new", at=later), segment="another")
            wait_until(lambda: b"n.new:1|c\n" in listener.received)
            assert len(listener.connections) == 2
        assert dropped() == {"sink.statsd.too_old": 1}

    def test_nothing_is_remembered_of_what_is_sent(self, make: Make) -> None:
        with Datagrams() as listener:
            to = make(PORT=listener.port)
            for number in range(3):
                drain(to, count("a"), segment=f"segment-{number}")
        assert not to._taken

    def test_what_is_too_old_leaves_the_spool_while_the_daemon_is_away(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.QAPROD = {"STATSD": {"PROTOCOL": "tcp", "PORT": free_port(), "MAX_AGE": 100}}
        for name, value in {"RETRY_FIRST": 0.3, "RETRY_MOST": 0.3, "BATCH": 4}.items():
            monkeypatch.setattr(feeding, name, value)
        monkeypatch.setattr(drainer.connections, "close_old", lambda: None)
        segment = spool.FileSpool(tmp_path)
        draining = drainer.Drainer(tmp_path, sinks=("django_qaprod.sinks.statsd.StatsDSink",))
        assert draining.acquire()

        def drained(*records: Record) -> drainer.DrainReport:
            for record in records:
                segment.append(encode(record))
            wait_until(draining._lanes[0].feed.ready)
            report = draining.drain()
            assert report.failing == ("statsd",)
            return report

        first = drained(*map(count, "abcdefgh"))
        later = time.time() + 101
        monkeypatch.setattr(sink, "time", lambda: later)
        second = drained(count("new", at=later))
        # Batches become smaller until one holds nothing that is worth sending.
        wait_until(lambda: drained().waiting < second.waiting)
        assert 0 < second.waiting - first.waiting <= drained().waiting
        draining.release()
        segment.close()

    def test_nothing_piles_up_while_it_is_away(self, make: Make) -> None:
        to = make(PORT=free_port(), PROTOCOL="tcp")
        with pytest.raises(SinkUnavailableError):
            drain(to, count("a"))
        with pytest.raises(SinkUnavailableError):
            to.write(batch(count("b"), segment="another"))

    def test_what_comes_again_in_other_batches_is_sent_once(self, make: Make) -> None:
        port = free_port()
        to = make(PROTOCOL="tcp", PORT=port)
        records = [*map(count, "abcde")]
        to.write(batch(*records[:4]))
        to.write(batch(count("x"), segment="another"))
        with pytest.raises(SinkUnavailableError):
            to.flush()
        with Stream(port=port).read() as listener:
            to.write(batch(*records[:2]))
            to.write(batch(*records[2:], after=2))
            to.write(batch(count("x"), count("y"), segment="another"))
            to.flush()
            to.write(batch(count("z"), segment="another", after=2))
            to.flush()
            assert sorted(listener.lines(8)) == [f"n.{label}:1|c".encode() for label in "abcdexyz"]

    def test_minutes_go_one_by_one(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of what has gathered while a daemon was away, only what is too old is dropped."""
        port, begin = free_port(), time.time()
        to = make(PROTOCOL="tcp", PORT=port, MAX_AGE=300)
        records = [count(label, at=begin - 70 * ago) for ago, label in enumerate("abcd")]
        with pytest.raises(SinkUnavailableError):
            drain(to, *records[::-1])
        monkeypatch.setattr(sink, "time", lambda: begin + 130)
        with Stream(port=port).read() as listener:
            drain(to, *records[::-1])
            assert sorted(listener.lines(3)) == [b"n.a:1|c", b"n.b:1|c", b"n.c:1|c"]
        assert dropped() == {"sink.statsd.too_old": 1}

    def test_spooled_events_are_not_counted_as_steps(self, make: Make) -> None:
        event = EventRecord(id=new_id(), at=time.time(), journey="apply", step="started", subject="1")
        with Datagrams() as listener:
            drain(make(PORT=listener.port), event)
            assert listener.take_all() == []

    def test_a_record_that_is_broken_costs_no_other(self, make: Make) -> None:
        broken = numbers(cell("t", "x", attributes=(), histogram=b"\x80"))
        with Datagrams() as listener:
            drain(make(PORT=listener.port), count("a"), broken, count("b"))
            assert b"n.a:1|c\nn.b:1|c" in listener.take()
        tally = guard.take()
        assert tally is not None
        assert tally.errors == {"sink.statsd": 1}
