# SPDX-License-Identifier: ISC
"""penstockd --catch: what a developer sees, saves and may rely on."""

import json
import os
import re
import shutil
import smtplib
import socket
import subprocess
import time

import pytest

from penstock import wait_until
from peers import source

LETTER = ("From: Ann <ann@example.com>\r\nTo: Bob <bob@example.org>, c@example.org\r\n"
          "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <one@example.com>\r\n\r\n"
          "hello\r\n.dot\r\nend\r\n")


def send(daemon, letter=LETTER, sender="ann@example.com", recipients=("bob@example.org",)):
    with daemon.smtp() as client:
        client.sendmail(sender, recipients, letter)


def shown(daemon, count=1):
    """The lines that were printed, as soon as there are so many."""
    wait_until(lambda: len(daemon.output) >= count, f"{count} lines on stdout")
    return list(daemon.output)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


# ---- what is printed ---------------------------------------------------------------------


@pytest.mark.threads
def test_a_line_a_message(catch):
    daemon = catch("--print")
    send(daemon)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [0-9A-HJKMNP-TV-Z]{13} +\d+ B  "
                        r"<ann@example.com> -> <bob@example.org>  Grüße", shown(daemon)[0])


def test_the_header(catch):
    daemon = catch("--print=headers")
    send(daemon)
    wait_until(lambda: "Message-ID: <one@example.com>" in daemon.output, "the header")
    send(daemon, "Subject: two\r\n\r\nhi\r\n")
    wait_until(lambda: "Subject: two" in daemon.output, "the second one")
    assert "hello" not in daemon.output and "hi" not in daemon.output
    assert any(line.startswith("Received: from client.test") for line in daemon.output)


def test_all_of_it(catch):
    daemon = catch("--print=full")
    send(daemon)
    wait_until(lambda: "end" in daemon.output, "the message")
    assert [line for line in daemon.output if line][-3:] == ["hello", ".dot", "end"]


def test_json_has_the_fields_of_mailpit(catch):
    daemon = catch("--print=json")
    send(daemon, recipients=["bob@example.org", "hidden@example.org"])
    message = json.loads(shown(daemon)[0])
    assert set(message) == {"ID", "MessageID", "Read", "From", "To", "Cc", "Bcc", "ReplyTo",
                            "Subject", "Created", "Username", "Tags", "Size", "Attachments",
                            "Snippet"}
    assert message["From"] == {"Name": "Ann", "Address": "ann@example.com"}
    assert message["To"] == [{"Name": "Bob", "Address": "bob@example.org"},
                             {"Name": "", "Address": "c@example.org"}]
    assert message["Bcc"] == [{"Name": "", "Address": "hidden@example.org"}]
    assert message["Subject"] == "Grüße" and message["MessageID"] == "one@example.com"
    assert message["Size"] >= len(LETTER)


@pytest.mark.parametrize("mode", ["line", "headers", "full", "json"])
def test_a_message_cannot_speak_to_the_terminal(catch, mode):
    daemon = catch(f"--print={mode}")
    send(daemon, "Subject: \x1b[2Jboo\x07 \xc2\x9bx\r\nX-A: \x1b]0;t\x07\r\n\r\n\x1b[31mred\r\n"
         .encode("latin-1"))
    send(daemon, "Subject: last\r\n\r\nhi\r\n")
    wait_until(lambda: any("last" in line for line in daemon.output), "both messages")
    text = "\n".join(daemon.output)
    assert "boo" in text
    assert not any(ord(c) < 0x20 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0 for c in text)


@pytest.mark.parametrize("environment, colours", [
    ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_it_says_no(catch, environment, colours):
    ours, theirs = os.openpty()
    daemon = catch("--print=headers", stdout=theirs, environment=environment)
    os.close(theirs)
    send(daemon, "Subject: \x1b[31mred\r\n folded\r\nX-Y: z\r\n\r\nhi\r\n")
    text = b""
    while b"X-Y" not in text:
        text += os.read(ours, 4096)
    assert (b"\x1b[36mSubject\x1b[0m: ?[31mred\r\n folded" in text) == colours
    assert (b"\x1b" in text) == colours
    daemon.stop()
    os.close(ours)


def test_nothing_is_printed_unasked(catch):
    daemon = catch()
    send(daemon)
    daemon.stop()
    assert daemon.output == []


def test_it_goes_on_when_stdout_closes(catch):
    reader, writer = os.pipe()
    daemon = catch("--print", stdout=writer)
    os.close(writer)
    os.close(reader)
    send(daemon)
    wait_until(lambda: daemon.has_line("printing stopped"), "it is said")
    send(daemon)
    assert daemon.cli_json("status")["spool"]["inbox"] == 2


def test_a_pipe_that_nobody_reads_does_not_keep_it_from_stopping(catch):
    reader, writer = os.pipe()
    daemon = catch("--print=full", stdout=writer)
    os.close(writer)
    send(daemon, "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 5_000)
    wait_until(lambda: daemon.cli_json("status")["spool"]["inbox"] == 1, "it is there")
    daemon.stop()
    os.close(reader)
    assert daemon.has_line("printing stopped") and daemon.has_line("info stopped")


# ---- what is saved -------------------------------------------------------------------------


def test_each_message_becomes_a_file_whose_name_is_printed(catch, tmp_path):
    mails = tmp_path / "mails"
    daemon = catch("--save", str(mails))
    send(daemon)
    send(daemon, "Subject: two\r\n\r\nhi\r\n")
    lines = shown(daemon, 2)
    names = [line.removeprefix("saved ") for line in lines]
    assert all(re.fullmatch(re.escape(str(mails)) + r"/\d{14}-[0-9A-HJKMNP-TV-Z]{13}\.eml", name)
               for name in names)
    assert sorted(names) == sorted(str(path) for path in mails.iterdir())
    first = (mails / names[0]).read_bytes()
    assert first.startswith(b"Received: from client.test")
    assert first.endswith(LETTER.encode())


def test_a_file_appears_whole(catch, tmp_path):
    mails = tmp_path / "mails"
    daemon = catch("--save", str(mails))
    body = "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 50_000 + "the end\r\n"
    with daemon.smtp() as client:
        for _ in range(5):
            client.sendmail("a@example.com", ["b@example.org"], body)
    seen = {}

    def all_seen():
        for path in mails.glob("*.eml"):
            if path not in seen:
                seen[path] = path.read_bytes()
        return len(seen) == 5
    wait_until(all_seen, "five files")
    assert all(content.endswith(body.encode()) for content in seen.values())
    assert sorted(mails.iterdir()) == sorted(seen)


def test_a_save_that_fails_is_logged_and_tried_again(catch, tmp_path):
    mails = tmp_path / "mails"
    daemon = catch("--save", str(mails))
    mails.rmdir()
    send(daemon)
    wait_until(lambda: daemon.has_line("cannot save"), "it is said")
    send(daemon, "Subject: two\r\n\r\nhi\r\n")      # accepting goes on
    mails.mkdir()
    wait_until(lambda: len(list(mails.glob("*.eml"))) == 2, "both files")


def test_a_place_that_cannot_be_saved_to_is_an_error_at_the_start(catch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AssertionError, match="--save: cannot"):
        catch("--save", str(tmp_path / "file"))


@pytest.mark.threads
def test_it_ends_after_so_many_messages_all_printed_and_saved(catch, tmp_path):
    mails = tmp_path / "mails"
    daemon = catch("--print=json", "--save", str(mails), "--exit-after", "3")
    for n in range(3):
        send(daemon, f"Subject: {n}\r\n\r\nhi\r\n")
    assert daemon.process.wait(timeout=30) == 0
    wait_until(lambda: len(daemon.output) == 3, "three lines")
    assert [json.loads(line)["Subject"] for line in daemon.output] == ["0", "1", "2"]
    assert len(list(mails.glob("*.eml"))) == 3


# ---- its spool --------------------------------------------------------------------------------


def test_a_private_spool_goes_away_with_it(catch, tmp_path):
    daemon = catch(environment={"TMPDIR": str(tmp_path)})
    send(daemon)
    spools = list(tmp_path.glob("penstock-*"))
    assert len(spools) == 1 and spools[0].stat().st_mode & 0o77 == 0
    daemon.stop()
    assert list(tmp_path.glob("penstock-*")) == []


def test_a_kept_spool_is_there_at_the_next_start_and_is_no_news(catch, tmp_path):
    daemon = catch("--print", spool=str(tmp_path / "caught"))
    send(daemon)
    shown(daemon)
    daemon.kill()
    daemon.start()
    assert daemon.cli_json("status")["spool"]["inbox"] == 1
    send(daemon, "Subject: second\r\n\r\nhi\r\n")
    assert len(shown(daemon)) == 1 and "second" in daemon.output[0]


def test_the_inbox_keeps_the_newest_only(catch, peers):
    daemon = catch()
    source(peers, daemon.port, sessions=5, messages=530, length=1000)
    wait_until(lambda: daemon.cli_json("status")["spool"]["inbox"] == 500, "500 are kept")
    wait_until(lambda: daemon.cli_json("status")["spool"]["messages"] == 500, "500 messages")


def test_nothing_leaves_it(catch, sink):
    daemon = catch()
    send(daemon)
    counts = daemon.cli_json("status")["spool"]
    assert (counts["inbox"], counts["deliveries"]) == (1, 0)
    assert sink.sessions == []


# ---- who may talk to it --------------------------------------------------------------------------


@pytest.mark.threads
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_any_login_is_taken_and_no_password_is_kept(catch, mechanism):
    daemon = catch("--print=json", "-v")
    with daemon.smtp() as client:
        client.ehlo()
        client.user, client.password = "app", "canary-Xy3"
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")),
                    initial_response_ok=mechanism != "CRAM-MD5")
        client.sendmail("a@example.com", ["b@example.org"], LETTER)
    assert json.loads(shown(daemon)[0])["Username"] == "app"
    daemon.stop()
    assert "canary" not in daemon.log() and "canary" not in daemon.output[0]


def test_a_cancelled_or_mangled_login_is_an_answer_not_an_end(catch):
    daemon = catch()
    with daemon.smtp() as client:
        client.ehlo()
        assert client.docmd("AUTH PLAIN")[0] == 334
        assert client.docmd("*")[0] == 501
        assert client.docmd("AUTH PLAIN ====")[0] == 501
        assert client.docmd("AUTH PLAIN " + "QUJD" * 4000)[0] == 500
        assert client.docmd("AUTH BOGUS")[0] == 504
        client.login("app", "secret")
        assert client.docmd("AUTH PLAIN AGEAYg==")[0] == 503
        client.sendmail("a@example.com", ["b@example.org"], LETTER)


def test_too_many_received_fields_are_a_loop(catch):
    """RFC 5321 6.3."""
    daemon = catch()
    with daemon.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("a@example.com", ["b@example.org"],
                            "Received: from a by b; x\r\n" * 101 + LETTER)
    assert refused.value.smtp_code == 554 and b"5.4.6" in refused.value.smtp_error


# ---- how it is started -----------------------------------------------------------------------------


def test_it_says_where_to_point_an_application_and_a_command_that_works(catch):
    daemon = catch("--print")
    assert daemon.has_line(f"SMTP host 127.0.0.1, port {daemon.port}")
    words = next(line for line in daemon.lines if "Send a first mail:" in line).split(":")[1].split()
    done = subprocess.run([words[0], "--socket", daemon.control, *words[1:]], check=True,
                          capture_output=True, text=True)
    assert "queued as" in done.stdout
    assert "A first mail" in shown(daemon)[0]


def test_every_option_comes_from_the_environment(start, tmp_path):
    mails = tmp_path / "mails"
    daemon = start(arguments=[], environment={
        "PENSTOCK_CATCH": "yes", "PENSTOCK_SMTP": "127.0.0.1:0,127.0.0.1:0",
        "PENSTOCK_SPOOL": "none", "PENSTOCK_PRINT": "json", "PENSTOCK_SAVE": str(mails),
        "PENSTOCK_EXIT_AFTER": "1"})
    assert len(re.findall(r"listening on=127", daemon.log())) == 2
    send(daemon)
    assert daemon.process.wait(timeout=30) == 0
    wait_until(lambda: daemon.output, "a line")
    assert json.loads(daemon.output[0])["Subject"] == "Grüße"
    assert len(list(mails.glob("*.eml"))) == 1


def test_the_command_line_goes_over_the_environment(catch):
    daemon = catch("--print=line", environment={"PENSTOCK_PRINT": "json",
                                                "PENSTOCK_SMTP": "127.0.0.1:1"})
    send(daemon)
    assert "->" in shown(daemon)[0]


def run(build, *words, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    return subprocess.run([build / "src/penstockd", *words], env=clean | environment, timeout=30,
                          capture_output=True, text=True)


@pytest.mark.parametrize("words, environment, said", [
    (["--catch"], {"PENSTOCK_SMPT": "127.0.0.1:0"}, "did you mean PENSTOCK_SMTP"),
    (["--catch", "--pritn"], {}, "did you mean --print"),
    (["--catch", "--print=loud"], {}, "--print"),
    (["--catch", "--smtp", "nowhere"], {}, "--smtp"),
    (["--catch", "--exit-after", "many"], {}, "--exit-after"),
    (["--catch", "--password=x"], {}, "PENSTOCK_PASSWORD"),
    (["--catch", "--print", "--print"], {}, "twice"),
])
def test_a_wrong_option_is_named_with_what_would_be_right(build, words, environment, said):
    done = run(build, *words, **environment)
    assert done.returncode in (64, 78)
    assert said in done.stderr


def test_a_busy_port_names_its_cure(build, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run(build, "--catch", "--smtp", f"127.0.0.1:{port}", "--spool", "none", "--socket",
                   str(tmp_path / "control.sock"), TMPDIR=str(tmp_path))
    assert done.returncode == 69
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr and "another port" in done.stderr
    assert list(tmp_path.glob("penstock-*")) == []


def test_no_place_for_a_private_spool_is_an_error(build, tmp_path):
    done = run(build, "--catch", "--smtp", "127.0.0.1:0", "--spool", "none", "--socket",
               str(tmp_path / "control.sock"), TMPDIR=str(tmp_path / "absent"))
    assert done.returncode == 69
    assert "cannot make a temporary spool" in done.stderr


def as_nobody():
    """A prefix that gives up root; nothing for a user."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def home(build):
    """A home of an ordinary user, with the programs in it, which need not be readable otherwise."""
    path = f"/tmp/penstock-home-{os.getpid()}"
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path, 0o755)
    for program in ("penstockd", "penstock"):
        shutil.copy(build / "src" / program, path)
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
    yield path
    shutil.rmtree(path)


def test_a_user_needs_no_configuration_and_no_privileges(build, home):
    port = unused_port()
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith(("PENSTOCK_", "XDG_"))} | {"HOME": home, "TMPDIR": home}
    with subprocess.Popen([*as_nobody(), f"{home}/penstockd", "--catch", "--smtp",
                           f"127.0.0.1:{port}", "--exit-after", "1", "--print"], env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as daemon:
        line = ""
        while "Send a first mail" not in line:
            line = daemon.stderr.readline()
            assert line != "", "it ended"
        # The command it proposes finds the daemon by itself.
        subprocess.run([*as_nobody(), f"{home}/penstock", "send", "--to", "you@example.com"],
                       env=environment, check=True, capture_output=True, timeout=30)
        output, _ = daemon.communicate(timeout=30)
    assert daemon.returncode == 0 and "you@example.com" in output
    state = f"{home}/.local/state/penstock-catch"
    assert os.path.isdir(state) and os.stat(state).st_mode & 0o77 == 0


def test_it_answers_a_signal_within_moments_of_an_open_session(catch):
    daemon = catch()
    with daemon.smtp() as client:
        client.ehlo()
        begun = time.monotonic()
        daemon.stop()
        assert time.monotonic() - begun < 30
        with pytest.raises(smtplib.SMTPServerDisconnected):
            while client.noop()[0] == 421:
                pass
