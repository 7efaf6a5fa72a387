# SPDX-License-Identifier: ISC
"""TLS of listeners: STARTTLS and implicit, the inbox's own certificate, what clear text may not do."""

import re
import smtplib
import ssl
import subprocess

import pytest

from penstock import wait_until
from wire import Wire


@pytest.fixture
def listener(certificates):
    return (f'certificate = "{certificates}/good.pem"  key = "{certificates}/good.key"  '
            'tls = "{}"').format


@pytest.fixture
def trusting(certificates):
    """Trusts the test CA and checks names."""
    return ssl.create_default_context(cafile=certificates / "ca.pem")


def ports(daemon):
    return [int(port) for port in re.findall(r"listening on=127\S+ port=(\d+)", daemon.log())]


@pytest.mark.threads
def test_a_client_that_verifies_sends_after_starttls(start, sink, listener, trusting):
    daemon = start(listen=listener("starttls"))
    with smtplib.SMTP("localhost", daemon.port, local_hostname="client.test") as client:
        client.starttls(context=trusting)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@example.com", ["b@example.org"], "Subject: tls\r\n\r\nhi\r\n")
    wait_until(lambda: sink.messages, "the message")
    trace = sink.messages[0].content.partition(b"Subject:")[0]
    assert b" with ESMTPS " in trace.replace(b"\r\n", b"") and b"TLSv1.3" in trace


def test_mail_without_tls_is_taken_where_tls_is_offered_only(start, sink, listener):
    daemon = start(listen=listener("starttls"))
    with Wire(daemon.port) as wire:
        assert "250-STARTTLS" in wire.greet()
        assert wire.mail().startswith("250")
    wait_until(lambda: sink.messages, "the message")


def test_mail_without_tls_is_refused_where_tls_is_required(start, listener):
    daemon = start(listen=listener("required"))
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("MAIL FROM:<a@example.com>").startswith("530 5.7.0")
        assert wire.say("STARTTLS").startswith("220")
        wire.start_tls()
        assert wire.say("EHLO client.test").startswith("250")
        assert wire.mail().startswith("250")


def test_implicit_tls_is_tls_from_the_first_octet(start, sink, listener, trusting):
    daemon = start(listen=listener("implicit"))
    with smtplib.SMTP_SSL("localhost", daemon.port, local_hostname="client.test",
                          context=trusting) as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: tls\r\n\r\nhi\r\n")
    wait_until(lambda: sink.messages, "the message")


def test_openssl_talks_to_it(start, listener, certificates):
    daemon = start(listen=listener("starttls"))
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", "-starttls", "smtp",
         "-crlf", "-quiet", "-verify_return_error", "-verify_hostname", "localhost",
         "-CAfile", certificates / "ca.pem"],
        input=b"NOOP\nQUIT\n", capture_output=True, timeout=30)
    assert b"250 2.0.0 Ok" in done.stdout and b"221 2.0.0" in done.stdout, done


def test_what_came_in_clear_behind_starttls_is_never_executed(start, sink, listener):
    """CVE-2011-0411: commands in the same packet as STARTTLS."""
    daemon = start(listen=listener("starttls"))
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.send("STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@example.com>\r\n"
                  "RCPT TO:<c@example.org>\r\n")
        assert wire.reply().startswith("220")
        wire.start_tls()
        # One answer only, to this; and what was said before TLS is forgotten.
        assert wire.say("MAIL FROM:<a@example.com>").startswith("503 5.5.1")
        assert wire.say("EHLO client.test").startswith("250")
        assert wire.mail().startswith("250")
    wait_until(lambda: sink.messages, "the message")
    assert [message.sender for message in sink.messages] == ["a@example.com"]


def test_starttls_twice_and_with_words_is_refused(start, listener):
    daemon = start(listen=listener("starttls"))
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("STARTTLS now").startswith("501")
        assert wire.say("STARTTLS").startswith("220")
        wire.start_tls()
        wire.say("EHLO client.test")
        assert wire.say("STARTTLS").startswith("503")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(start, listener, version):
    daemon = start(listen=listener("starttls"))
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("STARTTLS").startswith("220")
        with pytest.raises(ssl.SSLError) as error:
            wire.start_tls(version)
        # The server said so; it is not our side that could not.
        assert "ALERT_PROTOCOL_VERSION" in str(error.value)


def test_tls_1_2_is_taken(start, listener):
    daemon = start(listen=listener("starttls"))
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("STARTTLS").startswith("220")
        wire.start_tls(ssl.TLSVersion.TLSv1_2)
        assert wire.say("EHLO client.test").startswith("250")


@pytest.mark.threads
def test_a_broken_handshake_ends_that_session_only(start, listener):
    daemon = start(listen=listener("implicit"))
    for octets in (b"EHLO client.test\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, b""):
        with Wire(daemon.port) as wire:
            wire.send(octets)
            if octets == b"":
                wire.vanish()
            else:
                assert b"220" not in wire.lines.read()
    with Wire(daemon.port) as wire:
        wire.start_tls()
        wire.greet()
        assert wire.mail().startswith("250")


def test_a_large_message_comes_through_tls_unchanged(start, sink, listener):
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 40_000 + b"\r\n"
    daemon = start(listen=listener("implicit"))
    with Wire(daemon.port) as wire:
        wire.start_tls()
        wire.greet()
        wire.open()
        wire.send(content + b".\r\n")
        assert wire.reply().startswith("250")
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].content.endswith(content)


@pytest.mark.threads
def test_the_inbox_makes_itself_a_certificate_and_keeps_it(catch, tmp_path):
    def fingerprint(port):
        return ssl.get_server_certificate(("127.0.0.1", port))

    daemon = catch("--smtps", "127.0.0.1:0", spool=str(tmp_path / "caught"))
    first = fingerprint(ports(daemon)[1])
    with Wire(daemon.port) as wire:
        assert "250-STARTTLS" in wire.greet()
        assert wire.say("STARTTLS").startswith("220")
        wire.start_tls()
        wire.say("EHLO client.test")
        assert wire.mail().startswith("250")
    keys = list((tmp_path / "caught").glob("*.pem"))
    assert keys and all(key.stat().st_mode & 0o77 == 0 for key in keys if "key" in key.name)
    daemon.restart()
    assert fingerprint(ports(daemon)[1]) == first
