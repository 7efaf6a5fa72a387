# SPDX-License-Identifier: ISC
"""The wall clock steps while the daemon runs (tests/lib/meddle.c): no mail is stuck, ids go on, and
nothing spins."""

import re
import time

import pytest

from meddle import Meddle
from penstock import wait_until
from smarthost import Fault
from wire import Wire

DAY = 86_400
STEPS = [-365 * DAY, -DAY, -3600, 3600, DAY]


@pytest.fixture
def meddle(build, tmp_path):
    return Meddle(build, tmp_path)


def send(daemon, recipient="b@example.org"):
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open(recipient)
        reply = wire.say("Subject: x\r\n\r\nhi\r\n.")
    assert reply.startswith("250 2.0.0 queued"), reply
    return reply.rpartition(" ")[2]


def turns(daemon):
    """How much of a second the daemon computes when there is nothing to do."""
    def used():
        with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    before, since = used(), time.monotonic()
    wait_until(lambda: time.monotonic() - since > 1, "a second is over")
    return (used() - before) / 100


@pytest.mark.parametrize("seconds", STEPS)
def test_mail_flows_over_a_step_of_the_clock(start, meddle, sink, seconds):
    sink.faults = [Fault("RCPT", "451 4.7.1 later", match="<late", times=2)]
    daemon = start(environment=meddle.environment,
                   extra='route "all" { via = { "sink" } retry = { "2s" } }')
    first = send(daemon)
    wait_until(lambda: len(sink.messages) == 1, "the first")
    if seconds > 0:
        send(daemon, "late@example.org")
        wait_until(lambda: daemon.has_line("delivery deferred"), "the deferral")
    meddle.step(seconds)
    if seconds < 0:
        send(daemon, "late@example.org")
    second = send(daemon)
    assert second > first
    wait_until(lambda: len(sink.messages) == 3, "all of it, the deferred one too")
    daemon.drained()
    assert turns(daemon) < 0.5
    meddle.step(0)
    assert send(daemon) > second
    wait_until(lambda: len(sink.messages) == 4, "the last")
    daemon.drained()
    assert len({re.search(rb"\sid (\w{13})", m.content)[1] for m in sink.messages}) == 4
    assert not daemon.has_line("delivery failed")


def test_a_rate_holds_over_a_step_forward(start, meddle, sink):
    """No more than it allows, and no stand-still."""
    daemon = start(environment=meddle.environment, provider='rate = { "5/s" }')
    for _ in range(5):
        send(daemon)
    meddle.step(3600)
    for _ in range(5):
        send(daemon)
    wait_until(lambda: len(sink.messages) == 10, "all ten")
    times = sink.mail_times
    assert all(times[n + 5] - times[n] > 0.95 for n in range(5)), times


def test_what_is_no_longer_fresh_arrives_whole(start, meddle, sink):
    """Its pages are read by a helper before a connection gets it."""
    daemon = start(environment=meddle.environment, extra='route "all" { via = { "sink" } hold = true }')
    body = "".join(f"line {n}\r\n" for n in range(60_000))
    with daemon.smtp() as client:
        for _ in range(3):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: old\r\n\r\n{body}")
    meddle.step(3600)
    send(daemon)
    daemon.cli("release", *[message["id"] for message in daemon.cli_json("queue")])
    wait_until(lambda: len(sink.messages) == 4, "all of it")
    assert sum(message.content.decode().endswith(body) for message in sink.messages) == 3
    daemon.drained()


def test_a_step_by_a_year_is_no_age(start, meddle, sink):
    """What waits expires when its time has passed, not when the clock says another one."""
    sink.faults = [Fault("RCPT", "451 4.7.1 later", match="<late")]
    daemon = start(environment=meddle.environment,
                   extra='route "all" { via = { "sink" } retry = { "1s" } expire = "8s" }')
    since = time.monotonic()
    name = send(daemon, "late@example.org")
    wait_until(lambda: daemon.has_line("delivery deferred"), "the deferral")
    meddle.step(365 * DAY)
    wait_until(lambda: sink.messages, "the bounce")
    assert time.monotonic() - since > 7
    daemon.drained()
    assert f"<{name}.".encode() in sink.messages[0].content


@pytest.mark.parametrize("stopped", [False, True])
def test_what_waited_does_not_wait_for_the_old_time(start, meddle, sink, stopped):
    daemon = start(environment=meddle.environment, provider='rate = { "4/s" }')
    for _ in range(40):
        send(daemon)
    wait_until(lambda: sink.messages, "the first")
    if stopped:
        daemon.kill()
    meddle.step(-DAY)
    if stopped:
        daemon.start()
    wait_until(lambda: len(sink.messages) >= 40, "all of it", 60)
    daemon.drained()
    times = sorted(sink.mail_times)
    assert all(times[n + 4] - times[n] > 0.75 for n in range(len(times) - 4)), times


def test_ids_go_on_when_the_machine_boots_in_the_past(start, meddle, sink):
    daemon = start(environment=meddle.environment)
    first = send(daemon)
    daemon.drained()
    daemon.kill()
    meddle.step(-30 * DAY)
    daemon.start()
    assert send(daemon) > first
    wait_until(lambda: len(sink.messages) >= 2, "both")
