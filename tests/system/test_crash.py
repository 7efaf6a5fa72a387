# SPDX-License-Identifier: ISC
"""kill -9 at any moment: what was acknowledged arrives, what may arrive twice is told."""

import collections
import os
import random
import re
import signal
import subprocess
import threading

import pytest

from penstock import wait_until
from smarthost import Fault
from wire import Wire

CLIENTS = 8
LARGE = 12 * 1024 * 1024    # octets


class Load:
    """Clients that send one message after the other on kept connections, and note each id that was
    acknowledged, until the daemon goes away."""

    def __init__(self, port, size, pipelined):
        self.acknowledged = []
        self.refusals = []
        self._content = "Subject: load\r\n\r\n" + ("x" * 78 + "\r\n") * (size // 80)
        self._pipelined = pipelined
        self._threads = [threading.Thread(target=self._run, args=(port, n), daemon=True)
                         for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, port, n):
        try:
            with Wire(port) as wire:
                wire.greet()
                while True:
                    self._one(wire, n)
        except (OSError, EOFError):
            pass    # the daemon was killed

    def _one(self, wire, n):
        envelope = [f"MAIL FROM:<a{n}@example.com>", f"RCPT TO:<b{n}@example.org>", "DATA"]
        if self._pipelined:
            wire.send("\r\n".join(envelope) + "\r\n")
            replies = [wire.reply() for _ in envelope]
        else:
            replies = [wire.say(line) for line in envelope]
        if "" in replies:
            raise EOFError
        wire.send(self._content + ".\r\n")
        reply = wire.reply()
        if reply == "":
            raise EOFError
        found = re.fullmatch(r"250 2\.0\.0 queued as (\w{13})", reply)
        if found:
            self.acknowledged.append(found[1])
        else:
            self.refusals.append(reply)

    def join_stopped(self):
        """As join(), of a daemon that could say 421 while it stopped."""
        self._end()
        assert [reply for reply in self.refusals if not reply.startswith("421")] == []
        return self.acknowledged

    def _end(self):
        for thread in self._threads:
            thread.join(timeout=30)

    def join(self):
        self._end()
        assert self.refusals == []
        return self.acknowledged


def delivered(sink):
    """How often each id arrived, by our trace fields."""
    return collections.Counter(re.search(rb"\sid (\w{13})", message.content)[1].decode()
                               for message in list(sink.messages))


def reported(sink):
    """The ids whose failure was told to the sender: a bounce is named after what failed."""
    return {re.search(rb"^Message-ID: <(\w{13})\.", message.content, re.MULTILINE)[1].decode()
            for message in list(sink.messages) if message.sender == ""}


def check(sink, acknowledged, log):
    counts = delivered(sink)
    lost = [name for name in acknowledged if counts[name] == 0]
    assert lost == [], f"{len(lost)} of {len(acknowledged)} are lost"
    told = collections.Counter(re.findall(r"delivery indeterminate msg=(\w{13})", log))
    for name, count in counts.items():
        assert count <= 1 + told[name], f"{name} came {count} times, told {told[name]} times"
    return told


def crash_rounds(start, sink, rounds, size, pipelined):
    daemon = start(provider="connections = 5")
    acknowledged = []
    for n in range(rounds):
        load = Load(daemon.port, size, pipelined)
        wanted = len(sink.messages) + 40 + n * 17
        wait_until(lambda: len(load.acknowledged) > 100 and len(sink.messages) > wanted,
                   "the load is under way")
        daemon.kill()
        acknowledged += load.join()
        daemon.start()
    daemon.drained()
    with open(daemon.log_path, encoding="utf-8") as log:
        told = check(sink, acknowledged, log.read())
    # 5 connections, with up to 20 transactions in flight and one that is claimed ahead.
    assert sum(told.values()) <= rounds * 5 * 21


@pytest.mark.parametrize("pipelined", [True, False])
def test_nothing_acknowledged_is_lost(start, sink, pipelined):
    crash_rounds(start, sink, 8, 2_000, pipelined)


def test_nothing_large_that_was_acknowledged_is_lost(start, sink):
    crash_rounds(start, sink, 3, 200_000, True)


def test_every_failure_is_told_although_the_daemon_was_killed(start, sink):
    """A failure and its bounce are one transaction."""
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody", match="<b")]
    daemon = start(provider="connections = 5")
    acknowledged = []
    for _ in range(4):
        load = Load(daemon.port, 500, True)
        wanted = len(sink.messages) + 40
        wait_until(lambda: len(load.acknowledged) > 100 and len(sink.messages) > wanted,
                   "the load is under way")
        daemon.kill()
        acknowledged += load.join()
        daemon.start()
    daemon.drained()
    assert set(acknowledged) - reported(sink) == set()


@pytest.mark.long
@pytest.mark.parametrize("size", [500, 5_000, 100_000])
def test_nothing_is_lost_in_many_rounds(start, sink, size):
    crash_rounds(start, sink, 30, size, True)


def test_a_claim_that_was_left_behind_is_told_and_goes_to_the_same_provider(start, sink):
    """Killed while the smarthost has the content and has not answered yet."""

    sink.faults = [Fault("DOT", delay=3600, times=1)]
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.greet()
        name = wire.mail().rpartition(" ")[2]
    wait_until(lambda: sink.faults[0].happened, "the content is there")
    daemon.kill()
    daemon.start()
    wait_until(lambda: sink.messages, "the message")
    daemon.drained()
    assert daemon.has_line(f"delivery indeterminate msg={name} n=. provider=sink")
    assert delivered(sink) == {name: 1}


def test_what_was_deferred_and_held_is_as_it_was(start, sink):

    sink.faults = [Fault("RCPT", "451 4.7.1 come back", times=1)]
    daemon = start(extra='route "held" { recipient = { "h@*" } via = { "sink" } hold = true }\n'
                         'route "all" { via = { "sink" } retry = { "1h" } }')
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open("b@example.org")
        deferred = wire.say("Subject: deferred\r\n\r\nhi\r\n.").rpartition(" ")[2]
        wire.open("h@example.org")
        held = wire.say("Subject: held\r\n\r\nhi\r\n.").rpartition(" ")[2]
    wait_until(lambda: daemon.has_line("deferred msg="), "the deferral")
    wait_until(lambda: daemon.cli_json("show", deferred)["deliveries"][0]["state"] == "deferred",
               "it is recorded")
    before = daemon.cli_json("queue")
    daemon.kill()
    daemon.start()
    assert daemon.cli_json("queue") == before
    assert [m["deliveries"][0]["state"] for m in before] == ["deferred", "held"]
    daemon.cli("retry", deferred)
    daemon.cli("release", held)
    wait_until(lambda: len(sink.messages) == 2, "both")


def start_and_kill(daemon, seconds):
    """Killed so long after it was started, whatever it is doing."""
    with open(daemon.log_path, "ab") as log:
        process = subprocess.Popen(daemon.arguments, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=log)
    try:
        process.wait(timeout=seconds)
        raise AssertionError(f"it ended by itself: {daemon.log()}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop_and_kill(daemon, seconds):
    """Killed so long after it was told to stop, if it still runs."""
    daemon.process.send_signal(signal.SIGTERM)
    try:
        daemon.process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        pass
    daemon.kill()


def kill_rounds(start, sink, rounds):
    chance = random.Random(rounds)
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody", match="<b3"),
                   Fault("RCPT", "451 4.7.1 later", match="<b4", times=rounds * 10)]
    daemon = start(provider="connections = 5",
                   extra='route "all" { via = { "sink" } retry = { "1s" } }')
    acknowledged = []
    for _ in range(rounds):
        load = Load(daemon.port, chance.choice([500, 90_000]), True)
        wanted = chance.randrange(20, 80)
        wait_until(lambda: len(load.acknowledged) > wanted, "the load is under way")
        if chance.random() < 0.5:
            stop_and_kill(daemon, chance.uniform(0.001, 0.05))
        else:
            daemon.kill()
        acknowledged += load.join_stopped()
        for _ in range(chance.randrange(3)):
            start_and_kill(daemon, chance.uniform(0.005, 0.15))
        daemon.start()
    daemon.drained()
    bad = reported(sink)
    with open(daemon.log_path, encoding="utf-8") as log:
        check(sink, [name for name in acknowledged if name not in bad], log.read())


def test_nothing_is_lost_when_starts_and_stops_are_killed(start, sink):
    kill_rounds(start, sink, 8)


@pytest.mark.long
def test_nothing_is_lost_when_many_starts_and_stops_are_killed(start, sink):
    kill_rounds(start, sink, 80)


def test_a_body_that_was_interrupted_takes_no_room_for_long(start):
    daemon = start(extra='route "all" { via = { "sink" } hold = true }')
    data = os.path.join(daemon.spool, "data.mdb")
    piece = ("x" * 78 + "\r\n").encode() * 12_800

    def upload(wire):
        wire.greet()
        wire.open()
        for _ in range(LARGE // len(piece)):
            wire.send(piece)

    for n in range(5):
        wire = Wire(daemon.port)
        upload(wire)
        wait_until(lambda: os.path.getsize(data) > LARGE // 2, "most of it is on disk")
        daemon.kill()
        wire.close()
        daemon.start()
        assert daemon.cli_json("status")["spool"]["messages"] == 0
    with Wire(daemon.port) as wire:
        upload(wire)
        assert wire.say(".").startswith("250")
    assert os.path.getsize(data) < 4 * LARGE


def test_a_spool_is_taken_over_from_a_killed_daemon_at_once(start):
    daemon = start()
    for _ in range(5):
        daemon.kill()
        daemon.start()
    assert daemon.waiting() == 0
