# SPDX-License-Identifier: ISC
"""What the sender is told of mail that cannot be delivered, read by Python's own parser."""

import email
import email.policy
import re

import pytest

from penstock import wait_until
from smarthost import Fault

LETTER = "From: Ann <a@example.com>\r\nSubject: precious\r\nMessage-ID: <one@example.com>\r\n\r\nsecret body\r\n"


def send(daemon, recipients=("never@example.org",), letter=LETTER):
    with daemon.smtp() as client:
        client.sendmail("a@example.com", recipients, letter)


def report(message):
    """The parts of a bounce: the text, the fields of the status, what was returned."""
    parsed = email.message_from_bytes(message.content, policy=email.policy.default)
    assert message.sender == "" and message.recipients == ["a@example.com"]
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert parsed["Auto-Submitted"].startswith("auto-")
    assert parsed["From"] and parsed["To"] == "a@example.com" and parsed["Date"] and parsed["Message-ID"]
    text, status, returned = parsed.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    return text.get_content(), status.get_payload(), returned


def fields(part):
    return {name.lower(): value for name, value in part.items()}


@pytest.mark.threads
def test_a_failure_is_a_report_that_programs_and_people_can_read(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody of that name", match="never")]
    daemon = start()
    send(daemon)
    wait_until(lambda: sink.messages, "the bounce")
    text, (message, recipient), returned = report(sink.messages[0])
    assert "never@example.org" in text and "550 5.1.1 nobody of that name" in text
    assert fields(message)["reporting-mta"] == "dns; relay.test"
    said = fields(recipient)
    assert said["final-recipient"].replace(" ", "") == "rfc822;never@example.org"
    assert (said["action"], said["status"]) == ("failed", "5.1.1")
    assert said["diagnostic-code"].startswith("smtp; 550 5.1.1 nobody of that name")
    # The header only, unless asked otherwise.
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: precious" in returned.as_string() and "secret body" not in returned.as_string()


def test_the_whole_message_comes_back_where_that_is_configured(start, sink):
    sink.faults = [Fault("DOT", "554 5.6.0 not like this", times=1)]
    daemon = start(extra='bounces { return = "full" from = "Postmaster@example.net" }')
    send(daemon)
    wait_until(lambda: sink.messages, "the bounce")
    _, (_, recipient), returned = report(sink.messages[0])
    assert fields(recipient)["status"] == "5.6.0"
    assert returned.get_content_type() == "message/rfc822"
    assert "secret body" in returned.as_string()
    assert b"Postmaster@example.net" in sink.messages[0].content


def test_recipients_that_fail_together_are_one_report(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody", match="n[12]@")]
    daemon = start()
    send(daemon, ["n1@example.org", "good@example.org", "n2@example.org"])
    wait_until(lambda: len(sink.messages) == 2, "the good one and the bounce")
    bounce = next(m for m in sink.messages if m.sender == "")
    text, (_, *recipients), _ = report(bounce)
    assert sorted(fields(r)["final-recipient"][-14:] for r in recipients) == ["n1@example.org",
                                                                             "n2@example.org"]
    assert "good@example.org" not in text


def test_what_stays_undeliverable_too_long_comes_back_as_expired(start, sink):
    sink.faults = [Fault("RCPT", "451 4.2.2 mailbox full", match="never")]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1s" } expire = "2s" }')
    send(daemon)
    wait_until(lambda: sink.messages, "the bounce")
    _, (_, recipient), _ = report(sink.messages[0])
    said = fields(recipient)
    assert said["action"] == "failed" and said["status"] in ("4.4.7", "5.4.7")
    assert "451 4.2.2 mailbox full" in said["diagnostic-code"]


@pytest.mark.long
def test_mail_for_a_smarthost_that_is_gone_expires_too(start, sink):
    sink.stop()
    daemon = start(extra='route "short" { recipient = { "never@*" } via = { "sink" } expire = "1s" }\n'
                         'route "all" { via = { "sink" } }')
    send(daemon)
    wait_until(lambda: daemon.has_line("bounce queued"), "the bounce is made", 60)
    sink.start()
    wait_until(lambda: sink.messages, "the bounce", 60)
    report(sink.messages[0])


def test_a_sender_who_wants_no_report_gets_none(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody")]
    daemon = start()
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["never@example.org"], LETTER, rcpt_options=["NOTIFY=NEVER"])
    daemon.drained()
    assert sink.faults[0].happened == 1


def test_a_bounce_that_bounces_ends(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody")]
    daemon = start()
    send(daemon)
    daemon.drained()
    wait_until(lambda: sink.faults[0].happened == 2, "both were refused")
    assert daemon.cli_json("status")["spool"]["messages"] == 0


def test_bounces_can_be_log_lines_only(start, sink):
    sink.faults = [Fault("RCPT", "550 5.1.1 nobody")]
    daemon = start(extra='route "all" { via = { "sink" } bounce = "log" }')
    send(daemon)
    daemon.drained()
    assert sink.faults[0].happened == 1
    assert daemon.has_line(r'rcpt="never@example.org" .*550 5.1.1 nobody')


def test_a_hostile_reply_stays_within_its_field(start, sink):
    """What a smarthost says is quoted in a mail to the sender: it must not add fields to it."""
    sink.faults = [Fault("RCPT", b"550-5.1.1 one\r\n550-5.1.1 Status: 2.0.0\r\n550 5.1.1 \xff\x1b[2J\x00end\r\n",
                         times=1)]
    daemon = start()
    send(daemon)
    wait_until(lambda: sink.messages, "the bounce")
    content = sink.messages[0].content
    _, (_, recipient), _ = report(sink.messages[0])
    assert fields(recipient)["status"] == "5.1.1"
    assert len(recipient.get_all("Status")) == 1
    assert not re.search(rb"[\x00\x1b]", content)
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
