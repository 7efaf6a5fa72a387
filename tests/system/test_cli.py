# SPDX-License-Identifier: ISC
"""The penstock command and its sendmail: what they do, say and return."""

import getpass
import json
import os
import re
import subprocess

import pytest

from penstock import wait_until
from smarthost import Fault

HELD = 'route "all" { via = { "sink" } hold = true }'
ID = r"[0-9A-HJKMNP-TV-Z]{13}"
UNKNOWN = "0123456789ABC"


@pytest.fixture
def daemon(start):
    """Accepts mail and holds it."""
    return start(extra=HELD)


def send(daemon, sender="a@example.com", recipients=("b@example.org",), letter="Subject: x\r\n\r\nhi\r\n"):
    """Returns the id."""
    with daemon.smtp() as client:
        client.ehlo()
        client.mail(sender)
        for recipient in recipients:
            client.rcpt(recipient)
        code, reply = client.data(letter)
        assert code == 250
    return reply.decode().rpartition(" ")[2]


def states(daemon, name):
    return [delivery["state"] for delivery in daemon.cli_json("show", name)["deliveries"]]


# ---- looking -----------------------------------------------------------------------------


def test_status_says_what_there_is(daemon, sink):
    send(daemon)
    status = daemon.cli_json("status")
    assert status["mode"] == "relay"
    assert status["spool"]["messages"] == status["spool"]["deliveries"] == 1
    assert status["counters"]["messages_accepted"] == 1
    assert [provider["name"] for provider in status["providers"]][0] == "sink"
    text = daemon.cli("status").stdout.decode()
    assert "1 accepted" in text and "sink: ok, 0 connections" in text


def test_queue_lists_in_order_of_acceptance_and_filters(daemon):
    names = [send(daemon, f"s{n}@example.com", [f"r{n}@example.org"]) for n in range(3)]
    assert [message["id"] for message in daemon.cli_json("queue")] == names
    for word in ("s1@example.com", "R1@example", names[1]):
        assert [message["id"] for message in daemon.cli_json("queue", word)] == names[1:2]
    assert len(daemon.cli_json("queue", "held")) == 3
    assert daemon.cli_json("queue", "nothing-of-the-kind") == []
    text = daemon.cli("queue").stdout.decode()
    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")] == names


def test_a_queue_of_more_than_a_page_is_listed_whole(daemon):
    with daemon.smtp() as client:
        for n in range(1100):
            client.sendmail(f"s{n}@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    listed = daemon.cli_json("queue")
    assert [message["sender"] for message in listed] == [f"s{n}@example.com" for n in range(1100)]


def test_show_tells_all_of_a_message(daemon):
    name = send(daemon, recipients=["b@example.org", "c@example.org"])
    message = daemon.cli_json("show", name)
    assert message["id"] == name and message["sender"] == "a@example.com"
    assert message["client"] == "127.0.0.1" and message["helo"] == "client.test"
    assert message["with"] == "ESMTP" and message["size"] == len("Subject: x\r\n\r\nhi\r\n")
    assert message["deliveries"][0]["state"] == "held"
    assert [r["address"] for r in message["deliveries"][0]["recipients"]] == ["b@example.org",
                                                                            "c@example.org"]
    assert "<b@example.org>" in daemon.cli("show", name).stdout.decode()


def test_show_tells_the_last_reply_and_the_next_attempt(start, sink):
    sink.faults = [Fault("RCPT", "451 4.7.1 come back")]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1h" } }')
    name = send(daemon)
    wait_until(lambda: states(daemon, name) == ["deferred"], "the deferral")
    delivery = daemon.cli_json("show", name)["deliveries"][0]
    assert delivery["attempts"] == 1 and delivery["next_attempt"]
    assert "451 4.7.1 come back" in delivery["recipients"][0]["last_reply"]
    assert "451 4.7.1 come back" in daemon.cli("queue").stdout.decode()


def test_an_id_may_be_typed_in_small_letters(daemon):
    name = send(daemon)
    assert daemon.cli_json("show", name.lower())["id"] == name


def test_cat_gives_the_message_as_it_leaves(daemon, sink):
    name = send(daemon, letter="Subject: x\r\n\r\n.dot\r\n" + "y" * 300_000 + "\r\n")
    content = daemon.cli("cat", name).stdout
    daemon.cli("release", name)
    wait_until(lambda: sink.messages, "the message")
    assert content == sink.messages[0].content


# ---- changing ----------------------------------------------------------------------------


def test_release_sends_what_was_held(daemon, sink):
    first, second = send(daemon), send(daemon)
    assert daemon.cli_json("release", first)["changed"] == 1
    wait_until(lambda: len(sink.messages) == 1, "the first")
    assert states(daemon, second) == ["held"]


def test_hold_and_release_a_deferred_one(start, sink):
    sink.faults = [Fault("RCPT", "451 4.7.1 come back", times=1)]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1h" } }')
    name = send(daemon)
    wait_until(lambda: states(daemon, name) == ["deferred"], "the deferral")
    assert daemon.cli_json("hold", name)["changed"] == 1
    assert states(daemon, name) == ["held"]
    assert daemon.cli_json("retry", name)["changed"] == 0   # held means held
    daemon.cli("release", name)
    wait_until(lambda: sink.messages, "the message")


def test_retry_does_not_wait_for_the_next_attempt(start, sink):
    sink.faults = [Fault("RCPT", "451 4.7.1 come back", times=1)]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1h" } }')
    name = send(daemon)
    wait_until(lambda: states(daemon, name) == ["deferred"], "the deferral")
    daemon.cli("retry", name)
    wait_until(lambda: sink.messages, "the message")


def test_remove_ends_a_message_without_a_bounce(daemon, sink):
    names = [send(daemon) for _ in range(3)]
    daemon.cli("remove", *names[:2])
    assert [message["id"] for message in daemon.cli_json("queue")] == names[2:]
    assert daemon.cli("show", names[0], check=False).returncode == 66
    wait_until(lambda: daemon.cli_json("status")["spool"]["messages"] == 1, "the content is gone")
    assert sink.messages == []


@pytest.mark.parametrize("words", [("show",), ("cat",), ("retry",), ("hold",), ("release",), ("remove",)])
def test_an_unknown_id_is_told(daemon, words):
    done = daemon.cli(*words, UNKNOWN, check=False)
    assert done.returncode == 66 and b"no such message" in done.stderr and done.stdout == b""
    done = daemon.cli(*words, "../status", check=False)
    assert done.returncode == 64 and b"no message id" in done.stderr


def test_a_wrong_command_shows_the_right_ones(daemon):
    for words in ((), ("bogus",), ("status", "more"), ("show",), ("queue", "a", "b")):
        done = daemon.cli(*words, check=False)
        assert done.returncode == 64 and b"usage:" in done.stderr, words


def test_without_a_daemon_the_failure_is_temporary(daemon):
    daemon.stop()
    for words in (("status",), ("queue",), ("send", "--to", "b@example.org"), ("sendmail", "b@example.org")):
        done = subprocess.run([daemon.command, *words], input=b"hi\n", capture_output=True,
                              env=os.environ | {"PENSTOCK_CONTROL": daemon.control}, timeout=30)
        assert done.returncode == 75 and done.stderr, words


def test_stop_stops_it(daemon):
    daemon.cli("stop")
    assert daemon.process.wait(timeout=30) == 0


def test_the_control_socket_speaks_http(daemon):
    name = send(daemon)
    done = subprocess.run(["curl", "--silent", "--unix-socket", daemon.control,
                           f"http://localhost/relay/v1/messages/{name}"], check=True,
                          capture_output=True)
    assert json.loads(done.stdout)["id"] == name
    assert os.stat(daemon.control).st_mode & 0o7 == 0


@pytest.mark.parametrize("path, code", [
    ("/relay/v1/nothing", "404"), ("/", "200"), ("/relay/v1/queue?limit=x", "400"),
    ("/relay/v1/messages/..", "400"), ("/relay/v1/messages/" + "0" * 5000, "400"),
    (f"/relay/v1/messages/{UNKNOWN}/content/more", "404"), ("/relay/v1/queue?filter=%00%ff", "200"),
])
def test_the_control_socket_answers_what_makes_no_sense(daemon, path, code):
    done = subprocess.run(["curl", "--silent", "--path-as-is", "--output", "/dev/null", "--write-out",
                           "%{http_code}", "--unix-socket", daemon.control,
                           f"http://localhost{path}"], check=True, capture_output=True, text=True)
    assert done.stdout == code


# ---- send ------------------------------------------------------------------------------------


def test_send_is_a_first_mail_without_any_other_tool(start, sink):
    daemon = start()
    done = daemon.cli("send", "--to", "b@example.org", "--to", "c", "--from", "a@example.com",
                      "--subject", "Hällo", "--body", "one\n.\ntwo")
    assert re.search(rf"queued as {ID}$", done.stdout.decode().strip())
    wait_until(lambda: sink.messages, "the message")
    message = sink.messages[0]
    assert message.sender == "a@example.com"
    assert message.recipients == ["b@example.org", "c@relay.test"]
    assert "Subject: Hällo\r\n".encode() in message.content
    assert b"To: b@example.org,\r\n c@relay.test\r\n" in message.content
    assert message.content.endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


def test_send_completes_the_name_of_its_user(start, sink):
    start().cli("send", "--to", "b@example.org")
    wait_until(lambda: sink.messages, "the message")
    message = sink.messages[0]
    assert message.sender == f"{getpass.getuser()}@relay.test"
    assert f"From: <{message.sender}>\r\n".encode() in message.content


def test_send_refuses_what_is_no_mail(daemon):
    for words in ((), ("--to", "a b"), ("--to", "b@example.org", "--subject", "x\nBcc: y"),
                  ("--to", "b@example.org", "--from", "<>x")):
        assert daemon.cli("send", *words, check=False).returncode == 64


# ---- sendmail ----------------------------------------------------------------------------------


@pytest.fixture
def sendmail(start, sink, tmp_path):
    """sendmail("-t", data=...): called by that name, as programs do; its message, if one came."""
    daemon = start()
    os.symlink(daemon.command, tmp_path / "sendmail")

    def sendmail(*words, data="Subject: x\n\nhi\n", status=0):
        before = len(sink.messages)
        done = subprocess.run(
            [tmp_path / "sendmail", *words], capture_output=True, timeout=30,
            input=data if isinstance(data, bytes) else data.encode(),
            env=os.environ | {"PENSTOCK_CONTROL": daemon.control})
        assert done.returncode == status, done
        if status != 0:
            assert done.stderr.startswith(b"sendmail: ")
            return None
        assert (done.stdout, done.stderr) == (b"", b"")
        wait_until(lambda: len(sink.messages) > before, "the message")
        return sink.messages[-1]
    return sendmail


def test_sendmail_takes_recipients_from_its_arguments(sendmail):
    message = sendmail("-i", "-f", "a@example.com", "b@example.org", "c@example.org,d@example.org")
    assert message.sender == "a@example.com"
    assert message.recipients == ["b@example.org", "c@example.org", "d@example.org"]


def test_sendmail_takes_recipients_from_the_header_and_hides_bcc(sendmail):
    message = sendmail("-t", "-oi", "-fa@example.com", data=(
        "To: Bob <b@example.org>,\n \"X, Y\" <c@example.org>\nCc: d@example.org (Dee)\n"
        "Bcc: e@example.org,\n f@example.org\nSubject: x\n\nBcc: not this\n"))
    assert sorted(message.recipients) == [f"{name}@example.org" for name in "bcdef"]
    assert b"e@example.org" not in message.content and b"f@example.org" not in message.content
    assert b"To: Bob <b@example.org>,\r\n \"X, Y\" <c@example.org>\r\n" in message.content
    assert message.content.endswith(b"\r\n\r\nBcc: not this\r\n")


def test_sendmail_adds_what_a_message_needs(sendmail):
    message = sendmail("-F", "Ann \"the\" Admin", "-f", "a@example.com", "b@example.org",
                       data="Subject: bare\n\nhi\n")
    assert b"From: \"Ann the Admin\" <a@example.com>\r\n" in message.content
    assert re.search(rb"\r\nDate: \w{3}, ", message.content)
    assert re.search(rb"\r\nMessage-ID: <[^@>]+@example.com>\r\n", message.content)


def test_sendmail_changes_no_field_that_is_there(sendmail):
    fields = ("From: Me <me@example.net>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
              "Message-ID: <x@y>\r\nSubject: x\r\n")
    message = sendmail("-f", "a@example.com", "b@example.org", data=fields + "\r\nhi\r\n")
    assert message.content.endswith(fields.encode() + b"\r\nhi\r\n")


def test_sendmail_qualifies_bare_names(sendmail):
    message = sendmail("root")
    assert message.recipients == ["root@relay.test"]
    assert message.sender == f"{getpass.getuser()}@relay.test"


def test_sendmail_with_an_empty_sender_is_a_bounce(sendmail):
    assert sendmail("-f", "", "b@example.org").sender == ""
    assert sendmail("-f<>", "b@example.org").sender == ""


def test_a_lone_dot_ends_a_message_unless_i_is_given(sendmail):
    text = "Subject: x\n\none\n.\ntwo\n"
    assert sendmail("b@example.org", data=text).content.endswith(b"\r\n\r\none\r\n")
    for option in ("-i", "-oi", "-ti"):
        data = "To: b@example.org\n" + text
        words = [option] if option == "-ti" else [option, "b@example.org"]
        assert sendmail(*words, data=data).content.endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


@pytest.mark.parametrize("data, stored", [
    ("Subject: x\r\n\r\ncrlf\r\n", b"crlf\r\n"),
    ("Subject: x\n\nno end", b"no end\r\n"),
    ("Subject: x\n\n.dots\n..\n", b".dots\r\n..\r\n"),
    ("no header at all\n\nreally\n", b"no header at all\r\n\r\nreally\r\n"),
    ("", b"\r\n"),
    ("Subject: x\n\n\u00fcml\u00e4ut\n", "\u00fcml\u00e4ut\r\n".encode()),
])
def test_sendmail_takes_text_as_it_comes(sendmail, data, stored):
    assert sendmail("-i", "b@example.org", data=data).content.endswith(b"\r\n" + stored)


def test_sendmail_takes_addresses_in_utf8(sendmail):
    assert sendmail("\u00fc@example.org").recipients == ["\u00fc@example.org"]


def test_sendmail_ignores_what_only_other_daemons_know(sendmail):
    sendmail("-oem", "-odb", "-oeq", "-N", "never", "-R", "hdrs", "-v", "-bm", "-B", "8BITMIME", "--",
             "b@example.org")


@pytest.mark.parametrize("words, data, status", [
    ((), "Subject: x\n\nhi\n", 64),
    (("-t",), "Subject: no recipients\n\nhi\n", 64),
    (("-bs",), "", 64), (("-f",), "", 64),
    (("a b@example.org@c",), "hi\n", 64),
    (("-f", "a b", "b@example.org"), "hi\n", 64),
    (("b@example.org",), b"Subject: nul\n\n\0\n", 65),
])
def test_sendmail_says_why_with_its_status(sendmail, words, data, status):
    sendmail(*words, data=data, status=status)


def test_sendmail_is_refused_for_now_when_the_daemon_says_so(start, tmp_path):
    daemon = start(extra="", listen="")
    with open(os.path.join(daemon.directory, "penstock.conf"), encoding="utf-8") as file:
        config = file.read().replace('spool {', 'spool { max-size = "1MiB" ')
    with open(os.path.join(daemon.directory, "penstock.conf"), "w", encoding="utf-8") as file:
        file.write(config)
    daemon.restart()
    done = daemon.cli("sendmail", "b@example.org", data=b"Subject: x\n\n" + b"x\n" * 2_000_000,
                      check=False)
    assert done.returncode == 75 and b"452 4.3.1" in done.stderr
