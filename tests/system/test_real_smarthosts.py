# SPDX-License-Identifier: ISC
"""Real mail servers as smarthosts: much mail over verified TLS, logged in, on few connections, with
what each of them refuses; what arrives is compared octet by octet."""

import random
import re
from collections import Counter

import pytest

from exim import Exim
from opensmtpd import OpenSmtpd
from penstock import wait_until
from postfix import Postfix
from smarthost import Smarthost

USER, PASSWORD = "canary", "s3cret"
PATIENCE = 60


@pytest.fixture
def relay(start, certificates, tmp_path):
    """relay(port, extra): a daemon that trusts the test CA and logs in there."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")

    def relay(port, extra="", login=True, scheme="smtp+tls"):
        if login:
            extra += f'\nlogin = "{USER}"  password-file = "{password}"'
        return start(config=f"""
            hostname = "relay.test"
            spool {{ path = "{tmp_path}/spool" }}
            control {{ socket = "{tmp_path}/control.sock" }}
            listen "127.0.0.1:0" {{ }}
            provider "host" {{
                url = "{scheme}://localhost:{port}"  tls-ca = "{certificates}/ca.pem"
                {extra}
            }}
            route "all" {{ recipient = {{ "*" }}  via = {{ "host" }}  retry = {{ "1s" }} }}
            """)
    return relay


@pytest.fixture
def exim(peers, certificates):
    """exim(...): a running Exim with TLS and a login."""
    running = []

    def exim(**options):
        running.append(Exim(peers, certificates / "good.pem", certificates / "good.key",
                            (USER, PASSWORD), **options))
        return running[-1].__enter__()
    yield exim
    for host in running:
        host.__exit__()


def bodies(count):
    """Bodies that a relay could spoil: dots, long lines, octets above 127, empty lines, no text."""
    chance = random.Random(7)
    kinds = [b".\r\n..\r\n...\r\n.x\r\n", b"x" * 998 + b"\r\n", "gr\xfc\xdfe\r\n".encode(), b"\r\n\r\n",
             b"", b"From here\r\n>From there\r\n", b" \r\n\t\r\n. \r\n", bytes(range(128, 256)) + b"\r\n"]
    for n in range(count):
        some = chance.choices(kinds, k=chance.randrange(6))
        if n % 50 == 0:
            some.append((b"y" * 76 + b"\r\n") * 2000)
        yield b"".join(some)


def send(daemon, count, recipient=lambda n: "b@example.org"):
    """Returns the messages, with CRLF."""
    messages = []
    with daemon.smtp() as client:
        client.ehlo()
        for n, body in enumerate(bodies(count)):
            message = (f"From: a@example.com\r\nTo: b@example.org\r\nSubject: number {n}\r\n"
                       f"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <{n}@example.com>\r\n"
                       "\r\n").encode() + body
            # Not sendmail(): it would change line ends, and stuff dots in its own way.
            client.putcmd("MAIL FROM:<a@example.com> BODY=8BITMIME")
            client.putcmd(f"RCPT TO:<{recipient(n)}>")
            client.putcmd("DATA")
            codes = [client.getreply()[0] for _ in range(3)]
            assert codes == [250, 250, 354]
            client.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
            assert client.getreply()[0] == 250
            messages.append(message)
    return messages


def without_trace(message):
    """Without the trace fields in front, which each host adds; with LF."""
    message = message.replace(b"\r\n", b"\n")
    return message[message.index(b"From: a@example.com\n"):]


def same(arrived, sent):
    """Each once, and unchanged."""
    assert Counter(map(without_trace, arrived)) == Counter(map(without_trace, sent))


# ---- Exim -------------------------------------------------------------------------------


@pytest.mark.mounts
@pytest.mark.parametrize("chunking, mechanism, count", [
    ("*", "PLAIN", 1000), ("", "LOGIN", 200), ("*", "CRAM-MD5", 50)])
def test_exim_gets_each_message_once_and_unchanged(exim, relay, chunking, mechanism, count):
    host = exim(mechanisms=[mechanism], settings={
        "chunking_advertise_hosts": chunking, "smtp_accept_max_per_connection": 10000})
    daemon = relay(host.port, f'connections = 4  auth = "{mechanism.lower()}"')
    sent = send(daemon, count)
    daemon.drained(PATIENCE)
    arrivals = host.arrivals()
    same(host.messages(), sent)
    assert len(arrivals) == count
    by_whom = {"PLAIN": "plain", "LOGIN": "login", "CRAM-MD5": "cram"}[mechanism]
    assert all(" X=TLS1.3:" in line and f" A={by_whom}:{USER} " in line for line in arrivals)
    assert {" K " in line for line in arrivals} == {chunking == "*"}
    assert all(" L. " in line for line in arrivals)   # "L-": it was not pipelined
    assert host.connections() <= 4 + count // 100
    assert "synchronization error" not in host.log() and " rejected " not in host.log()


@pytest.mark.mounts
def test_exim_refuses_some_recipients_and_all_content_for_a_while(exim, relay):
    host = exim(mechanisms=["PLAIN"])
    daemon = relay(host.port, "connections = 2")
    host.close()
    sent = send(daemon, 100, lambda n: "nobody@example.org" if n % 10 == 3 else "b@example.org")
    wait_until(lambda: host.log().count("temporarily rejected") >= 90, "all content was deferred")
    assert host.messages() == []
    host.open()
    daemon.drained(PATIENCE)
    bounces = [message for message in host.messages() if b"multipart/report" in message]
    same([message for message in host.messages() if message not in bounces],
         [message for n, message in enumerate(sent) if n % 10 != 3])
    assert len(bounces) == 10
    assert all(b"5.1.1 nobody here" in bounce for bounce in bounces)


@pytest.mark.mounts
def test_exim_takes_few_messages_per_connection(exim, relay):
    """It answers the MAIL of one too many with 421, and closes: ordinary, nobody's fault."""
    host = exim(mechanisms=["PLAIN"], settings={"smtp_accept_max_per_connection": 7})
    daemon = relay(host.port, "connections = 2")
    sent = send(daemon, 200)
    daemon.drained(PATIENCE)
    same(host.messages(), sent)
    ended = [line for line in daemon.lines if 'reason="421 too many messages' in line]
    assert 1 <= len(ended) <= 4     # then it was learnt how many
    assert 200 // 7 <= host.connections() <= 45
    assert daemon.cli_json("status")["providers"][0]["state"] == "ok"


@pytest.mark.long
@pytest.mark.mounts
def test_exim_is_killed_again_and_again(exim, relay):
    """What it had taken by then may come twice: the answer to it was lost. Nothing is lost."""
    host = exim(mechanisms=["PLAIN"])
    daemon = relay(host.port, "connections = 4")
    host.close()
    sent = send(daemon, 400)
    host.open()
    for taken in [30, 150, 260]:
        wait_until(lambda: len(host.arrivals()) >= taken, f"{taken} arrived")
        host.kill()
        host.start()
    daemon.drained(PATIENCE)
    arrived = Counter(map(without_trace, host.messages()))
    assert set(arrived) == set(map(without_trace, sent))


# ---- OpenSMTPD --------------------------------------------------------------------------


@pytest.mark.mounts
def test_opensmtpd_gets_each_message_once_and_unchanged(peers, relay):
    """It knows neither PIPELINING nor CHUNKING; one step waits for the other."""
    with OpenSmtpd(peers) as host:
        daemon = relay(host.port, "connections = 4", login=False, scheme="smtp+notls")
        sent = send(daemon, 200, lambda n: "nobody@example.org" if n % 10 == 3 else "b@example.org")
        daemon.drained(PATIENCE)
        # The bounces are mail to a@example.com.
        wait_until(lambda: len(host.messages()) == 200, "all is delivered")
        bounces = [message for message in host.messages() if b"multipart/report" in message]
        same([message for message in host.messages() if message not in bounces],
             [message for n, message in enumerate(sent) if n % 10 != 3])
        assert len(bounces) == 20 and host.accepted() == 200
        assert all(b"Invalid recipient: <nobody@example.org>" in bounce for bounce in bounces)
        assert host.connections() <= 4 + 220 // 100


# ---- Postfix ----------------------------------------------------------------------------


@pytest.mark.root
def test_postfix_gets_each_message_once_and_unchanged(peers, certificates, relay):
    with Smarthost() as behind, \
            Postfix(peers, relayhost=behind.port, certificate=certificates / "good.pem",
                    key=certificates / "good.key", settings={
                        "smtpd_tls_security_level": "encrypt",
                        "smtpd_forbid_unauth_pipelining": "yes"}) as postfix:
        daemon = relay(postfix.port, "connections = 4", login=False)
        sent = send(daemon, 1000)
        daemon.drained(PATIENCE)
        behind.wait(lambda: len(behind.messages) == 1000, "Postfix has passed on all")
        same([message.content for message in behind.messages], sent)
        assert "improper command pipelining" not in postfix.log()
        daemon.stop()   # Postfix logs a connection when it ends
        wait_until(lambda: postfix.log().count("disconnect from") ==
                   postfix.log().count(": connect from"), "all connections have ended")
        ended = [line for line in postfix.log().splitlines()
                 if "disconnect from" in line and " mail=" in line]
        assert len(ended) <= 4 + 1000 // 100
        assert all(" starttls=1 " in line for line in ended)
        assert sum(int(re.search(r" mail=(\d+)", line)[1]) for line in ended) == 1000
