# SPDX-License-Identifier: ISC
"""What a client asks for with its message, and what becomes of it: release times, priorities."""

import time

import pytest

from penstock import Penstockd, wait_until

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
