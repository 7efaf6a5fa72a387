# SPDX-License-Identifier: ISC
"""TLS and logins towards a smarthost: what is verified, and what is never said to whom."""

import base64
import os
import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

from penstock import wait_until
from postfix import Postfix, free_port
from smarthost import Fault, Smarthost

USER, PASSWORD = "user@example.com", "canary-Zq7 \"\\ pass"
CODED = [PASSWORD, base64.b64encode(PASSWORD.encode()).decode(),
         base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()]
BAD_CERTIFICATES = ["wrong-name", "unknown-ca", "expired", "self-signed"]


@pytest.fixture
def smarthost(certificates):
    """smarthost("good", ...): one with this certificate, and a login unless told otherwise."""
    hosts = []

    def smarthost(name="good", **options):
        options.setdefault("users", {USER: PASSWORD})
        hosts.append(Smarthost(certificate=certificates / f"{name}.pem",
                               key=certificates / f"{name}.key", **options))
        hosts[-1].start()
        return hosts[-1]

    yield smarthost
    for host in hosts:
        host.stop()


@pytest.fixture
def relay(start, certificates, tmp_path):
    """relay(port): a daemon that logs in there, and trusts the test CA."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")

    def relay(port, scheme="smtp", login=True, host="localhost", extra="", **options):
        config = (f'hostname = "relay.test"\nspool {{ path = "{tmp_path}/spool" }}\n'
                  f'control {{ socket = "{tmp_path}/control.sock" }}\nlisten "127.0.0.1:0" {{ }}\n'
                  f'provider "sink" {{ url = "{scheme}://{host}:{port}"\n'
                  f'tls-ca = "{certificates}/ca.pem"\n')
        if login:
            config += f'login = "{USER}"  password-file = "{password}"\n'
        return start(config=config + extra + " }\n", **options)
    return relay


def send(daemon, count=1):
    with daemon.smtp() as client:
        for n in range(count):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")


def provider(daemon):
    return daemon.cli_json("status")["providers"][0]


def is_kept(daemon, host, *verbs):
    """The message waits, the status says why (returned), and none of the verbs was on the wire."""
    wait_until(lambda: provider(daemon)["state"] == "set-aside", "the provider is set aside")
    assert daemon.waiting() == 1
    assert host.messages == []
    for session in host.sessions:
        assert not set(verbs) & set(session.verbs())
        assert not any(word.encode() in line for line, _ in session.heard for word in CODED)
    return provider(daemon)["why"]


# ---- arriving -------------------------------------------------------------------------


@pytest.mark.threads
@pytest.mark.parametrize("mechanisms", [("PLAIN", "LOGIN"), ("PLAIN",), ("LOGIN",), ("X", "LOGIN")])
def test_mail_arrives_over_tls_and_logged_in_on_one_connection(relay, smarthost, mechanisms):
    host = smarthost(mechanisms=mechanisms)
    daemon = relay(host.port, extra="connections = 1")
    send(daemon, 30)
    wait_until(lambda: len(host.messages) == 30, "thirty messages")
    assert len(host.sessions) == 1
    assert {(message.tls, message.login) for message in host.messages} == {("TLSv1.3", USER)}
    assert {line.split(b" ")[0] for line in host.sessions[0].in_clear()} == {b"EHLO", b"STARTTLS"}
    daemon.drained()


def test_implicit_tls_with_a_login(relay, smarthost):
    host = smarthost(implicit=True)
    daemon = relay(host.port, scheme="smtps")
    send(daemon, 5)
    wait_until(lambda: len(host.messages) == 5, "five messages")
    assert all(session.in_clear() == [] for session in host.sessions)
    assert {message.login for message in host.messages} == {USER}


def test_a_login_in_the_url(relay, smarthost, tmp_path):
    host = smarthost(users={"user@example.com": PASSWORD})
    daemon = relay(host.port, login=False, host="user%40example.com@localhost",
                   extra=f'password-file = "{tmp_path}/password"')
    send(daemon)
    wait_until(lambda: host.messages, "the message")
    assert host.messages[0].login == "user@example.com"


def test_an_address_can_be_verified_too(relay, smarthost):
    host = smarthost()
    daemon = relay(host.port, host="127.0.0.1")
    send(daemon)
    wait_until(lambda: host.messages, "the message")


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_the_host_is_named_in_the_handshake(relay, smarthost, implicit):
    host = smarthost(implicit=implicit)
    named = []
    host.context.sni_callback = lambda connection, name, context: named.append(name)
    daemon = relay(host.port, scheme="smtps" if implicit else "smtp")
    send(daemon)
    wait_until(lambda: host.messages, "the message")
    assert named == ["localhost"]


@pytest.mark.root
def test_a_real_postfix_takes_it_over_reused_tls(relay, peers, certificates):
    with Postfix(peers, certificate=certificates / "good.pem", key=certificates / "good.key",
                 settings={"smtpd_tls_security_level": "encrypt"}) as postfix:
        daemon = relay(postfix.port, scheme="smtp+tls", login=False)
        send(daemon, 200)
        wait_until(lambda: postfix.log().count("status=sent") == 200, "two hundred delivered")
        daemon.drained()
        daemon.stop()   # Postfix logs a connection when it ends
        wait_until(lambda: "disconnect from" in postfix.log(), "a connection has ended")
        ended = [line for line in postfix.log().splitlines()
                 if "disconnect from" in line and " mail=" in line]
        assert 1 <= len(ended) <= 12
        assert all(" starttls=1 " in line for line in ended)


class Heard:
    """What an aiosmtpd got, and as whom."""

    def __init__(self):
        self.messages = []
        self.connections = set()

    async def handle_DATA(self, server, session, envelope):
        self.connections.add(session.peer)
        self.messages.append((session.auth_data, session.ssl is not None, envelope.content))
        return "250 2.0.0 ok"


def test_an_aiosmtpd_takes_it_over_tls_and_logged_in(relay, certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")

    def check(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False, auth_data=mechanism)

    heard = Heard()

    class Secure(Controller):
        def factory(self):
            return SMTP(heard, tls_context=context, require_starttls=True, auth_required=True,
                        authenticator=check, hostname="aio.test")

    controller = Secure(heard, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        daemon = relay(controller.port, extra="connections = 2")
        send(daemon, 20)
        wait_until(lambda: len(heard.messages) == 20, "twenty messages")
        daemon.drained()
        assert {(how, secure) for how, secure, _ in heard.messages} == {("PLAIN", True)}
        assert len(heard.connections) <= 2
    finally:
        controller.stop()


# ---- not arriving -----------------------------------------------------------------------


@pytest.mark.threads
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_nothing_is_said_behind_a_bad_certificate(relay, smarthost, name, implicit):
    host = smarthost(name, implicit=implicit)
    daemon = relay(host.port, scheme="smtps" if implicit else "smtp")
    send(daemon)
    why = is_kept(daemon, host, "AUTH", "MAIL")
    said = {"wrong-name": "wrong.example.net", "expired": "expired", "unknown-ca": "unknown authority",
            "self-signed": "self-signed"}[name]
    assert said in why


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_without_a_login_a_bad_certificate_is_no_better(relay, smarthost, name):
    host = smarthost(name, users=None)
    daemon = relay(host.port, scheme="smtp+tls", login=False)
    send(daemon)
    is_kept(daemon, host, "MAIL")


def test_what_waited_leaves_when_the_certificate_is_mended(relay, smarthost, certificates):
    host = smarthost("expired")
    daemon = relay(host.port)
    send(daemon)
    is_kept(daemon, host, "AUTH", "MAIL")
    host.context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    wait_until(lambda: host.messages, "the message")
    assert host.messages[0].login == USER


def test_no_login_when_starttls_is_stripped(relay, smarthost):
    host = smarthost(starttls=False, auth_in_clear=True)
    daemon = relay(host.port)
    send(daemon)
    assert "STARTTLS" in is_kept(daemon, host, "AUTH", "MAIL")


def test_no_login_when_starttls_is_answered_with_an_error(relay, smarthost):
    host = smarthost(auth_in_clear=True, faults=[Fault("STARTTLS", "454 4.7.0 not now")])
    daemon = relay(host.port)
    send(daemon)
    is_kept(daemon, host, "AUTH", "MAIL")


def test_what_stands_in_clear_behind_starttls_is_not_believed(relay, smarthost):
    """CVE-2011-0411, the other way round: replies that an attacker put behind the 220."""
    surplus = b"250-evil.test\r\n250 AUTH PLAIN\r\n235 2.7.0 welcome\r\n"
    host = smarthost(faults=[Fault("STARTTLS", surplus=surplus)])
    daemon = relay(host.port)
    send(daemon)
    is_kept(daemon, host, "AUTH", "MAIL")


def test_a_wrong_password_keeps_the_mail_and_is_told(relay, smarthost):
    host = smarthost(users={USER: "another"})
    daemon = relay(host.port)
    send(daemon)
    wait_until(lambda: provider(daemon)["state"] == "set-aside", "the provider is set aside")
    assert "535 5.7.8" in provider(daemon)["why"]
    assert daemon.waiting() == 1 and "MAIL" not in host.sessions[0].verbs()


# ---- secrets -----------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [
    [],
    [Fault("AUTH", f"535 5.7.8 {PASSWORD} is wrong")],
    [Fault("AUTH", "535 5.7.8 " + base64.b64encode(PASSWORD.encode()).decode())],
], ids=["accepted", "repeated", "repeated in base64"])
def test_the_password_is_nowhere(relay, smarthost, tmp_path, faults):
    host = smarthost(mechanisms=("LOGIN",) if faults else ("PLAIN", "LOGIN"), faults=faults)
    daemon = relay(host.port, options=["-v"])
    send(daemon)
    if faults:
        wait_until(lambda: provider(daemon)["state"] == "set-aside", "the provider is set aside")
    else:
        wait_until(lambda: host.messages, "the message")
    shown = [daemon.cli("status").stdout, daemon.cli("status", "--json").stdout,
             daemon.cli("queue", "--json").stdout]
    daemon.stop()
    shown += [daemon.log().encode(), "\n".join(daemon.output).encode()]
    for name in os.listdir(tmp_path / "spool"):
        shown.append((tmp_path / "spool" / name).read_bytes())
    assert b"connection says" in shown[3]   # it was verbose
    for text in shown:
        assert not any(word.encode() in text for word in CODED)
