# SPDX-License-Identifier: ISC
"""The configuration as its writer meets it: what is refused with which words, what -n shows, how
the daemon goes to the background, and the relay without a file."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

from penstock import Penstockd, wait_until
from smarthost import Smarthost

SECRET = "canary-Pw5"
GOOD = 'provider "sink" { url = "smtp+notls://127.0.0.1:2525" }\n'


@pytest.fixture
def check(build, tmp_path):
    """check(text): what penstockd -n makes of this file."""
    def check(text, *words, name="penstock.conf", **environment):
        path = tmp_path / name
        path.write_text(text)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        return subprocess.run([build / "src/penstockd", "-n", "-f", path, *words], timeout=30,
                              capture_output=True, text=True, env=clean | environment)
    return check


# ---- what is printed -------------------------------------------------------------------------


def test_what_is_printed_is_a_configuration_that_means_the_same(check):
    text = ('hostname = "relay.example.net"\n' + GOOD.replace("}", 'rate = { "10/s", "500/h burst 20" } }')
            + 'route "bulk" { sender = { "*@news.example.com" } via = { "sink" } priority = -5\n'
            'retry = { "90s", "2h" } expire = "3d" }\nlisten "[::1]:2526" { max-recipients = 200 }\n')
    first = check(text)
    assert first.returncode == 0, first.stderr
    for word in ('"relay.example.net"', '"10/s"', '"500/h burst 20"', "-5", '"2h"', "200"):
        assert word in first.stdout
    second = check(first.stdout, name="printed.conf")
    assert second.returncode == 0, second.stderr

    def plain(text):
        return [line.partition("#")[0].split() for line in text.splitlines()]
    assert plain(second.stdout) == plain(first.stdout)


def test_the_origin_of_each_value_is_shown(check):
    shown = check(GOOD + 'stop-timeout = "5s"\n', "--spool", "/tmp/elsewhere").stdout
    assert re.search(r'stop-timeout = "5s" +# .*penstock.conf:2', shown)
    assert re.search(r'path = "/tmp/elsewhere" +# --spool', shown)
    assert re.search(r'max-size = "16GiB" +# default', shown)


def test_secrets_are_hidden(check, tmp_path):
    (tmp_path / "password").write_text(SECRET + "\n")
    for more in (f'password-file = "{tmp_path}/password"', 'password-env = "MY_SECRET"'):
        done = check('provider "p" { url = "smtp://user@smtp.example.net:587" ' + more + " }\n",
                     MY_SECRET=SECRET)
        assert done.returncode == 0, done.stderr
        assert "user" in done.stdout and SECRET not in done.stdout + done.stderr


def test_a_check_starts_nothing_and_makes_nothing(check, tmp_path):
    check(GOOD + f'spool {{ path = "{tmp_path}/spool" }}\ncontrol {{ socket = "{tmp_path}/s" }}\n')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["penstock.conf"]


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("text, line, words", [
    ("hostnam = \"x\"\n", 1, ["hostnam", 'hostname']),
    ("\n\nbogus = 1\n", 3, ["bogus"]),
    ('hostname = "a"\nhostname = "b"\n', 2, ["hostname"]),
    ('hostname = "not a host"\n', 1, ["hostname", "relay.example.net"]),
    ('stop-timeout = "5 parsecs"\n', 1, ["stop-timeout", "90s"]),
    ('spool { max-size = "lots" }\n', 1, ["max-size", "MiB"]),
    ('spool {\n path = "relative"\n}\n', 2, ["path", "absolute"]),
    ('listen "127.0.0.1" { }\n', 1, ["127.0.0.1"]),
    ('listen "127.0.0.1:0" {\n tls = "sometimes"\n}\n', 2, ["tls", "starttls"]),
    ('listen "127.0.0.1:0" {\n tls = "required"\n}\n', 2, ["tls", "certificate"]),
    ('listen "127.0.0.1:0" {\n auth = "any"\n}\n', 2, ["auth", "--catch"]),
    ('listen "127.0.0.1:0" {\n certificate = "/absent.pem" key = "/absent.pem" tls = "starttls"\n}\n', 2,
     ["certificate", "/absent.pem"]),
    ('provider "q" { url = "http://x" }\n', 1, ["url", "smtp://"]),
    ('provider "q" { url = "smtp://localhost:1" rate = { "fast" } }\n', 1, ["rate", "14/s"]),
    ('provider "q" { url = "smtp://localhost:1" password = "x" }\n', 1, ["password", "password-file"]),
    ('provider "q" { url = "smtp://u:%s@localhost:1" }\n' % SECRET, 1, ["url", "password-file"]),
    ('route "r" { via = { "nowhere" } }\n', 1, ["nowhere"]),
    ('hostname = "unfinished\n', 2, ["no closing"]),
    ('spool { path = "/x"\n', 1, [""]),
    # A login needs TLS that is verified.
    ('provider "q" { url = "smtp+notls://u@localhost:1" password-env = "HOME" }\n', 1, ["smtps://"]),
    ('provider "q" { url = "smtp://u@localhost:1" password-env = "HOME"\n tls-verify = "off" }\n', 2,
     ["tls-verify", "tls-ca"]),
    ('provider "q" { url = "smtp://u@localhost:1" }\n', 1, ["password-file"]),
    # An open relay has to be asked for.
    ('listen "127.0.0.1:0" {\n relay-from = { "0.0.0.0/0" }\n}\n', 2, ["open relay", "open-relay"]),
    ('listen "127.0.0.1:0" {\n relay-from = { "127.0.0.0/8", "203.0.113.0/24" }\n}\n', 2,
     ["203.0.113.0/24", "open-relay"]),
])
def test_an_error_names_file_line_option_and_cure(check, tmp_path, text, line, words):
    done = check(text + GOOD)
    assert done.returncode == 78 and done.stdout == ""
    assert f"{tmp_path}/penstock.conf:{line}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr
    assert SECRET not in done.stderr


def test_mail_beyond_this_host_without_tls_needs_its_name(check):
    done = check('provider "p" { url = "smtp+notls://smtp.example.net:25" }\n')
    assert done.returncode == 0 and "without TLS" in done.stderr


def test_private_networks_are_noted_and_an_open_relay_may_be_wanted(check):
    done = check('listen "127.0.0.1:0" { relay-from = { "10.0.0.0/8" } }\n' + GOOD)
    assert done.returncode == 0 and "10.0.0.0/8" in done.stderr
    done = check('listen "127.0.0.1:0" { relay-from = { "0.0.0.0/0" } open-relay = true }\n' + GOOD)
    assert done.returncode == 0 and "open relay" in done.stderr


def test_the_log_can_be_json(build, tmp_path, sink):
    daemon = Penstockd(build, tmp_path, relay_to=sink.port, extra='log { format = "json" }')
    daemon.process = subprocess.Popen(daemon.arguments, stderr=subprocess.PIPE, text=True)
    try:
        first = json.loads(daemon.process.stderr.readline())
        daemon.process.terminate()
        rest = [json.loads(line) for line in daemon.process.stderr]
        assert first["level"] and any(event["event"] == "stopped" for event in rest), rest
    finally:
        daemon.process.wait(timeout=30)


def test_a_file_that_is_not_there_is_told(build, tmp_path):
    done = subprocess.run([build / "src/penstockd", "-f", tmp_path / "absent"], timeout=30,
                          capture_output=True, text=True)
    assert done.returncode == 78 and str(tmp_path / "absent") in done.stderr


def test_relaying_is_denied_to_whom_it_is_not_allowed(start):
    daemon = start(listen='relay-from = { "127.0.0.2" }')
    with daemon.smtp() as client:
        client.ehlo()
        client.mail("a@example.com")
        assert client.rcpt("b@example.org")[0] == 554
    with daemon.smtp(source_address=("127.0.0.2", 0)) as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")


# ---- the background ------------------------------------------------------------------------------


@pytest.fixture
def background(build, tmp_path, sink):
    """background(...): starts it without -F; the CompletedProcess of what a script sees."""
    daemon = Penstockd(build, tmp_path, relay_to=sink.port, extra='log { target = "stderr" }')

    def background(extra=""):
        path = tmp_path / "penstock.conf"
        path.write_text(path.read_text() + extra)
        with open(daemon.log_path, "wb") as log:
            done = subprocess.run([daemon.program, "-f", path], stdin=subprocess.DEVNULL, timeout=30,
                                  stdout=subprocess.PIPE, stderr=log)
        return daemon, done.returncode
    yield background
    pid = lock_holder(daemon)
    if pid:
        os.kill(pid, signal.SIGKILL)


def lock_holder(daemon):
    """The process that holds the spool; None: it is gone."""
    try:
        with open(os.path.join(daemon.spool, "lock"), encoding="ascii") as lock:
            pid = int(lock.read() or 0)
        with open(f"/proc/{pid}/cmdline", "rb") as command:
            return pid if b"penstockd" in command.read() else None
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def test_the_parent_ends_when_the_daemon_is_ready(background, sink):
    daemon, status = background()
    assert status == 0
    # At once, without waiting for anything.
    assert daemon.cli_json("status")["mode"] == "relay"
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    wait_until(lambda: sink.messages, "the message")
    pid = lock_holder(daemon)
    assert os.getsid(pid) == pid and os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: lock_holder(daemon) is None, "it has stopped")
    assert daemon.lines[-1].endswith("stopped")


def test_the_parent_fails_with_words_when_the_daemon_does(background, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        daemon, status = background(f'listen "127.0.0.1:{busy.getsockname()[1]}" {{ }}\n')
    assert status == 69 and "is in use by another program" in daemon.log()
    assert lock_holder(daemon) is None


def test_what_fails_after_the_fork_is_told_too(background, tmp_path):
    (tmp_path / "spool").mkdir(mode=0o700)
    (tmp_path / "spool/data.mdb").write_bytes(b"this is no spool" * 1000)
    daemon, status = background()
    assert status == 69 and "data.mdb" in daemon.log()


# ---- a relay without a file -------------------------------------------------------------------------


@pytest.fixture
def relay(start, tmp_path):
    """relay(url, ...): penstockd --relay."""
    def relay(url, *words, **options):
        return start(arguments=["--relay", url, "--smtp", "127.0.0.1:0", "--spool",
                                str(tmp_path / "spool")], options=words, **options)
    return relay


def test_one_line_is_a_relay(relay, sink):
    daemon = relay(f"smtp://127.0.0.1:{sink.port}", "--rate", "100/s")
    wait_until(lambda: daemon.has_line(f"ready: connected to 127.0.0.1 port {sink.port}"), "the probe")
    assert daemon.has_line(f"point applications at SMTP host 127.0.0.1, port {daemon.port}")
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    wait_until(lambda: sink.messages, "the message")
    daemon.drained()


def test_a_relay_that_cannot_connect_says_why_and_keeps_the_mail(relay, sink):
    sink.stop()
    daemon = relay(f"smtp://127.0.0.1:{sink.port}")
    wait_until(lambda: daemon.has_line(f"not ready: 127.0.0.1 port {sink.port}: .*refused"), "the probe")
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    sink.start()
    wait_until(lambda: sink.messages, "the message")


def test_a_login_that_is_refused_is_said_at_the_start(relay, certificates):
    with Smarthost(certificate=certificates / "good.pem", key=certificates / "good.key",
                   users={"user": "another"}) as host:
        daemon = relay(f"smtp://user@localhost:{host.port}",
                       environment={"PENSTOCK_PASSWORD": SECRET,
                                    "SSL_CERT_FILE": str(certificates / "ca.pem")})
        wait_until(lambda: daemon.has_line("not ready: localhost .*535 5.7.8"), "the probe")
        assert SECRET not in daemon.log()


@pytest.mark.parametrize("from_file", [True, False])
def test_the_password_comes_from_a_file_or_the_environment(relay, certificates, tmp_path, from_file):
    (tmp_path / "password").write_text(SECRET + "\n")
    words = ["--password-file", str(tmp_path / "password")] if from_file else []
    environment = {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    if not from_file:
        environment["PENSTOCK_PASSWORD"] = SECRET
    with Smarthost(certificate=certificates / "good.pem", key=certificates / "good.key",
                   users={"user@example.com": SECRET}) as host:
        daemon = relay(f"smtp://user@example.com@localhost:{host.port}", *words, environment=environment)
        wait_until(lambda: daemon.has_line("ready: connected"), "the probe")
        with daemon.smtp() as client:
            client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
        wait_until(lambda: host.messages, "the message")
        assert host.messages[0].login == "user@example.com"
        with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as command:
            assert SECRET.encode() not in command.read()


@pytest.mark.parametrize("words, said", [
    (["--relay", f"smtp://user:{SECRET}@localhost"], "--password-file"),
    (["--relay", "smtp://user@localhost"], "PENSTOCK_PASSWORD"),
    (["--relay", "smtp+notls://user@localhost", "--password-file", "/dev/null"], "smtps://"),
    (["--relay", "smtp://localhost", "--rate", "often"], "--rate"),
    (["--relay", "ftp://localhost"], "--relay"),
    (["--relay", "smtp://localhost", "-f", "/etc/passwd"], "--relay"),
])
def test_a_relay_that_cannot_be_is_refused(build, words, said):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    done = subprocess.run([build / "src/penstockd", *words], timeout=30, capture_output=True, text=True,
                          env=clean)
    assert done.returncode in (64, 78)
    assert said in done.stderr and SECRET not in done.stderr
