# SPDX-License-Identifier: ISC
"""Faults that are asked for: Mailpit's chaos, and rules. In force when the API has answered."""

import json
import smtplib
import subprocess
import time

import pytest

from test_control import ask, code_of
from wire import Wire

LETTER = "Subject: x\r\n\r\nhi\r\n"
CALM = {"Sender": {"ErrorCode": 451, "Probability": 0}, "Recipient": {"ErrorCode": 451, "Probability": 0},
        "Authentication": {"ErrorCode": 535, "Probability": 0}}


def call(daemon, method, path, body=None):
    """Status and body, read as JSON if it is."""
    data = b"" if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    answer = ask(daemon, head.encode() + b"\r\n" + data)
    text = answer.split(b"\r\n\r\n", 1)[1]
    try:
        return code_of(answer), json.loads(text)
    except ValueError:
        return code_of(answer), text.decode()


def put(daemon, *rules):
    status, now = call(daemon, "PUT", "/api/v1/faults", list(rules))
    assert status == 200, now
    return now


def reply_to(daemon, *lines):
    """The reply to the last of them in a session of its own."""
    with Wire(daemon.port) as wire:
        wire.greet()
        for line in lines:
            reply = wire.say(line)
        return reply


MAIL, RCPT, LATE = "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.org>", "RCPT TO:<x@slow.example>"


# ---- chaos ---------------------------------------------------------------------------------


def is_not_enabled(daemon):
    for method, body in (("GET", None), ("PUT", CALM)):
        status, text = call(daemon, method, "/api/v1/chaos", body)
        assert (status, text.strip()) == (400, "Chaos is not enabled")


def test_chaos_is_not_enabled_unless_it_is_asked_for(catch):
    is_not_enabled(catch())


def test_chaos_is_not_enabled_in_a_relay(start, sink):
    is_not_enabled(start())


@pytest.mark.threads
@pytest.mark.parametrize("trigger, lines, usual", [
    ("Sender", [MAIL], "250"), ("Recipient", [MAIL, RCPT], "250"),
    ("Authentication", ["AUTH PLAIN AGEAYg=="], "235")])
def test_chaos_is_mailpits(catch, trigger, lines, usual):
    daemon = catch("--chaos")
    assert call(daemon, "GET", "/api/v1/chaos") == (200, CALM)
    wanted = CALM | {trigger: {"ErrorCode": 499, "Probability": 100}}
    assert call(daemon, "PUT", "/api/v1/chaos", {trigger: wanted[trigger]}) == (200, wanted)
    assert call(daemon, "GET", "/api/v1/chaos") == (200, wanted)
    for _ in range(10):
        assert reply_to(daemon, *lines).startswith("499 ")
    assert call(daemon, "PUT", "/api/v1/chaos", {}) == (200, CALM)
    for _ in range(10):
        assert reply_to(daemon, *lines).startswith(usual)


def test_it_comes_from_the_environment(catch):
    assert call(catch(environment={"PENSTOCK_CHAOS": "true"}), "GET", "/api/v1/chaos") == (200, CALM)


def test_it_may_be_there_from_the_start_by_mailpits_names_too(catch):
    wanted = CALM | {"Sender": {"ErrorCode": 452, "Probability": 100}}
    for options, environment in ((["--chaos=Sender:452:100"], {}), ([], {"PENSTOCK_CHAOS": "sender:452:100"}),
                                 ([], {"MP_ENABLE_CHAOS": "1", "MP_CHAOS_TRIGGERS": "Sender:452:100"})):
        daemon = catch(*options, environment=environment)
        assert reply_to(daemon, MAIL).startswith("452 ")
        assert call(daemon, "GET", "/api/v1/chaos") == (200, wanted)
        daemon.stop()


@pytest.mark.parametrize("body", [
    {"Sender": {"ErrorCode": 399, "Probability": 1}}, {"Sender": {"ErrorCode": 600, "Probability": 1}},
    {"Recipient": {"ErrorCode": 451, "Probability": 101}}, {"Recipient": {"ErrorCode": 451, "Probability": -1}},
    {"Authentication": {"ErrorCode": "x"}}, {"Sender": 5}, [], b"{", b"null garbage"])
def test_wrong_chaos_is_refused_and_changes_nothing(catch, body):
    daemon = catch("--chaos")
    assert call(daemon, "PUT", "/api/v1/chaos", body)[0] == 400
    assert call(daemon, "GET", "/api/v1/chaos") == (200, CALM)


def test_names_are_taken_in_any_case_and_a_code_is_not_needed(catch):
    daemon = catch("--chaos")
    status, now = call(daemon, "PUT", "/api/v1/chaos", {"sender": {"probability": 100}})
    assert (status, now["Sender"]) == (200, {"ErrorCode": 451, "Probability": 100})


# ---- rules ----------------------------------------------------------------------------------


@pytest.mark.threads
def test_a_rule_hits_whom_it_names_and_is_used_up(catch):
    daemon = catch()
    assert call(daemon, "GET", "/api/v1/faults") == (200, [])
    shown = put(daemon, {"Recipient": "*@slow.example", "Code": 450, "Text": "4.2.2 Mailbox full", "Skip": 1, "Count": 2})
    assert shown == [{"Stage": "rcpt", "Recipient": "*@slow.example", "Action": "reply", "Code": 450,
                      "Text": "4.2.2 Mailbox full", "Skip": 1, "Count": 2, "Probability": 100, "Happened": 0}]
    assert reply_to(daemon, MAIL, RCPT).startswith("250")
    assert reply_to(daemon, MAIL, LATE).startswith("250")       # skipped
    for _ in range(2):
        assert reply_to(daemon, MAIL, LATE) == "450 4.2.2 Mailbox full"
    assert reply_to(daemon, MAIL, LATE).startswith("250")
    assert call(daemon, "GET", "/api/v1/faults")[1][0]["Happened"] == 2
    put(daemon, *call(daemon, "GET", "/api/v1/faults")[1])      # what was shown is a rule
    assert reply_to(daemon, MAIL, LATE).startswith("250")
    assert reply_to(daemon, MAIL, LATE).startswith("450")
    assert call(daemon, "DELETE", "/api/v1/faults") == (200, "ok")
    assert reply_to(daemon, MAIL, LATE).startswith("250")


def test_a_kept_connection_meets_the_rule_at_once(catch):
    daemon = catch()
    with Wire(daemon.port) as wire:
        wire.greet()
        for _ in range(20):
            put(daemon, {"Code": 451})
            assert wire.say(MAIL).startswith("451 4.0.0")
            call(daemon, "DELETE", "/api/v1/faults")
            assert wire.say(MAIL).startswith("250")
            wire.say("RSET")


@pytest.mark.parametrize("stage", ["connect", "helo", "mail", "rcpt", "data"])
def test_a_delay_only_delays_and_only_whom_it_hits(catch, stage):
    daemon = catch()
    put(daemon, {"Stage": stage, "Delay": "1s", "Count": 1})
    begun = time.monotonic()
    with daemon.smtp() as slow:
        with daemon.smtp() as other:
            slow.sendmail("a@example.com", ["b@example.org"], LETTER)
            assert time.monotonic() - begun >= 1
            other.sendmail("a@example.com", ["c@example.org"], LETTER)
    assert call(daemon, "GET", "/api/v1/faults")[1][0]["Happened"] == 1


def test_a_disconnect_is_one(catch):
    daemon = catch()
    put(daemon, {"Stage": "data", "Action": "disconnect", "Sender": "a@*"})
    with pytest.raises(smtplib.SMTPServerDisconnected), daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], LETTER)
    assert daemon.cli_json("status")["spool"]["messages"] == 0


def test_slow_means_octet_by_octet(catch):
    daemon = catch()
    put(daemon, {"Stage": "helo", "Action": "slow", "Delay": "1ms"})
    with Wire(daemon.port) as wire:
        wire.reply()
        wire.send("HELO x\r\n")
        pieces = []
        while not b"".join(pieces).endswith(b"\r\n"):
            pieces.append(wire.socket.recv(1000))
        assert len(pieces) > 3 and b"".join(pieces).startswith(b"250 ")
        assert wire.say("NOOP").startswith("250")


def test_rules_may_be_there_from_the_start(catch, build, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"Recipient": "*@slow.example", "Code": 450}]))
    daemon = catch("--faults", str(rules))
    assert reply_to(daemon, MAIL, RCPT).startswith("250")
    assert reply_to(daemon, MAIL, LATE).startswith("450 4.0.0")
    assert call(daemon, "GET", "/api/v1/faults")[1][0]["Happened"] == 1
    daemon.stop()
    for text, says in (("[{\n", "line 2"), ('[{"Code": 7}]', "Code"), ('{"Recipent": "*"}', "Recipent"), ("7", "")):
        rules.write_text(text)
        done = subprocess.run([f"{build}/src/penstockd", "--catch", "--smtp", "127.0.0.1:0", "--http", "off", "--spool",
                               "none", "--socket", str(tmp_path / "c.sock"), "--faults", str(rules)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and "rules.json" in done.stderr and says in done.stderr


@pytest.mark.parametrize("rule, says", [
    ({"Recipent": "*", "Code": 451}, "Recipent"), ({"Code": 250}, "Code"), ({"Code": "451"}, "Code"),
    ({"Code": 451, "Stage": "mail", "Recipient": "*"}, "Recipient"), ({"Delay": "soon"}, "Delay"),
    ({"Delay": "1h"}, "Delay"), ({"Code": 451, "Probability": 101}, "Probability"), ({}, "Code"),
    ({"Code": 451, "Text": "a\r\n250 b"}, "Text"), ({"Code": 451, "Count": -1}, "Count"), (7, "object"),
    ({"Action": "explode"}, "Action"), ({"Code": 451, "Stage": "quit"}, "Stage")])
def test_a_wrong_rule_is_named_and_changes_nothing(catch, rule, says):
    daemon = catch()
    put(daemon, {"Code": 451, "Stage": "mail"})
    status, answer = call(daemon, "PUT", "/api/v1/faults", [{"Code": 450}, rule])
    assert status == 400 and says in answer["Error"]
    assert len(call(daemon, "GET", "/api/v1/faults")[1]) == 1
    assert call(daemon, "PUT", "/api/v1/faults", [{"Code": 451}] * 1001)[0] == 400


def test_a_relay_makes_no_faults(start, sink):
    daemon = start()
    for method, body in (("GET", None), ("PUT", [{"Code": 451}]), ("DELETE", None)):
        assert call(daemon, method, "/api/v1/faults", body)[0] in (400, 404)
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], LETTER)


def test_what_a_fault_did_is_in_the_failed_sessions(catch):
    daemon = catch()
    put(daemon, {"Stage": "connect", "Code": 554, "Text": "no service"})
    with pytest.raises(smtplib.SMTPConnectError):
        daemon.smtp()
    status, sessions = call(daemon, "GET", "/api/v1/sessions")
    assert status == 200 and isinstance(sessions, list)


def test_it_stops_while_a_delay_runs(catch):
    daemon = catch()
    put(daemon, {"Stage": "mail", "Delay": "10min"})
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.send(MAIL + "\r\n")
        put(daemon)                         # after it: the session waits
        daemon.stop()
        assert wire.reply().startswith("421 4.3.2")
