# SPDX-License-Identifier: ISC
"""A smarthost with TLS and a login: what must never be said in clear, and what is said in the end."""

import base64

import pytest

from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost

PASSWORD = "c4nary-s3cret"

# Each happens once, in clear or in the handshake; the mail arrives in the end, inside TLS.
FAULTS = {
    "ehlo-hidden": Fault("EHLO", "500 5.5.1 what?", times=1),
    "not-offered": Fault("EHLO", ["250-smarthost.test", "250-AUTH PLAIN LOGIN", "250 PIPELINING"], times=1),
    "starttls-454": Fault("STARTTLS", "454 4.7.0 not now", times=1),
    "starttls-502": Fault("STARTTLS", "502 5.5.1 no", times=1),
    "starttls-421": Fault("STARTTLS", "421 4.3.2 busy", times=1, close="after"),
    "starttls-close": Fault("STARTTLS", times=1, close="before"),
    "starttls-injected": Fault("STARTTLS", times=1, surplus=b"250-smarthost.test\r\n250 AUTH PLAIN\r\n"),
    "starttls-injected-part": Fault("STARTTLS", times=1, surplus=b"250-SMTPUTF8 INJECTED "),
    "handshake-close": Fault("HANDSHAKE", times=1, close="before"),
    "handshake-reset": Fault("HANDSHAKE", times=1, close="reset"),
    "handshake-rubbish": Fault("HANDSHAKE", b"250 go on in clear\r\n" * 20, times=1),
    "login-454": Fault("AUTH", "454 4.7.0 later", times=1),
    "login-421": Fault("AUTH", "421 4.7.0 too many logins", times=1, close="after"),
    "login-close": Fault("AUTH", times=1, close="before"),
    "login-rubbish": Fault("AUTH", b"\x00\xff\r\n", times=1),
}


def relay(certificates, tmp_path, name, host, scheme="smtp+tls"):
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return (f'provider "{name}" {{ url = "{scheme}://me@localhost:{host.port}" '
            f'password-file = "{password}" tls-ca = "{certificates}/ca.pem" }}\n'
            f'route "{name}" {{ recipient = {{ "*@{name}.test" }} via = {{ "{name}" }} '
            f'retry = {{ "1s" }} }}\n')


def smarthost(certificates, name="good", **options):
    return Smarthost(certificate=certificates / f"{name}.pem", key=certificates / f"{name}.key",
                     users={"me": PASSWORD}, **options)


@pytest.fixture
def started():
    hosts = []

    def start(host):
        hosts.append(host)
        host.start()
        return host
    yield start
    for host in hosts:
        host.stop()


def secrets():
    plain = f"\0me\0{PASSWORD}".encode()
    return [PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), base64.b64encode(plain).decode()]


def assert_nothing_leaked(daemon, hosts):
    for host in hosts:
        for session in host.sessions:
            for line in session.in_clear():
                assert line.split(b" ")[0] in (b"EHLO", b"HELO", b"STARTTLS", b"QUIT"), line
    for secret in secrets():
        assert secret not in daemon.log()


@pytest.mark.parametrize("scheme, implicit", [("smtp+tls", False), ("smtps", True)])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_mail_goes_inside_tls_after_a_login_on_reused_connections(
        build, tmp_path, certificates, started, scheme, implicit, mechanism):
    host = started(smarthost(certificates, implicit=implicit, mechanisms=(mechanism,)))
    with Penstockd(build, tmp_path, extra=relay(certificates, tmp_path, "to", host, scheme),
                   options=["-v"]) as daemon:
        with daemon.smtp() as client:
            for n in range(200):
                client.sendmail("a@example.com", [f"b{n}@to.test"], f"Subject: {n}\r\n\r\n.hi\r\n")
        host.wait(lambda: len(host.messages) == 200, "200 messages")
        daemon.drained()
    assert {message.tls for message in host.messages} == {"TLSv1.3"}
    assert {message.login for message in host.messages} == {"me"}
    assert all(message.content.endswith(b"\r\n\r\n.hi\r\n") for message in host.messages)
    assert len(host.sessions) <= 20
    assert daemon.has_line('debug connection says .*"AUTH')
    assert_nothing_leaked(daemon, [host])


@pytest.mark.parametrize("name", ["wrong-name", "unknown-ca", "expired", "self-signed"])
def test_a_bad_certificate_gets_no_login_and_no_mail(build, tmp_path, certificates, started, name):
    host = started(smarthost(certificates, name))
    with Penstockd(build, tmp_path, extra=relay(certificates, tmp_path, "to", host)) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@to.test"], "Subject: x\r\n\r\nhi\r\n")
        wait_until(lambda: daemon.has_line("connection closed .*stage=tls"), "a refused certificate")
        assert daemon.waiting() == 1
    assert {verb for session in host.sessions for verb in session.verbs()} <= {"EHLO", "STARTTLS"}
    assert_nothing_leaked(daemon, [host])


def test_each_fault_before_and_in_tls_is_survived(build, tmp_path, certificates, started):
    hosts = {name: started(smarthost(certificates, faults=[fault])) for name, fault in FAULTS.items()}
    config = "".join(relay(certificates, tmp_path, name, host) for name, host in hosts.items())
    with Penstockd(build, tmp_path, extra=config, options=["-v"]) as daemon:
        with daemon.smtp() as client:
            for name in hosts:
                client.sendmail("a@example.com", [f"b@{name}.test"], f"Subject: {name}\r\n\r\nhi\r\n")
        for name, host in hosts.items():
            host.wait(lambda: host.messages, f"mail after {name}")
        daemon.drained()
    for name, host in hosts.items():
        assert host.faults[0].happened == 1, name
        assert [(m.tls, m.login) for m in host.messages] == [("TLSv1.3", "me")], name
    assert_nothing_leaked(daemon, hosts.values())


def test_a_refused_login_keeps_the_mail_and_says_why(build, tmp_path, certificates, started):
    host = started(smarthost(certificates, faults=[
        Fault("AUTH", f"535 5.7.8 no: {PASSWORD}")]))
    with Penstockd(build, tmp_path, extra=relay(certificates, tmp_path, "to", host),
                   options=["-v"]) as daemon:
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@to.test"], "Subject: x\r\n\r\nhi\r\n")
        wait_until(lambda: daemon.has_line("connection closed .*stage=login"), "a refused login")
        assert daemon.waiting() == 1
    assert not host.messages
    assert_nothing_leaked(daemon, [host])
