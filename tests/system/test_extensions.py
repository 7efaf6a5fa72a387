# SPDX-License-Identifier: ISC
"""What a client asks for with its message, and what becomes of it: release times, priorities, TLS."""

import smtplib
import ssl
import time

import pytest

from penstock import Penstockd, wait_until
from smarthost import Smarthost

LETTER = "Subject: x\r\n\r\nhi\r\n"


@pytest.fixture
def daemon(build, tmp_path, sink):
    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        yield daemon


def send(daemon, *options, recipient="b@example.org", sender="a@example.com"):
    with daemon.smtp() as client:
        client.ehlo()
        client.sendmail(sender, [recipient], LETTER, mail_options=list(options))


def states(daemon):
    return [d["state"] for message in daemon.cli_json("queue") for d in message["deliveries"]]


def test_rfc4865_a_message_is_not_released_early(daemon, sink):
    begin = time.time()
    send(daemon, "HOLDFOR=2", recipient="late@example.org")
    send(daemon)
    wait_until(lambda: len(sink.messages) == 2, "both messages")
    assert time.time() - begin >= 2
    assert [m.recipients for m in sink.messages] == [["b@example.org"], ["late@example.org"]]


def test_rfc4865_a_release_time_outlives_restarts_and_orders(daemon, sink):
    send(daemon, "HOLDFOR=3600")
    daemon.kill()
    daemon.restart()
    assert states(daemon) == ["scheduled"]
    message = daemon.cli_json("queue")[0]
    assert message["deliveries"][0]["held_until"] > message["accepted"]
    assert b"scheduled" in daemon.cli("queue").stdout
    assert b"held until" in daemon.cli("queue").stdout
    daemon.cli("retry", message["id"])
    assert states(daemon) == ["scheduled"]
    daemon.cli("hold", message["id"])
    assert states(daemon) == ["held"]
    daemon.cli("release", message["id"])
    assert states(daemon) == ["scheduled"]
    assert sink.messages == []
    daemon.cli("release", message["id"])
    wait_until(lambda: sink.messages, "the message")


def test_rfc6710_priority_is_passed_on(daemon, sink):
    sink.extensions = (*sink.EXTENSIONS, "MT-PRIORITY")
    send(daemon, "MT-PRIORITY=4")
    wait_until(lambda: sink.messages, "the message")
    assert "MT-PRIORITY=4" in sink.messages[0].sender_parameters
    assert b" PRIORITY 4;" in sink.messages[0].content


def test_rfc2852_the_rest_of_the_time_is_passed_on(daemon, sink):
    sink.extensions = (*sink.EXTENSIONS, "DELIVERBY")
    send(daemon, "BY=600;RT")
    wait_until(lambda: sink.messages, "the message")
    parameters = sink.messages[0].sender_parameters.split()
    left = [p for p in parameters if p.startswith("BY=")][0].removeprefix("BY=")
    assert left.endswith(";RT") and 0 < int(left.removesuffix(";RT")) <= 600


@pytest.mark.parametrize("offered, verified, status", [
    (True, True, None), (False, True, b"5.7.30"), (True, False, b"5.7.10")])
def test_rfc8689_mail_never_leaves_without_what_it_requires(build, tmp_path, certificates, offered,
                                                            verified, status):
    tls = f'certificate = "{certificates}/good.pem" key = "{certificates}/good.key" tls = "starttls"'
    extensions = Smarthost.EXTENSIONS + (("REQUIRETLS",) if offered else ())
    with Smarthost(certificate=certificates / "good.pem", key=certificates / "good.key",
                   extensions=extensions) as host:
        check = f'tls-ca = "{certificates}/ca.pem"' if verified else 'tls-verify = "off"'
        extra = (f'provider "secure" {{ url = "smtp+tls://localhost:{host.port}" {check} }}\n'
                 'route "all" { via = { "secure" } }\n')
        with Penstockd(build, tmp_path, listen=tls, extra=extra) as daemon:
            trusting = ssl.create_default_context(cafile=certificates / "ca.pem")
            with smtplib.SMTP("localhost", daemon.port, local_hostname="client.test") as client:
                client.starttls(context=trusting)
                client.ehlo()
                client.sendmail("a@example.com", ["b@example.org"],
                                "Subject: x\r\nTLS-Required: No\r\n\r\nsecret\r\n",
                                mail_options=["REQUIRETLS", "RET=FULL"])
            wait_until(lambda: host.messages, "the message or its report")
            message = host.messages[0]
            assert ("REQUIRETLS" in message.sender_parameters) == offered
            if status is None:
                assert message.sender == "a@example.com" and b"secret" in message.content
            else:
                assert message.sender == "" and b"secret" not in message.content
                assert b"Status: " + status in message.content
                assert [m for m in host.messages if m.sender == "a@example.com"] == []
            daemon.drained()
