# SPDX-License-Identifier: ISC
"""What client and server said: kept of sessions that failed, without secrets."""

import json

import pytest

from penstock import wait_until
from test_control import ask, code_of, get
from wire import Wire

LETTER = "Subject: x\r\n\r\nhi\r\n"


def sessions(daemon):
    answer = ask(daemon, get("/relay/v1/sessions"))
    assert code_of(answer) == 200
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


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
    said = [(line["From"], line["Text"]) for line in oldest["Lines"]]
    assert said[0][0] == "server" and said[0][1].startswith("220 ")
    assert ("client", "AUTH PLAIN ***") in said and "c2Vj" not in json.dumps(oldest)
    assert ("client", "MAIL FROM:<broken") in said
    assert all(line["Time"].endswith("Z") for line in oldest["Lines"])
    assert newest["Lines"][-1]["From"] == "" and "amid the content" in newest["Lines"][-1]["Text"]
    assert newest["Time"] >= oldest["Time"]


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
    wait_until(lambda: any(line["Text"] == "FOO 119" for line in sessions(daemon)[0]["Lines"]), "the last one")
    kept = sessions(daemon)
    assert len(kept) == 100
    assert any(line["Text"] == "FOO 20" for line in kept[-1]["Lines"])


def test_a_relay_keeps_none(start, sink):
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.say("FOO")
    daemon.drained()
    assert sessions(daemon) == []
