# SPDX-License-Identifier: ISC
"""What clients may say to penstockd, what they must not, and what they hear then."""

import re
import smtplib
import socket
import subprocess

import pytest

from penstock import wait_until
from wire import Wire

QUEUED = r"250 2.0.0 queued as "


@pytest.fixture
def daemon(start):
    return start()


@pytest.fixture
def wire(daemon):
    with Wire(daemon.port) as wire:
        wire.greet()
        yield wire


def still_accepts(daemon):
    with Wire(daemon.port) as wire:
        wire.greet()
        return wire.mail().startswith(QUEUED)


# ---- ordinary clients ---------------------------------------------------------------


@pytest.mark.threads
def test_ehlo_lists_the_extensions(daemon):
    with daemon.smtp() as client:
        code, text = client.ehlo()
        assert code == 250
        assert text.split(b"\n")[0] == b"relay.test"
        hold, until = client.esmtp_features.pop("futurerelease").split()
        assert hold == str(7 * 86400) and until.endswith("Z")
        assert client.esmtp_features == {"pipelining": "", "8bitmime": "",
                                         "size": str(50 * 1024 * 1024),
                                         "enhancedstatuscodes": "", "dsn": "",
                                         "smtputf8": "", "chunking": "", "mt-priority": "", "deliverby": "60",
                                         "limits": "RCPTMAX=1000"}


def test_helo_is_enough_for_a_mail(daemon, sink):
    with Wire(daemon.port) as wire:
        assert wire.greet("HELO") == "250 relay.test"
        assert wire.mail().startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert b" with SMTP " in sink.messages[0].content


def test_curl_uploads_a_mail(daemon, sink, tmp_path):
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: from curl\r\n\r\n.\r\n..\r\nend\r\n")
    subprocess.run(["curl", "--silent", "--show-error", f"smtp://127.0.0.1:{daemon.port}",
                    "--mail-from", "a@example.com", "--mail-rcpt", "b@example.org",
                    "--mail-rcpt", "c@example.org", "--upload-file", letter], check=True)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].recipients == ["b@example.org", "c@example.org"]
    assert sink.messages[0].content.endswith(letter.read_bytes())


def test_the_id_in_the_reply_is_the_one_in_the_trace_field(wire, sink):
    name = wire.mail().removeprefix(QUEUED)
    assert len(name) == 13
    wait_until(lambda: sink.messages, "the message")
    assert f" id {name}".encode() in sink.messages[0].content.replace(b"\r\n", b"")


@pytest.mark.threads
def test_pipelined_commands_are_answered_in_order(wire, sink):
    wire.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<>\r\n"
              "RCPT TO:<c@example.org>\r\nDATA\r\n")
    codes = [wire.reply()[:3] for _ in range(5)]
    assert codes == ["250", "250", "501", "250", "354"]
    wire.send("Subject: one\r\n\r\nhi\r\n.\r\nMAIL FROM:<d@example.com>\r\nRSET\r\nNOOP\r\nQUIT\r\n")
    codes = [wire.reply()[:3] for _ in range(5)]
    assert codes == ["250", "250", "250", "250", "221"]
    assert wire.closed()
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].recipients == ["b@example.org", "c@example.org"]


def test_octets_that_come_one_by_one_make_the_same_mail(wire, sink):
    for octet in b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n":
        wire.send(bytes([octet]))
    assert [wire.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
    for octet in b"Subject: slow\r\n\r\n..\r\n.\r\n":
        wire.send(bytes([octet]))
    assert wire.reply().startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].content.endswith(b"Subject: slow\r\n\r\n.\r\n")


def test_rset_forgets_the_transaction(wire):
    assert wire.say("MAIL FROM:<a@example.com>").startswith("250")
    assert wire.say("RSET") == "250 2.0.0 Ok"
    assert wire.say("RCPT TO:<b@example.org>").startswith("503 5.5.1")
    assert wire.mail().startswith(QUEUED)


def test_vrfy_and_quit(wire):
    assert wire.say("VRFY postmaster").startswith("252 ")
    assert wire.say("QUIT").startswith("221 2.0.0")
    assert wire.closed()


def test_body_lines_of_any_length_arrive_unchanged(wire, sink):
    content = b"Subject: long\r\n\r\n" + b"x" * 3_000_000 + b"\r\n" + b"y" * 70_000 + b"\r\n"
    wire.open()
    wire.send(content + b".\r\n")
    assert wire.reply().startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].content.endswith(content)


def test_eight_bit_content_arrives_unchanged(wire, sink):
    assert wire.say("MAIL FROM:<a@example.com> BODY=8BITMIME").startswith("250")
    assert wire.say("RCPT TO:<b@example.org>").startswith("250")
    assert wire.say("DATA").startswith("354")
    content = b"Subject: 8bit\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    wire.send(content + b".\r\n")
    assert wire.reply().startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].content.endswith(content)
    assert sink.messages[0].sender_parameters.startswith("BODY=8BITMIME")


def test_a_message_without_content_is_a_message(wire, sink):
    assert wire.mail("").startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")


def test_a_bare_name_becomes_an_address_of_this_host(wire, sink):
    assert wire.mail(sender="root").startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].sender == "root@relay.test"


@pytest.mark.parametrize("offered", [True, False])
def test_an_address_in_utf8_goes_where_it_is_understood(wire, sink, offered):
    if not offered:
        sink.extensions = ("PIPELINING", "8BITMIME")
    assert wire.say("MAIL FROM:<a@example.com> SMTPUTF8").startswith("250")
    assert wire.say("RCPT TO:<\u00fc@example.org>").startswith("250")
    assert wire.say("DATA").startswith("354")
    assert wire.say("Subject: \u00fc\r\n\r\nhi\r\n.").startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message or its bounce")
    if offered:
        assert sink.messages[0].recipients == ["\u00fc@example.org"]
        assert "SMTPUTF8" in sink.messages[0].sender_parameters
    else:
        assert sink.messages[0].recipients == ["a@example.com"] and sink.messages[0].sender == ""


def test_what_is_asked_of_reports_is_passed_on(wire, sink):
    assert wire.say("MAIL FROM:<a@example.com> RET=HDRS ENVID=abc+2Bd").startswith("250")
    assert wire.say("RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@example.org") \
        .startswith("250")
    assert wire.say("DATA").startswith("354")
    assert wire.say("Subject: x\r\n\r\nhi\r\n.").startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    message = sink.messages[0]
    assert "RET=HDRS" in message.sender_parameters and "ENVID=abc+2Bd" in message.sender_parameters
    assert "ORCPT=rfc822;x@example.org" in message.recipient_parameters[0]
    assert set(message.recipient_parameters[0].split("NOTIFY=")[1].split()[0].split(",")) == {
        "SUCCESS", "FAILURE"}


# ---- limits ---------------------------------------------------------------------------


def test_recipients_beyond_the_limit_are_put_off_and_the_others_get_it(start, sink):
    daemon = start(listen="max-recipients = 3")
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.say("MAIL FROM:<a@example.com>").startswith("250")
        replies = [wire.say(f"RCPT TO:<b{n}@example.org>")[:9] for n in range(5)]
        assert replies == ["250 2.1.5"] * 3 + ["452 4.5.3"] * 2
        assert wire.say("DATA").startswith("354")
        assert wire.say("Subject: five\r\n\r\nhi\r\n.").startswith(QUEUED)
    wait_until(lambda: sink.messages, "the message")
    assert sink.messages[0].recipients == [f"b{n}@example.org" for n in range(3)]


def test_a_declared_size_over_the_limit_is_refused_at_mail(start):
    daemon = start(listen='max-message-size = "4KiB"')
    with Wire(daemon.port) as wire:
        assert "\n250-SIZE 4096\n" in wire.greet()
        assert wire.say("MAIL FROM:<a@example.com> SIZE=4097").startswith("552 5.3.4")
        assert wire.say("MAIL FROM:<a@example.com> SIZE=4096").startswith("250")


@pytest.mark.parametrize("size", [4097, 600_000])
def test_content_over_the_limit_is_refused_at_its_end(start, size):
    daemon = start(listen='max-message-size = "4KiB"')
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.mail("x" * (size - 2) + "\r\n").startswith("552 5.3.4")
        assert wire.mail().startswith(QUEUED)
        assert daemon.cli_json("status")["counters"]["messages_accepted"] == 1


def test_content_of_exactly_the_limit_is_taken(start, sink):
    daemon = start(listen='max-message-size = "4KiB"')
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.mail("x" * 4094 + "\r\n").startswith(QUEUED)


def test_who_does_not_stop_sending_is_cut_off(start):
    daemon = start(listen='max-message-size = "4KiB"')
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        with pytest.raises(OSError):
            for _ in range(1000):
                wire.send(b"x" * 65536)
    assert still_accepts(daemon)


def test_connections_over_the_limit_are_turned_away(start):
    daemon = start(listen="max-connections = 2")
    with Wire(daemon.port) as one, Wire(daemon.port) as two:
        one.greet()
        two.greet()
        with Wire(daemon.port) as three:
            assert three.reply().startswith("421 4.3.2")
            assert three.closed()
        assert one.mail().startswith(QUEUED)
        assert two.say("QUIT").startswith("221")
        assert two.closed()

        def is_let_in():
            with Wire(daemon.port) as four:
                return four.reply().startswith("220")
        wait_until(is_let_in, "the place of the second is free again")


def test_connections_of_one_client_are_limited(start):
    daemon = start(listen="max-connections-per-client = 1")
    with Wire(daemon.port) as one:
        one.greet()
        with Wire(daemon.port) as two:
            assert two.reply().startswith("421 4.7.0")


def test_a_flood_of_noop_ends_the_session(wire):
    replies = []
    while not replies or replies[-1].startswith("250"):
        replies.append(wire.say("NOOP"))
        assert len(replies) < 1000
    assert replies[-1].startswith("421 4.7.0") or wire.reply().startswith("421 4.7.0")
    assert wire.closed()


def test_a_flood_of_errors_ends_the_session(wire):
    wire.send("BOGUS\r\n" * 1000)
    codes = set()
    while (reply := wire.reply()) != "":
        codes.add(reply[:9])
    assert codes == {"500 5.5.2", "421 4.7.0"}


def test_a_silent_client_is_told_and_closed(start):
    daemon = start(listen='idle-timeout = "1s"')
    with Wire(daemon.port) as never_spoke, Wire(daemon.port) as spoke, Wire(daemon.port) as wrote:
        spoke.greet()
        wrote.greet()
        wrote.open()
        wrote.send("half a line")
        assert never_spoke.reply().startswith("220")
        for wire in (never_spoke, spoke, wrote):
            assert wire.reply().startswith("421 4.4.2")
            assert wire.closed()
    assert daemon.cli_json("status")["spool"]["messages"] == 0


def steps(*words):
    return b"\r\n".join(words) + b"\r\n"


EHLO, MAIL, RCPT = b"EHLO client.test", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.org>"
VANISH_AFTER = {
    "nothing": b"",
    "half a command": b"EHLO client",
    "EHLO": steps(EHLO),
    "MAIL": steps(EHLO, MAIL),
    "RCPT": steps(EHLO, MAIL, RCPT),
    "DATA": steps(EHLO, MAIL, RCPT, b"DATA"),
    "the dot": steps(EHLO, MAIL, RCPT, b"DATA", b"hi") + b".",
    "a million octets": steps(EHLO, MAIL, RCPT, b"DATA") + b"x" * 1_000_000,
}


# ---- what is wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("line, reply", [
    ("", "500 5.5.2"),
    ("BOGUS", "500 5.5.2"),
    ("EHLO", "501 5.5.4"),
    ("EHLO two words", "501 5.5.4"),
    ("MAIL", "501 5.1.7"),
    ("MAIL FROM", "501 5.1.7"),
    ("MAIL FROM:a@example.com b", "5"),
    ("MAIL FROM:<a@example.com", "501 5.1.7"),
    ("MAIL FROM:<a b@example.com>", "501 5.1.7"),
    ("MAIL FROM:<a@example.com>SIZE=1", "501 5.1.7"),
    ("MAIL FROM:<a@example.com> SIZE=", "501 5.5.4"),
    ("MAIL FROM:<a@example.com> SIZE=x", "501 5.5.4"),
    ("MAIL FROM:<a@example.com> BODY=9BIT", "501 5.5.4"),
    ("MAIL FROM:<a@example.com> BOGUS=1", "555 5.5.4"),
    ("MAIL FROM:<\u00e9@example.com>", "553 5.6.7"),
    ("RCPT TO:<b@example.org>", "503 5.5.1"),
    ("DATA", "503 5.5.1"),
    ("DATA now", "503 5.5.1"),
    ("STARTTLS", "502 5.5.1"),
    ("AUTH PLAIN AGEAYg==", "502 5.5.1"),
    ("EXPN list", "502 5.5.1"),
    ("VRFY", "501 5.5.4"),
    ("RSET now", "501 5.5.4"),
    ("QUIT now", "501 5.5.4"),
    ("NOOP \0", "501 5.5.2"),
    ("MAIL FROM:<a@example.com>\rRCPT TO:<b@example.org>", "501 5.5.2"),
])
def test_a_bad_command_is_answered_and_changes_nothing(wire, line, reply):
    assert wire.say(line).startswith(reply)
    assert wire.mail().startswith(QUEUED)


def test_mail_before_ehlo_is_out_of_sequence(daemon):
    with Wire(daemon.port) as wire:
        assert wire.reply().startswith("220")
        assert wire.say("MAIL FROM:<a@example.com>").startswith("503 5.5.1")
        assert wire.say("EHLO client.test").startswith("250")
        assert wire.mail().startswith(QUEUED)


def test_a_second_mail_and_data_without_recipients_are_out_of_sequence(wire):
    assert wire.say("MAIL FROM:<a@example.com>").startswith("250")
    assert wire.say("MAIL FROM:<a@example.com>").startswith("503 5.5.1")
    assert wire.say("DATA").startswith("554 5.5.1")
    assert wire.say("RCPT TO:<b@example.org>").startswith("250")
    assert wire.say("DATA").startswith("354")


def test_a_command_line_that_is_too_long_is_one_error(wire):
    for length in (2047, 100_000):
        assert wire.say("NOOP " + "x" * length).startswith("500 5.5.2")
    assert wire.say("NOOP " + "x" * 1000).startswith("250")
    assert wire.mail().startswith(QUEUED)


@pytest.mark.memory
def test_a_line_that_never_ends_takes_no_memory(daemon):
    with Wire(daemon.port) as wire:
        wire.greet()
        before = daemon.anonymous_memory()
        for _ in range(500):
            wire.send(b"x" * 65536)
        assert daemon.anonymous_memory() < before + 4096
        assert wire.say("").startswith("500 5.5.2")


def test_a_bare_lf_ends_no_command(wire):
    wire.send("NOOP\nQUIT\r\n")
    assert wire.reply().startswith("500 5.5.2")
    assert wire.reply().startswith("500 5.5.2")
    assert wire.mail().startswith(QUEUED)


@pytest.mark.parametrize("end", ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"])
def test_only_crlf_dot_crlf_ends_a_message(wire, sink, end):
    """SMTP smuggling: what follows a wrong end is content, never a command."""
    inner = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\nevil\r\n"
    wire.open()
    wire.send("Subject: outer\r\n\r\nhi" + end + inner + "\r\n.\r\n")
    assert wire.reply().startswith(QUEUED)
    assert wire.say("NOOP") == "250 2.0.0 Ok"
    wait_until(lambda: sink.messages, "the message")
    assert [message.sender for message in sink.messages] == ["a@example.com"]
    assert b"evil@example.com" in sink.messages[0].content
    assert b"\n" not in sink.messages[0].content.replace(b"\r\n", b"")
    assert b"\r" not in sink.messages[0].content.replace(b"\r\n", b"")


def test_bare_newlines_are_refused_where_that_is_configured(start):
    daemon = start(listen='bare-newline = "reject"')
    for content in ("a\nb\r\n", "a\rb\r\n"):
        with Wire(daemon.port) as wire:
            wire.greet()
            wire.open()
            assert wire.say("Subject: bare\r\n\r\n" + content + ".").startswith("554 5.6.0")
            assert wire.mail().startswith(QUEUED)


def test_nul_in_the_content_is_refused(wire):
    wire.open()
    assert wire.say("Subject: nul\r\n\r\na\0b\r\n.").startswith("554 5.6.0")
    assert wire.mail().startswith(QUEUED)


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT x:25 HTTP/1.1"])
def test_a_browser_is_closed_at_its_first_line(daemon, line):
    with Wire(daemon.port) as wire:
        wire.send(f"{line}\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<evil@example.com>\r\n")
        assert wire.reply().startswith("220")
        assert wire.reply().startswith("554 5.5.2")
        assert wire.closed()


def test_random_octets_do_no_harm(start):
    daemon = start(options=["-v"])
    for seed in range(20):
        noise = bytes((seed * 7919 + n * 104729) >> 7 & 0xff for n in range(20_000))
        with Wire(daemon.port) as wire:
            try:
                wire.send(noise)
                wire.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass    # closed already
            wire.closed()
    assert still_accepts(daemon)
    assert one_event_a_line(daemon)


def one_event_a_line(daemon):
    return all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (debug|info|warning|error) [ -~]+", line)
               for line in daemon.lines)


@pytest.mark.parametrize("line", [
    'MAIL FROM:<"a b\\\"=c"@example.com>', "MAIL FROM:<a@example.com> \x1b[2J", "EHLO x\x07y",
    "MAIL FROM:<\u00e9\u009b@example.com> SMTPUTF8", "\x1b]0;owned\x07",
])
def test_no_client_can_write_its_own_log_line(start, line):
    daemon = start(listen="max-message-size = 1024", options=["-v"])
    with Wire(daemon.port) as wire:
        wire.greet()
        if wire.say(line).startswith("250") and line.startswith("MAIL"):
            wire.say("RCPT TO:<\"x\\\\y = z\"@example.org>")
            wire.say("DATA")
            wire.say("Subject: \x1b[2J\r\n\r\n" + "x" * 2000 + "\r\n.")    # refused, and logged
        wire.say("QUIT")
    assert one_event_a_line(daemon)


@pytest.mark.threads
@pytest.mark.parametrize("words", VANISH_AFTER.values(), ids=VANISH_AFTER.keys())
def test_a_client_that_vanishes_leaves_nothing(daemon, sink, words):
    for vanish in (Wire.close, Wire.vanish):
        wire = Wire(daemon.port)
        wire.send(words)
        if b"DATA" in words:
            while not wire.reply().startswith("354"):
                pass
        vanish(wire)
    wait_until(lambda: daemon.cli_json("status")["counters"]["sessions_open"] == 0, "no session")
    assert daemon.cli_json("status")["spool"]["messages"] == 0
    assert still_accepts(daemon)
    wait_until(lambda: sink.messages, "the message")
    daemon.drained()
    assert len(sink.messages) == 1


def test_a_client_that_vanishes_after_its_message_has_sent_it(daemon, sink):
    wire = Wire(daemon.port)
    wire.greet()
    wire.open()
    wire.send("Subject: last words\r\n\r\nhi\r\n.\r\n")
    wire.close()
    wait_until(lambda: sink.messages, "the message")


def test_ten_clients_at_once_do_not_disturb_each_other(daemon, sink):
    clients = [smtplib.SMTP("127.0.0.1", daemon.port, local_hostname="client.test")
               for _ in range(10)]
    for round_ in range(5):
        for n, client in enumerate(clients):
            client.sendmail(f"a{n}@example.com", [f"b{n}@example.org"],
                            f"Subject: {round_}\r\n\r\n{n}\r\n")
    for client in clients:
        client.quit()
    wait_until(lambda: len(sink.messages) == 50, "all fifty")
    for message in sink.messages:
        n = message.sender[1]
        assert message.recipients == [f"b{n}@example.org"]
        assert message.content.endswith(f"\r\n{n}\r\n".encode())
