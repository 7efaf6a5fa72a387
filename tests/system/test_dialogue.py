# SPDX-License-Identifier: ISC
"""What client and server said: kept with messages and of sessions that failed, without secrets."""

import base64
import json
import socket
import ssl

import pytest

from penstock import wait_until
from test_control import ask, code_of, get
from wire import Wire

LETTER = "Subject: x\r\n\r\nhi\r\n"


def read(daemon, path):
    answer = ask(daemon, get(path))
    assert code_of(answer) == 200, answer
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def sessions(daemon):
    return read(daemon, "/api/v1/sessions")


def said(daemon, name):
    return [(line["From"], line["Text"]) for line in read(daemon, f"/api/v1/message/{name}/dialogue")["Lines"]]


# ---- of messages -------------------------------------------------------------------------


@pytest.mark.threads
def test_a_message_has_what_was_said(catch):
    daemon = catch()
    with Wire(daemon.port) as wire:
        wire.greet("HELO")
        wire.open()
        name = wire.say(LETTER + ".").rsplit(" ", 1)[1]
        # What is there with the 250 is there for every reader.
        lines = said(daemon, name)
        wire.open("other@example.org")
        second = wire.say(LETTER + ".").rsplit(" ", 1)[1]
    assert lines[0][0] == "server" and lines[0][1].startswith("220 ")
    assert [text for who, text in lines if who == "client"][1:] == \
        ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "DATA", f"({len(LETTER)} octets)"]
    assert lines[-1] == ("server", f"250 2.0.0 queued as {name}")
    later = said(daemon, "latest")
    assert later == said(daemon, second)
    assert ("client", "RCPT TO:<other@example.org>") in later and ("client", "RCPT TO:<b@example.org>") not in later
    assert later[0] == lines[0] and later[-1][1].endswith(second)


def test_it_is_there_after_a_restart_and_never_with_a_secret(catch, tmp_path):
    daemon = catch(spool=str(tmp_path / "caught"))
    with daemon.smtp() as client:
        client.starttls(context=ssl._create_unverified_context())
        client.login("app", "canary-Xy3")
        client.sendmail("a@example.com", ["b@example.org"], LETTER)
    before = said(daemon, "latest")
    assert any(who == "" and text.startswith("(TLS: TLSv1.") for who, text in before)
    assert ("server", "235 2.7.0 Authentication successful") in before
    daemon.restart()
    assert said(daemon, "latest") == before
    secrets = ["canary", base64.b64encode(b"\0app\0canary-Xy3").decode(), base64.b64encode(b"canary-Xy3").decode()]
    assert not any(secret in json.dumps(before) for secret in secrets)
    daemon.stop()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "caught").iterdir() if path.is_file())
    assert not any(secret.encode() in stored for secret in secrets)


def test_of_a_message_that_is_not_there_there_is_none(catch):
    daemon = catch()
    for name in ("latest", "0123456789ABC", "x", "%00"):
        assert code_of(ask(daemon, get(f"/api/v1/message/{name}/dialogue"))) in (400, 404)


# ---- of sessions that failed -----------------------------------------------------------


def failed(daemon, count):
    wait_until(lambda: len(sessions(daemon)) >= count, f"{count} sessions that failed")
    return sessions(daemon)


@pytest.mark.threads
def test_sessions_that_failed_are_shown_the_newest_first(catch):
    daemon = catch()
    assert sessions(daemon) == []
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("AUTH PLAIN AGFubmEAc2VjcmV0").startswith("235")
        assert wire.say("MAIL FROM:<broken").startswith("501 5.1.7")
        wire.say("QUIT")
    failed(daemon, 1)
    with Wire(daemon.port) as wire:
        wire.greet("HELO")
        wire.open()
        wire.send("half a message\r\n")
        wire.vanish()
    newest, oldest = failed(daemon, 2)
    assert oldest["Reason"].startswith("501 5.1.7 Bad sender")
    assert oldest["Client"] == "127.0.0.1" and oldest["Helo"]
    lines = [(line["From"], line["Text"]) for line in oldest["Lines"]]
    assert lines[0][0] == "server" and lines[0][1].startswith("220 ")
    assert ("client", "AUTH PLAIN ***") in lines and "c2Vj" not in json.dumps(oldest)
    assert ("client", "MAIL FROM:<broken") in lines
    assert all(line["Time"].endswith("Z") for line in oldest["Lines"])
    assert newest["Lines"][-1]["From"] == "" and "amid the content" in newest["Lines"][-1]["Text"]
    assert newest["Time"] >= oldest["Time"]


def test_who_watches_is_told_of_each_refusal(catch):
    daemon = catch()
    with socket.create_connection(("127.0.0.1", daemon.http_port), timeout=30) as feed:
        feed.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        heard = feed.recv(1000)
        assert b" 200 " in heard
        with Wire(daemon.port) as wire:
            wire.greet()
            wire.say("MAIL FROM:<broken")
        lines = iter(feed.makefile("rb"))
        told = json.loads(next(line for line in lines if b'"error"' in line).partition(b":")[2])
    assert told["Type"] == "error"
    assert told["Data"] == {"Level": "warning", "Type": "smtpd", "IP": "127.0.0.1",
                            "Message": told["Data"]["Message"]}
    assert told["Data"]["Message"].startswith("501 5.1.7 Bad sender")


def test_sessions_that_ended_well_are_not_shown(catch):
    daemon = catch()
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], LETTER)
        client.docmd("FOO")
    with Wire(daemon.port) as wire:
        wire.greet()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.say("FOO")
    assert [session["Reason"][:3] for session in failed(daemon, 1)] == ["500"]


def test_only_the_newest_are_kept_however_many_fail(catch):
    daemon = catch()
    for n in range(120):
        with Wire(daemon.port) as wire:
            wire.greet()
            wire.say(f"FOO {n}")

    def numbers():
        return [int(line["Text"].split()[1]) for session in sessions(daemon) for line in session["Lines"]
                if line["Text"].startswith("FOO ")]
    wait_until(lambda: len(numbers()) == 100 and 119 in numbers(), "the last one")
    # Workers tell of those that end at the same time in any order.
    assert min(numbers()) >= 15 and numbers()[0] >= 115


def test_a_relay_keeps_none(start, sink):
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.say("FOO")
    daemon.drained()
    assert sessions(daemon) == []
