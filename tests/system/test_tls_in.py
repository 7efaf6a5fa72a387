# SPDX-License-Identifier: ISC
"""TLS of listeners: STARTTLS and implicit, the inbox's own certificate, what clear text may not do."""

import re
import shutil
import signal
import smtplib
import socket
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


def s_client(port, certificates, *options, text=b"QUIT\n"):
    """openssl's words, on both its outputs."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "smtp", "-crlf",
         "-CAfile", certificates / "ca.pem", *options],
        input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    return done.stdout.decode(errors="replace")


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA",
                                     "ECDHE-ECDSA-AES256-SHA384", "aNULL", "NULL", "DHE",
                                     "CAMELLIA", "ARIA"])
def test_weak_ciphers_are_refused(start, listener, certificates, ciphers):
    """No RSA key exchange, no CBC, nothing anonymous (testssl's list of vulnerabilities)."""
    daemon = start(listen=listener("starttls"))
    said = s_client(daemon.port, certificates, "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in said and "alert handshake failure" in said, said


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                    "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_good_ciphers_are_taken(start, listener, certificates, cipher):
    daemon = start(listen=listener("starttls"))
    said = s_client(daemon.port, certificates, "-tls1_2", "-cipher", cipher)
    assert f"Cipher is {cipher}" in said and "Verify return code: 0" in said, said
    assert "Compression: NONE" in said
    assert "Secure Renegotiation IS supported" in said
    assert "Extended master secret: yes" in said


def test_renegotiation_is_refused(start, listener, certificates):
    """-crlf off and a line "R": s_client asks for a new handshake."""
    daemon = start(listen=listener("starttls"))
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", "-starttls", "smtp",
         "-tls1_2", "-CAfile", certificates / "ca.pem"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = b""
    while b"Extended master secret" not in said:    # the handshake is over
        said += process.stdout.readline()
    process.stdin.write(b"R\n")
    process.stdin.flush()
    said += process.communicate(timeout=30)[0]
    assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said
    with Wire(daemon.port) as wire:     # the daemon is well
        wire.greet()


def session(port, kept, reuse=None, host="127.0.0.1"):
    """A TLS 1.3 session of that listener, after it has said whether `reuse` was resumed."""
    context = kept
    with Wire(port, host=host) as wire:
        wire.greet()
        assert wire.say("STARTTLS").startswith("220")
        wire.socket = context.wrap_socket(wire.socket, session=reuse)
        wire.lines = wire.socket.makefile("rb")
        assert wire.say("EHLO client.test").startswith("250")   # the ticket came before it
        return wire.socket.session, wire.socket.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_resumes_on_its_own_listener_only(start, listener, version):
    """Both have the same certificate; Postfix of 2026-08 had to learn it, too."""
    daemon = start(listen=listener("starttls"),
                   extra=f'listen "localhost:0" {{ {listener("starttls")} }}')
    one, other = [int(port) for port in
                  re.findall(r"listening on=(?!unix)\S+ port=(\d+)", daemon.log())]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    hosts = socket.getaddrinfo("localhost", None)[0][4][0]
    first, reused = session(one, context)
    assert not reused
    assert session(one, context, first)[1]
    first, _ = session(one, context)
    assert not session(other, context, first, host=hosts)[1]


def presented(port):
    """The names of the certificate that a new connection gets."""
    with Wire(port) as wire:
        wire.greet()
        assert wire.say("STARTTLS").startswith("220")
        wire.start_tls()
        return hash(wire.socket.getpeercert(binary_form=True))


@pytest.mark.threads
def test_a_renewed_certificate_is_used_after_sighup(start, certificates, tmp_path):
    for end in "pem", "key":
        shutil.copy(certificates / f"good.{end}", tmp_path / f"live.{end}")
    daemon = start(listen=f'certificate = "{tmp_path}/live.pem"  key = "{tmp_path}/live.key"')
    before = presented(daemon.port)
    with Wire(daemon.port) as old:
        old.greet()
        old.say("STARTTLS")
        old.start_tls()
        shutil.copy(certificates / "expired.pem", tmp_path / "live.pem")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.has_line(r"reloaded certificates=0"), "the refusal")
        assert daemon.has_line(r"certificate not reloaded listener=127\.0\.0\.1:0 reason=.*live.key.*"
                               "belongs to another certificate.*the old one stays")
        assert presented(daemon.port) == before
        shutil.copy(certificates / "expired.key", tmp_path / "live.key")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.has_line(r"reloaded certificates=1"), "the reload")
        assert presented(daemon.port) != before
        assert old.say("EHLO client.test").startswith("250")    # goes on
        assert old.mail().startswith("250")


def test_a_key_of_another_certificate_is_a_clear_error(start, certificates):
    with pytest.raises(AssertionError, match="good.key.*belongs to another certificate"):
        start(listen=f'certificate = "{certificates}/expired.pem"  key = "{certificates}/good.key"')


def test_the_chain_is_sent(start, certificates, tmp_path):
    """A client that trusts only the root gets what lies between from the server."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    extensions = tmp_path / "extensions"
    extensions.write_text("basicConstraints = CA:TRUE\n")
    for name, issuer, more in (("root", None, ()), ("middle", "root", ("-extfile", extensions)),
                               ("leaf", "middle", ())):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", f"{name}.key")
        if issuer is None:
            openssl("req", "-x509", "-new", "-key", f"{name}.key", "-out", f"{name}.pem",
                    "-subj", f"/CN={name}")
        else:
            openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr",
                    "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem",
                    "-CAkey", f"{issuer}.key", "-CAcreateserial", "-out", f"{name}.pem", *more)
    chain = tmp_path / "chain.pem"
    chain.write_bytes((tmp_path / "leaf.pem").read_bytes() + (tmp_path / "middle.pem").read_bytes())
    daemon = start(listen=f'certificate = "{chain}"  key = "{tmp_path}/leaf.key"')
    said = s_client(daemon.port, tmp_path, "-CAfile", tmp_path / "root.pem")
    assert "Verify return code: 0" in said, said


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
