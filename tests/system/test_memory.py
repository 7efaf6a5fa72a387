# SPDX-License-Identifier: ISC
"""What memory costs: anonymous pages (RssAnon), not the map's page cache."""

import resource
import socket
import time
from pathlib import Path

import pytest

from penstock import wait_until
from peers import source
from smarthost import Fault
from wire import Wire

pytestmark = pytest.mark.memory

MIB = 1024      # KiB
IDLE = 10_000   # connections
DEFERRED = 100_000


@pytest.fixture
def descriptors():
    """As many as there may be: each connection takes one here and one there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard == resource.RLIM_INFINITY or hard > IDLE + 500, \
        f"{hard} descriptors are too few: raise ulimit -n for this test"
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def idle_connections(daemon, count):
    """Greeted, and silent."""
    connections = []
    for n in range(count):
        # Addresses of their own, so that no client has too many.
        connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=30,
                                              source_address=(f"127.0.{n // 250}.{n % 250 + 1}", 0))
        connections.append(connection)
    for connection in connections:
        assert connection.recv(100).startswith(b"220")
        connection.sendall(b"EHLO client.test\r\n")
    for connection in connections:
        assert b"250 ENHANCEDSTATUSCODES\r\n" in connection.recv(1000)
    return connections


def test_some_idle_connections_cost_little(start):
    """The same as the long one, with a number that any limit of descriptors allows."""
    daemon = start(extra="workers = 2")
    before = daemon.anonymous_memory()
    connections = idle_connections(daemon, 400)
    assert daemon.anonymous_memory() - before < 400 * 8 + 1 * MIB
    for connection in connections:
        connection.close()


@pytest.mark.long
def test_ten_thousand_idle_connections_cost_little(start, descriptors):
    daemon = start(listen='idle-timeout = "10min"')
    before = daemon.anonymous_memory()
    connections = idle_connections(daemon, IDLE)
    after = daemon.anonymous_memory()
    assert after < 80 * MIB
    assert after - before < IDLE * 8
    with Wire(daemon.port) as wire:
        assert wire.reply().startswith("421 4.3.2")     # the default's last place is taken
    connections.pop().close()

    def is_let_in():
        with Wire(daemon.port) as wire:
            return wire.reply().startswith("220")
    wait_until(is_let_in, "a place is free")
    for connection in connections:
        connection.close()


@pytest.mark.long
def test_a_hundred_thousand_deferred_messages_cost_little(start, sink, peers):
    sink.faults = [Fault("RCPT", "451 4.7.1 come back")]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1d" } }',
                   provider='connections = 20')
    source(peers, daemon.port, 20, DEFERRED, 500)
    counters = daemon.cli_json("status")["counters"]
    assert counters["messages_accepted"] == DEFERRED
    wait_until(lambda: daemon.cli_json("status")["counters"]["recipients_deferred"] >= DEFERRED,
               "all are deferred", 600)
    assert daemon.anonymous_memory() < 64 * MIB
    daemon.stop()
    begun = time.monotonic()
    daemon.start()
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    assert time.monotonic() - begun < 20    # a second is the aim; noise must not fail it
    assert daemon.cli_json("status")["spool"]["messages"] == DEFERRED + 1
    assert daemon.anonymous_memory() < 64 * MIB
    assert len(daemon.cli_json("queue", "no-such-address")) == 0
    assert daemon.anonymous_memory() < 64 * MIB


@pytest.mark.parametrize("octets", [32 * 1024 * 1024])
def test_a_large_message_is_never_in_memory_as_a_whole(start, sink, octets):
    sink.stop()
    daemon = start()
    before = daemon.anonymous_memory()
    piece = ("x" * 78 + "\r\n").encode() * 800
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        for _ in range(octets // len(piece)):
            wire.send(piece)
        assert wire.say(".").startswith("250")
    assert daemon.anonymous_memory() - before < 16 * MIB
    name = daemon.cli_json("queue")[0]["id"]
    assert len(daemon.cli("cat", name).stdout) > octets * 0.99
    assert daemon.anonymous_memory() - before < 16 * MIB
    sink.start()
    wait_until(lambda: sink.messages, "the message")
    assert daemon.anonymous_memory() - before < 16 * MIB


def test_of_many_large_messages_some_are_finished(start, sink):
    """None says how large it is, all come at the same pace, and a third of them has room."""
    daemon = start(extra='route "all" { via = { "sink" } hold = true }')
    daemon.stop()
    config = Path(daemon.directory, "penstock.conf")
    config.write_text(config.read_text().replace("spool {", 'spool { max-size = "64MiB" '))
    daemon.start()
    piece = ("x" * 78 + "\r\n").encode() * 3200
    wires = [Wire(daemon.port) for _ in range(24)]
    for wire in wires:
        wire.greet()
        wire.open()
    for _ in range(8 * 1024 * 1024 // len(piece)):
        for wire in wires:
            wire.send(piece)
    replies = []
    for wire in wires:
        replies.append(wire.say("."))
        wire.close()
    assert all(reply[:3] in ("250", "452") for reply in replies), replies
    accepted = sum(reply.startswith("250") for reply in replies)
    assert 4 <= accepted <= 8, replies
    assert daemon.cli_json("status")["spool"]["messages"] == accepted


def test_slow_smarthosts_and_fast_clients_do_not_pile_mail_up_in_memory(start, sink, peers):
    sink.faults = [Fault("DOT", delay=0.2)]
    daemon = start()
    source(peers, daemon.port, 20, 5000, 10_000)
    assert daemon.anonymous_memory() < 64 * MIB
    daemon.kill()
