# SPDX-License-Identifier: ISC
"""What a caught message is made of: large ones, hostile ones, and the sessions beside them."""

import base64
import json
import os

import pytest

from penstock import wait_until
from web import Web
from wire import Wire

MIB = 1024      # KiB of RssAnon


def printed(daemon, count):
    """The messages that were printed, as soon as there are so many."""
    wait_until(lambda: len(daemon.output) >= count, f"{count} lines on stdout", 60)
    return [json.loads(line) for line in daemon.output]


def large_message(attachments, octets):
    """Pieces of it, made as they are sent."""
    yield (b"From: a@example.com\r\nSubject: large\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
           b"--m\r\n\r\nSee attached.\r\n")
    line = base64.b64encode(os.urandom(57)) + b"\r\n"
    content = line * (octets // attachments // len(line))
    for n in range(attachments):
        yield (b"--m\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
               b"Content-Disposition: attachment; filename=file-%d.bin\r\n\r\n" % n)
        yield content
    yield b"--m--\r\n"


@pytest.mark.memory
def test_a_large_message_is_parsed_beside_the_sessions(catch):
    daemon = catch("--print=json")
    before = daemon.anonymous_memory()
    others = [Wire(daemon.port) for _ in range(4)]  # on every worker
    for other in others:
        other.greet()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        for piece in large_message(200, 48 * 1024 * 1024):
            wire.send(piece)
        wire.send(".\r\n")
        for other in others:
            assert other.say("NOOP").startswith("250")
            other.mail("Subject: small\r\n\r\nhi\r\n")
        peak = daemon.anonymous_memory()
        assert wire.reply().startswith("250")
    for other in others:
        other.close()
    messages = printed(daemon, 5)
    large, = (m for m in messages if m["Subject"] == "large")
    assert large["Attachments"] == 200
    assert large["Snippet"] == "See attached."
    assert max(peak, daemon.anonymous_memory()) - before < 32 * MIB


MULTIPART = b"Subject: bomb\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
BOMBS = {
    "depth": [MULTIPART, *(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
                           for n in range(100_000))],
    "parts": [MULTIPART, b"--b\r\n\r\nx\r\n" * 1_000_000],
    "boundary": [MULTIPART[:-4], b"b" * 60_000 + b"\r\n\r\n", b"--" + b"b" * 2_000_000 + b"\r\n"],
    "endless boundary": [MULTIPART, b"--b\r\nContent-Type: multipart/mixed; boundary=\"",
                         b"b" * 8_000_000],
    "header lines": [MULTIPART, b"--b\r\n", b"X: y\r\n" * 1_000_000],
    "messages": [b"Subject: bomb\r\nContent-Type: message/rfc822\r\n\r\n",
                 b"Content-Type: message/rfc822\r\n\r\n" * 100_000],
    "prologue": [MULTIPART, b"much before the first part\r\n" * 500_000],
    "no boundary": [b"Subject: bomb\r\nContent-Type: multipart/mixed\r\n\r\n",
                    b"--b\r\n\r\nx\r\n" * 1_000_000],
}


@pytest.mark.memory
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_kept_and_not_parsed(catch, name):
    daemon = catch("--print=json")
    before = daemon.anonymous_memory()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        for piece in BOMBS[name]:
            wire.send(piece)
        assert wire.say("\r\n.").startswith("250")
        wire.mail("Subject: next\r\n\r\nhi\r\n")
    bomb, after = printed(daemon, 2)
    assert bomb["Subject"] == "bomb"
    assert bomb["Attachments"] == 0 and bomb["Snippet"] == ""
    assert after["Snippet"] == "hi"
    assert daemon.anonymous_memory() - before < 12 * MIB


@pytest.mark.threads
def test_labels_and_words_are_there_with_the_250(catch):
    daemon = catch("--print=json")
    with Wire(daemon.port) as wire:
        wire.greet()
        for n in range(20):
            wire.mail(f"Subject: {n}\r\nX-Tags: one, two\r\nTo: a+three@example.org\r\n\r\nText {n}\r\n")
    messages = printed(daemon, 20)
    assert [m["Subject"] for m in messages] == [str(n) for n in range(20)]     # in their order
    assert all(m["Tags"] == ["one", "three", "two"] for m in messages)
    assert messages[7]["Snippet"] == "Text 7"


def test_a_stop_loses_nothing_that_is_being_parsed(catch, tmp_path):
    daemon = catch("--print=json", spool=str(tmp_path / "spool"))
    wires = [Wire(daemon.port) for _ in range(8)]
    for wire in wires:
        wire.greet()
        wire.open()
        for piece in large_message(50, 4 * 1024 * 1024):
            wire.send(piece)
    for wire in wires:
        wire.send(".\r\n")
    daemon.stop()
    accepted = 0
    for wire in wires:
        try:
            accepted += wire.reply().startswith("250")
        except (ConnectionError, EOFError, AssertionError):
            pass
        wire.close()
    daemon.start()
    assert daemon.cli_json("status")["spool"]["messages"] >= accepted



def test_tag_rules_of_the_configuration(start):
    daemon = start(extra="""
route "all" { via = { "inbox" } }
http { listen = { "127.0.0.1:0" } }
tag "Bills" { query = { "subject:invoice", "has:attachment" } }
""")
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.mail("Subject: Your invoice\r\n\r\nhi\r\n")
        wire.mail("Subject: other\r\n\r\nhi\r\n")
        wire.mail("Subject: file\r\nContent-Disposition: attachment; filename=x\r\n\r\nhi\r\n")
    messages = Web(daemon).json("GET", "/api/v1/messages")["messages"]
    assert {m["Subject"]: m["Tags"] for m in messages} == {"Your invoice": ["Bills"], "other": [],
                                                           "file": ["Bills"]}
