# SPDX-License-Identifier: ISC
"""Messages that leave the inbox after all, through the relay queue."""

import email

import pytest

from penstock import wait_until
from smarthost import Fault, Smarthost
from web import Web, deliver


@pytest.fixture
def host():
    with Smarthost() as smarthost:
        yield smarthost


@pytest.fixture
def daemon(catch, host):
    return catch("--relay", f"smtp+notls://127.0.0.1:{host.port}")


def released(web, name):
    return web.json("GET", f"/api/v1/message/{name}").get("Release", [])


def state(web, name):
    return [one["State"] for one in released(web, name)]


@pytest.mark.threads
def test_it_leaves_as_a_copy_with_a_name_of_its_own(daemon, host):
    web = Web(daemon)
    deliver(daemon, "out", fields="Message-ID: <old@example.com>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
                                  "Bcc: secret@example.org\r\nX-Kept: yes\r\n", body="a\r\n.b\r\n" * 20000)
    name = web.ids()[0]
    answer = web.ask("POST", f"/api/v1/message/{name}/release", {"to": ["one@example.net", "Two <two@example.net>"]})
    assert (answer.status, answer.body) == (200, b"ok")
    host.wait(lambda: host.messages, "the copy")
    sent = host.messages[0]
    assert sent.sender == "ann@example.com" and sorted(sent.recipients) == ["one@example.net", "two@example.net"]
    copy = email.message_from_bytes(sent.content)
    assert copy["Subject"] == "out" and copy["X-Kept"] == "yes" and copy["Bcc"] is None
    assert copy["Message-ID"] not in (None, "<old@example.com>") and "2026 00:00:00" not in copy["Date"]
    assert len(copy.get_all("Message-ID")) == len(copy.get_all("Date")) == 1
    assert sent.content.endswith(b"a\r\n.b\r\n" * 20000)
    wait_until(lambda: state(web, name) == ["sent", "sent"], "its state is shown")
    assert [one["To"] for one in released(web, name)] == ["one@example.net", "two@example.net"]
    assert released(web, name)[0]["Reply"].startswith("250")
    assert web.ids() == [name]      # the copy is not caught, and the one that was caught stays


def test_a_refusal_is_shown_and_nothing_bounces(daemon, host):
    web = Web(daemon)
    host.faults += [Fault("RCPT", "550 5.1.1 nobody here", match="one@"), Fault("RCPT", "450 4.2.1 later", match="two@")]
    deliver(daemon, "out")
    name = web.ids()[0]
    web.ask("POST", f"/api/v1/message/{name}/release", {"To": ["one@example.net", "two@example.net"]})
    wait_until(lambda: state(web, name) == ["failed", "deferred"], "its state is shown")
    assert "5.1.1" in released(web, name)[0]["Reply"] and "4.2.1" in released(web, name)[1]["Reply"]
    assert web.ids() == [name]


@pytest.mark.parametrize("body, status", [
    ({}, 400), ({"To": []}, 400), ({"To": ["nobody"]}, 400), ({"To": "a@example.net"}, 400), ("{", 400),
    ({"To": ["a@example.net\r\nRCPT TO:<b@example.net>"]}, 400)])
def test_what_is_wrong_is_said(daemon, host, body, status):
    web = Web(daemon)
    deliver(daemon)
    answer = web.ask("POST", f"/api/v1/message/{web.ids()[0]}/release", body)
    assert answer.status == status, answer
    assert web.ask("POST", "/api/v1/message/0000000000000/release", {"To": ["a@example.net"]}).status == 404
    assert not daemon.cli_json("queue")


def test_without_a_relay_nothing_leaves(catch):
    daemon = catch()
    web = Web(daemon)
    deliver(daemon)
    answer = web.ask("POST", f"/api/v1/message/{web.ids()[0]}/release", {"To": ["a@example.net"]})
    assert answer.status == 400 and b"--relay" in answer.body
    assert web.json("GET", "/api/v1/webui")["MessageRelay"]["Enabled"] is False


def test_what_is_caught_stays_with_a_relay_too(daemon, host):
    for i in range(5):
        deliver(daemon, str(i))
    assert len(Web(daemon).ids()) == 5 and not host.sessions
    assert Web(daemon).json("GET", "/api/v1/webui")["MessageRelay"]["Enabled"] is True
