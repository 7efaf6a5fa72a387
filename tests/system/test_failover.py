# SPDX-License-Identifier: ISC
"""The first provider is dead, in each way there is: mail flows through the second, once; when the first
is back, so is the flow. Over real sockets; that nothing waits is tests/unit/test_relay_failover.c's.
"""

import socket
import threading

import pytest

from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost

PASSWORD = "c4nary-s3cret"
WAYS = ["refusing", "tls-refused", "tls-broken", "tls-untrusted", "login-refused", "login-unpaid", "black-hole"]


class BlackHole:
    """Takes no connection: its queue of them is full. On the port of a smarthost that is stopped."""

    def __init__(self, port):
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("127.0.0.1", port))
        self.server.listen(0)
        self.filling = []
        while self.fills():
            pass

    def fills(self):
        one = socket.socket()
        self.filling.append(one)
        one.settimeout(0.2)
        try:
            one.connect(self.server.getsockname())
        except TimeoutError:
            return False
        return True

    def close(self):
        for one in (*self.filling, self.server):
            one.close()


class First:
    """The provider that dies and comes back."""

    def __init__(self, way, certificates):
        self.way, self.hole = way, None
        name = "wrong-name" if way == "tls-untrusted" else "good"
        self.trusted = certificates
        self.host = Smarthost(certificate=certificates / f"{name}.pem", key=certificates / f"{name}.key",
                              users={"me": PASSWORD})
        self.host.start()

    def die(self):
        faults = {
            "tls-refused": Fault("STARTTLS", "454 4.7.0 TLS not available"),
            "tls-broken": Fault("HANDSHAKE", b"250 go on in clear\r\n" * 20, close="after"),
            "login-refused": Fault("AUTH", "535 5.7.8 bad credentials"),
            "login-unpaid": Fault("AUTH", "451 4.7.1 Authentication failed: Maximum credits exceeded"),
        }
        if self.way in faults:
            self.host.faults[:] = [faults[self.way]]
        elif self.way != "tls-untrusted":
            self.host.stop()
        if self.way == "black-hole":
            self.hole = BlackHole(self.host.port)

    def come_back(self):
        self.host.faults[:] = []
        if self.way == "tls-untrusted":
            self.host.context.load_cert_chain(self.trusted / "good.pem", self.trusted / "good.key")
        if self.hole is not None:
            self.hole.close()
            self.hole = None
        if self.way in ("refusing", "black-hole"):
            self.host.start()

    def end(self):
        if self.hole is not None:
            self.hole.close()
        self.host.stop()


@pytest.fixture
def firsts(certificates):
    firsts = {way: First(way, certificates) for way in WAYS}
    yield firsts
    for first in firsts.values():
        first.end()


@pytest.fixture
def seconds():
    seconds = {way: Smarthost() for way in WAYS}
    for second in seconds.values():
        second.start()
    yield seconds
    for second in seconds.values():
        second.stop()


def routes(tmp_path, certificates, firsts, seconds):
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return "".join(
        f'provider "{way}-1" {{ url = "smtp+tls://me@localhost:{firsts[way].host.port}" '
        f'password-file = "{password}" tls-ca = "{certificates}/ca.pem" connect-timeout = "2s" }}\n'
        f'provider "{way}-2" {{ url = "smtp+notls://127.0.0.1:{seconds[way].port}" }}\n'
        f'route "{way}" {{ recipient = {{ "*@{way}.test" }} via = {{ "{way}-1", "{way}-2" }} '
        f'stick = "1s" retry = {{ "1s" }} }}\n' for way in firsts)


def send(daemon, numbers):
    with daemon.smtp() as client:
        for n in numbers:
            for way in WAYS:
                client.sendmail("a@example.com", [f"n{n}@{way}.test"], f"Subject: {n}\r\n\r\nhi\r\n")


def test_mail_flows_through_the_second_and_back(build, tmp_path, certificates, firsts, seconds):
    for first in firsts.values():
        first.die()
    with Penstockd(build, tmp_path, extra=routes(tmp_path, certificates, firsts, seconds)) as daemon:
        send(daemon, range(20))
        for way, second in seconds.items():
            second.wait(lambda: len(second.messages) == 20, f"mail after {way}")
        send(daemon, range(20, 40))
        for way, second in seconds.items():
            second.wait(lambda: len(second.messages) == 40, f"more mail after {way}")
        daemon.drained()
        # Each once, and none of it by the first.
        for way in WAYS:
            assert sorted(int(m.recipients[0][1:].split("@")[0]) for m in seconds[way].messages) \
                == list(range(40)), way
            assert firsts[way].host.messages == []
            assert daemon.has_line(f"provider (set aside|refuses us) name={way}-1")
        assert not daemon.has_line("delivery (failed|deferred)|indeterminate")
        # Back again: after a probe what comes takes the first.
        for first in firsts.values():
            first.come_back()
        number = 40
        while not all(first.host.messages for first in firsts.values()):
            assert number < 400, [way for way, first in firsts.items() if not first.host.messages]
            send(daemon, [number])
            number += 1
            daemon.drained()
            pause()
        for way in WAYS:
            assert daemon.has_line(f"provider back name={way}-1")
            arrived = [int(m.recipients[0][1:].split("@")[0])
                       for host in (firsts[way].host, seconds[way]) for m in host.messages]
            assert sorted(arrived) == list(range(number)), way


def pause():
    """Until the next probe may have been; not what is tested."""
    threading.Event().wait(0.3)


def test_it_dies_with_mail_in_flight(start, sink):
    """What had been handed over may come twice, and is told of; all else comes once."""
    with Smarthost(faults=[Fault("DOT", delay=0.02)]) as first:
        daemon = start(extra=f'provider "first" {{ url = "smtp+notls://127.0.0.1:{first.port}" '
                             'connections = 3 indeterminate-wait = "1s" }\n'
                             'route "all" { via = { "first", "sink" } retry = { "1s" } }')
        with daemon.smtp() as client:
            for n in range(200):
                client.sendmail("a@example.com", [f"n{n}@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
        first.wait(lambda: len(first.messages) >= 20, "some of it")
        first.stop()
        daemon.drained()
        taken = [m.recipients[0] for m in first.messages]
        passed = [m.recipients[0] for m in sink.messages]
        twice = len(taken) + len(passed) - 200
        assert set(taken) | set(passed) == {f"n{n}@example.org" for n in range(200)}
        assert 0 <= twice <= len([line for line in daemon.lines if "delivery may be sent twice" in line])
        wait_until(lambda: daemon.has_line("provider set aside name=first"), "it is set aside")
