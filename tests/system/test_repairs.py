# SPDX-License-Identifier: ISC
"""What a submission server adds to mail that lacks it (RFC 6409 8), and aliases of the host."""

import email
import email.policy
import email.utils
import re

import pytest

from penstock import wait_until
from smarthost import Fault
from wire import Wire


def submit(wire, content):
    """A whole transaction; returns the id."""
    wire.open()
    wire.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    reply = wire.reply()
    assert reply.startswith("250 2.0.0 queued as "), reply
    return reply.rsplit(" ", 1)[1]


def arrived(sink, count=1):
    wait_until(lambda: len(sink.messages) >= count, "the message")
    return sink.messages[-1]


def parse(content):
    return email.message_from_bytes(content, policy=email.policy.SMTP)


@pytest.mark.threads
def test_missing_fields_are_added_and_nothing_else_changes(start, sink):
    daemon = start()
    content = b"Subject: =?utf-8?q?one?=\r\n two\r\nX-Odd :  kept \r\n\r\n\xe4 .\r\n.dots\r\n"
    with Wire(daemon.port) as wire:
        wire.greet()
        name = submit(wire, content)
    got = arrived(sink).content
    assert got.endswith(content)
    added = got[:-len(content)]
    message = parse(got)
    assert message["From"] == "a@example.com"
    assert message["Message-ID"] == f"<{name}@relay.test>"
    assert email.utils.parsedate_to_datetime(message["Date"])
    assert re.findall(rb"^([A-Za-z-]+):", added, re.MULTILINE) == \
        [b"Received", b"Date", b"From", b"Message-ID"]


def test_added_fields_are_in_what_a_bounce_returns(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody", times=1)]
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.greet()
        name = submit(wire, b"Subject: x\r\n\r\nhi\r\n")
    returned = parse(arrived(sink).content).get_payload()[2].get_payload()
    returned = returned if isinstance(returned, str) else returned[0].as_string()
    assert f"Message-ID: <{name}@relay.test>" in returned
    assert "From: a@example.com" in returned and "Date: " in returned and "Subject: x" in returned


def test_complete_mail_gets_nothing(start, sink):
    daemon = start()
    content = b"Date: x\r\nfrom: a@b\r\nMESSAGE-ID: <y>\r\n\r\nhi\r\n"
    with Wire(daemon.port) as wire:
        wire.greet()
        submit(wire, content)
    got = arrived(sink).content
    assert got.endswith(content)
    assert b"\nDate:" not in got[:-len(content)]
    assert len(parse(got).get_all("Message-ID")) == 1


def test_switches_and_default_from(start, sink):
    daemon = start(listen='add-date = false  add-message-id = false\n'
                          'default-from = "Our host <root@example.com>"')
    with Wire(daemon.port) as wire:
        wire.greet()
        submit(wire, b"Subject: x\r\n\r\nhi\r\n")
    message = parse(arrived(sink).content)
    assert message["From"] == "Our host <root@example.com>"
    assert message["Date"] is None and message["Message-ID"] is None


def test_text_without_a_header_is_a_body(start, sink):
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.greet()
        submit(wire, b"disk full on /dev/sda1\r\n")
    message = parse(arrived(sink).content)
    assert message.get_payload() == "disk full on /dev/sda1\r\n"
    assert message["Date"] and message["From"] and message["Message-ID"]


def test_the_same_bytes_after_a_restart_and_for_each_reader(start, sink):
    daemon = start(extra='route "r" { via = { "sink" }  hold = true }')
    with Wire(daemon.port) as wire:
        wire.greet()
        name = submit(wire, b"Subject: x\r\n\r\nhi\r\n")
    before = daemon.cli("cat", name).stdout
    daemon.restart()
    assert daemon.cli("cat", name).stdout == before
    daemon.cli("release", name)
    assert arrived(sink).content == before


def test_large_streamed_mail(start, sink):
    daemon = start()
    content = b"Subject: large\r\n\r\n" + b"0123456789" * 7 + b"\r\n"
    content += (b"x" * 76 + b"\r\n") * 50000
    with Wire(daemon.port) as wire:
        wire.greet()
        submit(wire, content)
    got = arrived(sink).content
    assert got.endswith(content)
    assert parse(got[:2000])["Message-ID"]


def test_the_inbox_shows_what_was_sent(catch):
    daemon = catch("--print=full")
    with Wire(daemon.port) as wire:
        wire.greet()
        submit(wire, b"Subject: bare\r\n\r\nhi\r\n")
    wait_until(lambda: "hi" in daemon.output, "the message is printed")
    assert not any(line.startswith(("Message-ID:", "Date:")) for line in daemon.output)


def test_aliases_take_the_mail_of_bare_names(start, sink):
    daemon = start(extra='alias "root" { to = { "ops@example.com", "two@example.com" } }')
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open("root", "Root@relay.test", "two@example.com", "root@example.org",
                  sender="cron")
        wire.send("Subject: cron\r\n\r\nhi\r\n.\r\n")
        assert wire.reply().startswith("250")
    got = arrived(sink)
    assert got.sender == "cron@relay.test"
    assert sorted(got.recipients) == ["ops@example.com", "root@example.org", "two@example.com"]


def test_bounces_to_bare_names_go_where_the_alias_says(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody", match="never")]
    daemon = start(extra='alias "cron" { to = { "ops@example.com", "two@example.com" } }')
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open("never@example.org", sender="cron")
        wire.send("Subject: cron\r\n\r\nhi\r\n.\r\n")
        assert wire.reply().startswith("250")
    got = arrived(sink)
    assert (got.sender, sorted(got.recipients)) == ("", ["ops@example.com", "two@example.com"])


def test_bare_names_can_be_refused(start):
    daemon = start(listen="qualify = false")
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("MAIL FROM:<cron>").startswith("553 5.1.7")
        assert wire.say("MAIL FROM:<a@example.com>").startswith("250")
        assert wire.say("RCPT TO:<root>").startswith("553 5.1.3")
