# SPDX-License-Identifier: ISC
"""What a client asks for with its message, and what becomes of it: release times, priorities, TLS."""

import smtplib
import ssl
import time

import pytest

from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost

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


@pytest.fixture
def reports():
    """A smarthost for reports."""
    with Smarthost() as host:
        yield host


def reporting(start, sink, reports, options=""):
    """What has no sender goes to `reports`, the rest to the sink."""
    return start(relay_to=sink.port, extra=(
        f'provider "back" {{ url = "smtp+notls://127.0.0.1:{reports.port}" }}\n'
        'route "reports" { sender = { "<>" } via = { "back" } }\n'
        f'route "all" {{ via = {{ "sink" }} {options} }}\n'))


def fields(report):
    """Of its one recipient."""
    status = report.content.partition(b"Content-Type: message/delivery-status")[2]
    block = status.split(b"\r\n\r\n")[2].replace(b"\r\n ", b"")
    return dict(line.decode().split(": ", 1) for line in block.split(b"\r\n") if b": " in line)


def test_rfc3461_what_a_host_without_dsn_took_is_reported_by_us(start, sink, reports):
    sink.extensions = ("PIPELINING",)
    daemon = reporting(start, sink, reports)
    with daemon.smtp() as client:
        client.ehlo()
        client.sendmail("a@example.com", ["yes@example.org", "no@example.org"], LETTER,
                        mail_options=["RET=FULL", "ENVID=7"], rcpt_options=[])
        client.mail("a@example.com")
        client.rcpt("told@example.org", ["NOTIFY=SUCCESS"])
        client.rcpt("failures@example.org", ["NOTIFY=FAILURE"])
        client.data(LETTER)
    daemon.drained()
    assert len(sink.messages) == 2 and len(reports.messages) == 1
    report = reports.messages[0]
    assert (report.sender, report.recipients) == ("", ["a@example.com"])
    assert fields(report)["Action"] == "relayed" and fields(report)["Status"].startswith("2.")
    assert fields(report)["Final-Recipient"] == "rfc822; told@example.org"
    assert b"Subject: x" in report.content and b"\r\nhi\r\n" not in report.content


def test_rfc3461_a_host_with_dsn_reports_itself(start, sink, reports):
    daemon = reporting(start, sink, reports)
    with daemon.smtp() as client:
        client.ehlo()
        client.mail("a@example.com")
        client.rcpt("told@example.org", ["NOTIFY=SUCCESS"])
        client.data(LETTER)
    daemon.drained()
    assert "NOTIFY=SUCCESS" in sink.messages[0].recipient_parameters[0]
    assert reports.messages == []


def test_a_delay_is_told_once(start, sink, reports):
    sink.faults.append(Fault("RCPT", "451 4.7.1 not yet", times=1))
    daemon = reporting(start, sink, reports, 'delay-warning = "1s" expire = "1d" retry = { "1h" }')
    send(daemon)
    report = wait_until(lambda: reports.messages, "the report")[0]
    assert fields(report)["Action"] == "delayed" and fields(report)["Status"] == "4.7.1"
    assert "Will-Retry-Until" in fields(report)
    assert b"not yet" in report.content
    wait_until(lambda: daemon.waiting() == 1, "the report is done")
    daemon.kill()
    daemon.restart()
    daemon.cli("retry", daemon.cli_json("queue")[0]["id"])
    daemon.drained()
    assert len(sink.messages) == 1 and len(reports.messages) == 1


def test_rfc2852_a_time_that_has_come_is_told(start, sink, reports):
    sink.faults.append(Fault("RCPT", "451 4.7.1 not yet"))
    daemon = reporting(start, sink, reports, 'retry = { "1h" }')
    send(daemon, "BY=1;N")
    report = wait_until(lambda: reports.messages, "the report")[0]
    assert fields(report)["Action"] == "delayed" and fields(report)["Status"] == "4.4.7"
    assert b"Deliver-By-Date:" in report.content
    wait_until(lambda: daemon.waiting() == 1, "only the late one waits")


def test_rfc2852_mail_to_be_returned_goes_to_nobody_who_would_not(start, sink, reports):
    daemon = reporting(start, sink, reports)
    send(daemon, "BY=600;R")
    report = wait_until(lambda: reports.messages, "the report")[0]
    assert fields(report)["Action"] == "failed" and fields(report)["Status"] == "5.3.3"
    send(daemon, "BY=600;N")
    daemon.drained()
    assert len(sink.messages) == 1 and len(reports.messages) == 1
