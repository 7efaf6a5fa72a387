# SPDX-License-Identifier: ISC
"""penstock inbox, dump, ingest and readyz; Mailpit's variables; metrics."""

import os
import re
import subprocess

import pytest

from web import Web, deliver


@pytest.fixture
def daemon(catch):
    return catch()


def out(daemon, *words):
    return daemon.cli(*words).stdout.decode()


def test_looking_at_an_inbox(daemon):
    deliver(daemon, "first \x1b[31mred")
    deliver(daemon, "second")
    name = Web(daemon).ids()[0]
    assert out(daemon, "inbox", "count") == "2\n"
    lines = out(daemon, "inbox", "list").splitlines()
    assert len(lines) == 2 and lines[0].startswith(name) and lines[0].endswith("* ann@example.com: second")
    assert "\x1b" not in lines[1]
    assert out(daemon, "inbox", "search", "subject:first").splitlines() == lines[1:]
    assert [message["ID"] for message in daemon.cli_json("inbox", "-n", "1", "list")["messages"]] == [name]
    shown = out(daemon, "inbox", "show", name)
    assert "From:    ann@example.com\nTo:      bob@example.org\nSubject: second\n" in shown and "\ntext\n" in shown
    assert "Subject: second" in out(daemon, "inbox", "cat", name)
    assert "* ann" not in out(daemon, "inbox", "list").splitlines()[0]     # it was read
    out(daemon, "inbox", "delete", name)
    assert out(daemon, "inbox", "count") == "1\n"
    out(daemon, "inbox", "delete", "--all")
    assert out(daemon, "inbox", "count") == "0\n"


@pytest.mark.parametrize("words, status", [
    (["show", "../../etc/passwd"], 64), (["delete", "x"], 64), (["show", "0000000000000"], 66), (["cat", "0000000000000"], 66),
    (["show"], 64),
    (["count", "x"], 64), (["nonsense"], 64), ([], 64), (["-i", "none", "list"], 66), (["delete"], 64)])
def test_what_is_wrong(daemon, words, status):
    deliver(daemon)
    run = daemon.cli("inbox", *words, check=False)
    assert run.returncode == status and run.stderr and len(Web(daemon).ids()) == 1
    assert b"JSON" not in run.stderr


def test_an_inbox_goes_to_a_directory_and_back(daemon, tmp_path):
    for i in range(120):
        deliver(daemon, f"number {i}", sender=f"s{i}@example.com")
    there = tmp_path / "mails"
    assert out(daemon, "dump", str(there)) == f"120 messages written to {there}, 0 there already\n"
    assert sorted(path.name for path in there.iterdir()) == sorted(f"{name}.eml" for name in Web(daemon).ids())
    deliver(daemon, "new")
    assert "1 message written" in out(daemon, "dump", str(there))
    out(daemon, "inbox", "delete", "--all")
    (there / "deeper").mkdir()
    (there / "deeper" / "lf.eml").write_text("Return-Path: <r@example.com>\nFrom: x@example.com\nTo: y@example.org\n\nlf\n")
    os.symlink("/etc/passwd", there / "link.eml")
    (there / ".hidden").write_text("no mail")
    assert out(daemon, "ingest", str(there)) == "122 messages taken, 0 refused\n"
    messages = Web(daemon).json("GET", "/api/v1/search?query=from:x@example.com")["messages"]
    assert Web(daemon).json("GET", f"/api/v1/message/{messages[0]['ID']}")["ReturnPath"] == "r@example.com"
    assert len(Web(daemon).ids()) == 122
    run = daemon.cli("ingest", "/etc/passwd", str(there / "none.eml"), check=False)
    assert run.returncode != 0 and run.stdout == b"0 messages taken, 2 refused\n"


def test_a_mail_that_names_nobody_comes_back_to_whom_it_was_received_for(daemon, tmp_path):
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["bob@example.org"], "Subject: hello\r\n\r\nFirst mail.\r\n")
    out(daemon, "dump", str(tmp_path / "mails"))
    assert out(daemon, "ingest", str(tmp_path / "mails")) == "1 message taken, 0 refused\n"
    message = Web(daemon).json("GET", f"/api/v1/message/{Web(daemon).ids()[0]}")
    assert message["Envelope"]["To"] == ["bob@example.org"]


def test_readiness(daemon):
    assert daemon.cli("readyz").returncode == 0
    daemon.stop()
    assert daemon.cli("readyz", check=False).returncode == 1


def test_metrics(daemon):
    deliver(daemon)
    Web(daemon).ask("PUT", "/api/v1/tags", {"IDs": Web(daemon).ids(), "Tags": ['a"b']})
    answer = Web(daemon).ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values["mailpit_messages"] == values["mailpit_messages_unread"] == "1"
    assert values["mailpit_smtp_accepted_total"] == values["penstock_messages_accepted_total"] == "1"
    assert values["penstock_sessions_open"] == "0" and int(values["mailpit_memory_usage_bytes"]) > 100000
    assert [name for name in values if name.startswith("mailpit_tag_messages{")]
    for name in values:
        assert f"# TYPE {name.split('{')[0]} " in answer.body.decode(), name
    assert all(re.fullmatch(r'# (HELP|TYPE) \S+ .+|[a-z_]+({tag=".*"})? -?\d+', line) for line in lines)


def test_variables_of_mailpit(start, tmp_path):
    environment = {"MP_SMTP_BIND_ADDR": "127.0.0.1:0", "MP_UI_BIND_ADDR": "'127.0.0.1:0'", "MP_MAX_MESSAGES": '"2"',
                   "MP_WEBROOT": "mail", "MP_DATABASE": str(tmp_path / "mailpit.db"), "MP_SMTP_AUTH_ACCEPT_ANY": "1",
                   "MP_POP3_BIND_ADDR": "[::]:1110", "MP_DEMO_MODE": "false", "MP_OTHERS": "none of ours"}
    daemon = start(arguments=["--catch"], environment=environment | {"PENSTOCK_HTTP": ""})
    for i in range(3):
        deliver(daemon, str(i))
    answer = Web(daemon).json("GET", "/mail/api/v1/messages")
    assert answer["total"] == 2
    assert (tmp_path / "mailpit.db.penstock").is_dir()
    assert daemon.has_line("MP_POP3_BIND_ADDR: are not supported, and ignored")
    assert not daemon.has_line("MP_DEMO_MODE|MP_OTHERS|MP_SMTP_AUTH")


@pytest.mark.parametrize("words, variables", [
    (["-S", "{address}", "-t", "-i"], {}), (["--smtp-addr={address}", "-t"], {}),
    (["--smtp-addr", "{address}", "--from", "me@example.com", "-i", "you@example.org"], {}),
    (["-t"], {"MP_SENDMAIL_SMTP_ADDR": "{address}", "MP_SENDMAIL_FROM": "me@example.com"})])
def test_sendmail_as_that_of_mailpit(daemon, words, variables):
    """To a host and a port, as in containers."""
    address = f"127.0.0.1:{daemon.port}"
    words = [word.format(address=address) for word in words]
    if not variables and "--from" not in words:
        words = ["-f", "me@example.com", *words]
    environment = {k: v.format(address=address) for k, v in variables.items()}
    subprocess.run([daemon.command, "sendmail", *words], env=os.environ | environment, check=True, timeout=60,
                   input=b"To: you@example.org\nSubject: wrapped\n\nhello\n")
    message = Web(daemon).json("GET", "/api/v1/message/latest")
    assert message["ReturnPath"] == "me@example.com" and message["To"][0]["Address"] == "you@example.org"
