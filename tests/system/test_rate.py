# SPDX-License-Identifier: ISC
"""A provider's rate, measured where it matters: at the smarthost.

The smarthost notes when it read each MAIL. Between writing and reading lies scheduling, which can
push events together by as much as a busy machine is late. So of a period P only 3/4 is looked at:
in no such window may there be more than N, wherever it begins. What noise can stretch, the whole
duration, is bounded from below only, and from above by the patience of the test.
"""

import bisect

import pytest

from meddle import Meddle
from peers import SmtpSink, source
from penstock import wait_until
from wire import Wire

LOOKED_AT = 0.75    # of a period


def send(daemon, count, recipients=1):
    with Wire(daemon.port) as wire:
        wire.greet()
        for _ in range(count):
            wire.open(*[f"b{n}@example.org" for n in range(recipients)])
            assert wire.say("Subject: x\r\n\r\nhi\r\n.").startswith("250")


def most(times, window):
    """The most events that any window of this length holds."""
    times = sorted(times)
    first = held = 0
    for last, time in enumerate(times):
        while time - times[first] > window:
            first += 1
        held = max(held, last - first + 1)
    return held


@pytest.fixture
def meddle(build, tmp_path):
    return Meddle(build, tmp_path)


@pytest.mark.parametrize("count", [4000, pytest.param(62_000, marks=pytest.mark.long)])
def test_no_second_holds_more_than_a_thousand_mails_written(start, meddle, peers, count):
    """Wherever it begins, and to the microsecond: by the calls that write them. However slow the
    machine is, those that were written less than a second ago, or might have been, are never more."""
    with SmtpSink(peers) as sink:
        daemon = start(relay_to=sink.port, environment=meddle.timing(), provider='rate = { "1000/s" }')
        source(peers, daemon.port, 20, count, 600)
        wait_until(lambda: len(meddle.mails()) >= count, "all are sent", 60 + count / 200)
        daemon.drained()
    mails = meddle.mails()
    assert len(mails) == count
    ended = sorted(after for _, after in mails)
    held = [n + 1 - bisect.bisect_right(ended, before - 1) for n, (before, _) in enumerate(mails)]
    assert max(held) <= 1000


@pytest.mark.threads
@pytest.mark.parametrize("rate, count, period", [("20/s", 20, 1), ("10/2s", 10, 2)])
def test_no_window_holds_more_than_the_rate(start, sink, rate, count, period):
    daemon = start(provider=f'rate = {{ "{rate}" }}')
    send(daemon, 3 * count)
    wait_until(lambda: len(sink.messages) == 3 * count, "all messages", 6 * period + 20)
    assert most(sink.mail_times, LOOKED_AT * period) <= count
    # Three times N need two whole periods between the first and the last.
    assert max(sink.mail_times) - min(sink.mail_times) > 2 * LOOKED_AT * period


def test_a_rate_holds_over_all_connections(start, sink):
    daemon = start(provider='rate = { "20/s" } connections = 10 messages-per-connection = 1')
    send(daemon, 50)
    wait_until(lambda: len(sink.messages) == 50, "all messages")
    assert len(sink.sessions) >= 50
    assert most(sink.mail_times, LOOKED_AT) <= 20


def test_several_rates_hold_at_once(start, sink):
    daemon = start(provider='rate = { "100/s", "15/2s" }')
    send(daemon, 40)
    wait_until(lambda: len(sink.messages) == 40, "all messages")
    assert most(sink.mail_times, LOOKED_AT * 2) <= 15


def test_a_burst_leaves_at_once_and_not_more(start, sink):
    daemon = start(provider='rate = { "10/s burst 20" }')
    send(daemon, 60)
    wait_until(lambda: len(sink.messages) == 60, "all messages")
    assert most(sink.mail_times, LOOKED_AT) <= 30
    # 60 at no more than 10/s on average beyond the burst of 20, and 10 that may be early.
    assert max(sink.mail_times) - min(sink.mail_times) > 3 * LOOKED_AT


def test_recipients_can_be_what_is_limited(start, sink):
    daemon = start(provider='rate = { "20 recipients/s" }')
    send(daemon, 6, recipients=10)
    wait_until(lambda: len(sink.messages) == 6, "all messages")
    assert most(sink.mail_times, LOOKED_AT) <= 2


def test_a_limited_provider_accepts_at_full_speed(start, sink):
    """A limit delays what leaves, never what comes in."""
    daemon = start(provider='rate = { "1/min" }')
    send(daemon, 200)
    wait_until(lambda: sink.messages, "the first")
    assert daemon.cli_json("status")["counters"]["messages_accepted"] == 200
    assert len(sink.messages) == 1


@pytest.mark.parametrize("quota", [150, pytest.param(500, marks=pytest.mark.long)])
def test_a_daily_quota_holds_over_ten_kills(start, sink, quota):
    """What it falls short by is what was in flight when it was killed."""
    daemon = start(provider=f'rate = {{ "{quota}/d" }} connections = 2 pipeline = 5')
    send(daemon, quota + 250)
    lost = 0
    for n in range(10):
        seen = len(sink.mail_times)
        wait_until(lambda: len(sink.mail_times) > min(seen + quota // 30, quota - 10 - lost),
                   "some are sent")
        daemon.kill()
        daemon.start()
        lost += len([line for line in daemon.lines if "may be sent twice" in line])
    wait_until(lambda: daemon.cli_json("status")["spool"]["in_flight"] == 0 and
               len(sink.mail_times) >= quota - lost, "the quota is used up")
    assert len(sink.mail_times) <= quota
    assert len(sink.messages) <= quota
    assert lost <= 10 * 2 * 8       # both connections full, and half as many claimed ahead
