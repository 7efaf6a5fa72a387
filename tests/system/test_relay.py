# SPDX-License-Identifier: ISC
"""Applications -> penstockd -> a plain smarthost: everything arrives, once, unchanged."""

import re
import time

import pytest

from penstock import Penstockd, wait_until
from peers import SmtpSink, source
from smarthost import Fault, Smarthost


@pytest.mark.threads
def test_a_message_is_relayed_with_its_trace_field(build, tmp_path, sink):
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["B@Example.org", "c@example.net"],
                            "Subject: one\r\n\r\n.dot\r\n..dots\r\nend\r\n")
        wait_until(lambda: len(sink.messages) == 1, "one message at the smarthost")
        message = sink.messages[0]
        assert message.sender == "a@example.com"
        assert message.recipients == ["B@Example.org", "c@example.net"]
        head, _, rest = message.content.partition(b"Subject: ")
        assert head.startswith(b"Received: from client.test")
        assert b"relay.test" in head and b" id " in head
        assert rest == b"one\r\n\r\n.dot\r\n..dots\r\nend\r\n"
        daemon.drained()


@pytest.mark.threads
def test_thousands_arrive_unchanged_over_few_connections(build, tmp_path, sink, peers):
    count = 3000
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        source(peers, daemon.port, sessions=20, messages=count, length=4096)
        wait_until(lambda: len(sink.messages) >= count, f"{count} messages at the smarthost", 60)
        daemon.drained()
        assert len(sink.messages) == count
        assert len(sink.sessions) <= 10 + count // 100  # messages-per-connection
        bodies = {message.content.partition(b"\r\n\r\n")[2] for message in sink.messages}
        assert len(bodies) == 1


def test_smtp_source_to_smtp_sink_arrives_byte_for_byte(start, peers, tmp_path):
    """Each message is dumped to a file, and compared apart from the trace fields."""
    count = 3000
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: x\nX-Odd:  two  blanks\t\n\n.dot\n..\n.\n \n\xc3\xbc\xff\n"
                       + b"y" * 990 + b"\nend\n")
    for name in ("direct", "relayed"):
        (tmp_path / name).mkdir()
    with SmtpSink(peers, tmp_path / "direct") as sink:
        source(peers, sink.port, 1, 1, letter)
        direct = sink.dumps()[0].partition(b"Subject: x\n")[2]
    with SmtpSink(peers, tmp_path / "relayed") as sink:
        daemon = start(relay_to=sink.port)
        source(peers, daemon.port, 20, count, letter, "-N")
        daemon.drained(60)
        heads, _, letters = zip(*(dump.partition(b"Subject: x\n") for dump in sink.dumps()))
    assert set(letters) == {direct}
    recipients = [re.search(rb"^X-Rcpt-Args: <(\d+)user@example.org>$", head, re.MULTILINE)[1]
                  for head in heads]
    assert sorted(map(int, recipients)) == list(range(1, count + 1))
    assert all(head.count(b"\nReceived: ") == 2 for head in heads)     # the sink's and ours


def test_every_recipient_of_a_long_list_gets_it_once(build, tmp_path, sink):
    recipients = [f"user{n}@example.org" for n in range(170)]
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", recipients, "Subject: many\r\n\r\nhi\r\n")
        wait_until(lambda: sum(len(m.recipients) for m in sink.messages) >= 170, "all recipients")
        daemon.drained()
        assert sorted(r for m in sink.messages for r in m.recipients) == sorted(recipients)


def test_a_large_message_passes_through_unchanged(build, tmp_path, sink):
    line = "".join(chr(33 + n % 90) for n in range(70)) + "\r\n"
    body = "Subject: large\r\n\r\n" + line * (20 * 1024 * 1024 // len(line))
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@example.org"], body)
        wait_until(lambda: len(sink.messages) == 1, "the large message", 60)
        assert sink.messages[0].content.endswith(body.encode())
        daemon.drained()


def test_a_temporary_refusal_is_tried_again_and_a_permanent_one_bounces(build, tmp_path, sink):
    sink.faults = [Fault("RCPT", "451 4.7.1 come back", match="<later@", times=1),
                   Fault("RCPT", "550 5.1.1 nobody", match="<never@")]
    with Penstockd(build, tmp_path, relay_to=sink.port,
                   extra='route "all" { via = { "sink" } retry = { "1s" } }') as daemon:
        with daemon.smtp() as client:
            client.sendmail("from@example.com", ["later@example.org", "good@example.org", "never@example.org"],
                            "Subject: three fates\r\n\r\nhi\r\n")
        wait_until(lambda: len(sink.messages) == 3, "good, the bounce and the retry")
        daemon.drained()
    by_recipient = {message.recipients[0]: message for message in sink.messages}
    assert set(by_recipient) == {"good@example.org", "later@example.org", "from@example.com"}
    bounce = by_recipient["from@example.com"]
    assert bounce.sender == ""
    assert b"never@example.org" in bounce.content and b"550 5.1.1 nobody" in bounce.content
    assert b"later@example.org" not in bounce.content


def test_what_the_smarthost_finds_too_large_is_returned_and_the_rest_goes(start, sink):
    sink.size = 20_000
    daemon = start()
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["large@example.org"], "Subject: x\r\n\r\n" + "x\r\n" * 9_000)
        client.sendmail("a@example.com", ["small@example.org"], "Subject: x\r\n\r\n" + "x\r\n" * 900)
    wait_until(lambda: len(sink.messages) == 2, "the small one and the bounce")
    daemon.drained()
    by_recipient = {message.recipients[0]: message for message in sink.messages}
    assert set(by_recipient) == {"small@example.org", "a@example.com"}
    assert b"large@example.org" in by_recipient["a@example.com"].content


def test_no_bounce_for_the_null_reverse_path(build, tmp_path, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody")]
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            client.sendmail("", ["b@example.org"], "Subject: a bounce\r\n\r\nhi\r\n")
        wait_until(lambda: sink.faults[0].happened, "the refusal")
        daemon.drained()
    assert sink.messages == []


def test_a_smarthost_that_was_down_gets_the_mail_later(build, tmp_path, sink):
    sink.stop()
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@example.org"], "Subject: wait\r\n\r\nhi\r\n")
        wait_until(lambda: daemon.cli_json("status")["providers"][0]["state"] == "set-aside",
                   "the provider is set aside")
        assert daemon.cli_json("queue")[0]["deliveries"][0]["state"] in ("queued", "deferred")
        sink.start()
        wait_until(lambda: len(sink.messages) == 1, "the message")


def test_mail_leaves_at_once_over_the_connection_that_is_open(start, sink):
    """One after the other, each when the one before has arrived: nothing polls, nothing reconnects."""
    daemon = start()
    begun = time.monotonic()
    with daemon.smtp() as client:
        for n in range(50):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
            wait_until(lambda: len(sink.messages) == n + 1, "the message")
    # Fifty delays of a second, if something polled; fifty times a few milliseconds, else.
    assert time.monotonic() - begun < 25
    assert len(sink.sessions) == 1


def test_a_failing_provider_is_passed_over_for_the_next(start, sink):
    with Smarthost(faults=[Fault("CONNECT", "554 5.3.2 not today", close="after")]) as broken:
        daemon = start(extra=f'provider "broken" {{ url = "smtp+notls://127.0.0.1:{broken.port}" }}\n'
                             'route "all" { via = { "broken", "sink" } }')
        with daemon.smtp() as client:
            for n in range(20):
                client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
        wait_until(lambda: len(sink.messages) == 20, "all of them")
        daemon.drained()
        assert broken.messages == []


def test_routes_part_the_recipients_of_a_message(start, sink):
    with Smarthost() as other:
        daemon = start(extra=f'provider "other" {{ url = "smtp+notls://127.0.0.1:{other.port}" }}\n'
                             'route "o" { recipient = { "*@other.test" } via = { "other" } }\n'
                             'route "d" { recipient = { "gone@*" } via = { "discard" } }\n'
                             'route "all" { via = { "sink" } }')
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@example.org", "c@Other.Test", "gone@example.org"],
                            "Subject: parted\r\n\r\nhi\r\n")
        wait_until(lambda: sink.messages and other.messages, "both")
        daemon.drained()
        assert sink.messages[0].recipients == ["b@example.org"]
        assert other.messages[0].recipients == ["c@Other.Test"]


def test_eight_bit_mail_is_not_forced_on_a_host_that_takes_seven(start, sink):
    sink.extensions = ("PIPELINING", "ENHANCEDSTATUSCODES")
    daemon = start()
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\n\u00e9\r\n".encode())
        client.sendmail("a@example.com", ["c@example.org"], "Subject: x\r\n\r\nseven\r\n")
    wait_until(lambda: len(sink.messages) == 2, "the plain one and the bounce")
    assert sorted(m.recipients[0] for m in sink.messages) == ["a@example.com", "c@example.org"]
    assert all(max(m.content) < 128 for m in sink.messages)


def test_a_host_of_the_last_century_gets_its_mail(start, sink):
    """Neither EHLO nor any extension."""
    sink.extensions = ()
    sink.faults = [Fault("EHLO", "500 5.5.1 what?")]
    daemon = start()
    with daemon.smtp() as client:
        for n in range(10):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
    wait_until(lambda: len(sink.messages) == 10, "all of them")
    assert {message.sender_parameters for message in sink.messages} == {""}


def test_what_was_accepted_survives_a_restart(build, tmp_path, sink):
    sink.stop()
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        with daemon.smtp() as client:
            for n in range(5):
                client.sendmail("a@example.com", [f"b{n}@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
        daemon.restart()
        sink.start()
        wait_until(lambda: len(sink.messages) == 5, "all five")
