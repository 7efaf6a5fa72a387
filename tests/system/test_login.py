# SPDX-License-Identifier: ISC
"""Logins of clients: the users' file, TLS, what a login may do, and that no password stays."""

import base64
import os
import smtplib
import socket
import ssl
import subprocess

import pytest

from penstock import wait_until

PASSWORD = "correct horse"
CANARY = "canary-7f3a91-password"


def hashed(password):
    """crypt(3), as an administrator makes it."""
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def hashes():
    return {password: hashed(password) for password in (PASSWORD, CANARY)}


@pytest.fixture
def users(tmp_path, hashes):
    """Writes the users' file: users(name=password, ...)."""
    path = tmp_path / "users"

    def write(**logins):
        new = tmp_path / "users.new"
        new.write_text("".join(f"{name}:{hashes[password]}\n" for name, password in logins.items()))
        new.chmod(0o600)
        os.rename(new, path)
        return path
    write(crm=PASSWORD)
    return write


def listen(users, certificates, auth="required", more=""):
    return (f'auth = "{auth}"  users = "{users(crm=PASSWORD)}"\n'
            f'certificate = "{certificates}/good.pem"  key = "{certificates}/good.key"\n{more}\n')


def client_context(certificates):
    context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
    context.check_hostname = False
    return context


def send(daemon, context=None, login=None, sender="a@example.com"):
    with daemon.smtp() as client:
        if context is not None:
            client.starttls(context=context)
        if login is not None:
            client.login(*login)
        client.sendmail(sender, ["b@example.org"], b"Subject: one\r\n\r\nhello\r\n")


@pytest.mark.threads
def test_a_login_over_starttls_sends_and_is_said_in_the_trace(start, users, certificates, sink):
    daemon = start(listen=listen(users, certificates))
    send(daemon, client_context(certificates), ("crm", PASSWORD))
    wait_until(lambda: sink.messages, "the message")
    assert b" with ESMTPSA " in sink.messages[0].content
    assert daemon.has_line('message accepted .* login="crm"')
    assert PASSWORD not in daemon.log()


def test_required_means_it(start, users, certificates):
    daemon = start(listen=listen(users, certificates))
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(daemon, client_context(certificates))
    assert refused.value.smtp_code == 530
    assert refused.value.smtp_error.startswith(b"5.7.0")


def test_optional_lets_relay_who_else_may_not(start, users, certificates, sink):
    more = 'relay-from = { "10.255.255.0/24" }'
    daemon = start(listen=listen(users, certificates, "optional", more))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(daemon)
    assert refused.value.recipients["b@example.org"][0] == 554
    send(daemon, login=("crm", PASSWORD))
    wait_until(lambda: sink.messages, "the message")
    assert b" with ESMTPA " in sink.messages[0].content


def test_tls_required_hides_auth_until_then(start, users, certificates):
    daemon = start(listen=listen(users, certificates, more='tls = "required"'))
    with daemon.smtp() as client:
        client.ehlo()
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] == 530
        client.starttls(context=client_context(certificates))
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]


@pytest.mark.threads
def test_wrong_and_unknown_are_refused_alike(start, users, certificates):
    daemon = start(listen=listen(users, certificates))
    replies = []
    for name, password in (("crm", "wrong"), ("nobody", PASSWORD)):
        with daemon.smtp() as client:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.user, client.password = name, password
                client.ehlo()
                client.auth("PLAIN", client.auth_plain)
            replies.append((refused.value.smtp_code, refused.value.smtp_error))
    assert replies[0] == replies[1]
    assert replies[0][0] == 535 and replies[0][1].startswith(b"5.7.8")
    assert daemon.has_line("login refused client=127.0.0.1 login=\"crm\"")
    assert not daemon.has_line("nobody")


def test_a_changed_file_counts_soon(start, users, certificates, sink):
    daemon = start(listen=listen(users, certificates))
    send(daemon, login=("crm", PASSWORD))
    users(crm=CANARY)

    def old_one_is_gone():
        try:
            send(daemon, login=("crm", PASSWORD))
        except smtplib.SMTPAuthenticationError:
            return True
        return False
    wait_until(old_one_is_gone, "the old password is refused")
    send(daemon, login=("crm", CANARY))
    (daemon_users := users(crm=CANARY)).write_text("crm\n")
    wait_until(lambda: daemon.has_line(r"users' file not taken reason=.*users:1: write NAME:HASH"),
               "the fault is told")
    send(daemon, login=("crm", CANARY))
    assert daemon_users.exists()


def test_routes_and_senders_by_login(start, users, certificates, sink):
    extra = ('login "crm" { sender = { "*@example.com" } }\n'
             'route "crm" { login = { "crm" }  via = { "sink" } }\n'
             'route "rest" { via = { "sink" }  hold = true }\n')
    daemon = start(listen=listen(users, certificates, "optional"), extra=extra)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(daemon, login=("crm", PASSWORD), sender="a@example.net")
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (553, b"5.7.1")
    send(daemon, sender="held@example.net")
    send(daemon, login=("crm", PASSWORD), sender="a@example.com")
    wait_until(lambda: sink.messages, "the message of the login")
    assert [m.sender for m in sink.messages] == ["a@example.com"]
    wait_until(lambda: daemon.waiting() == 1, "the other one is held")


def everything_of(process):
    """The memory of a process, piece by piece."""
    with open(f"/proc/{process}/maps", encoding="ascii") as maps, \
            open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for line in maps:
            words = line.split()
            first, last = (int(word, 16) for word in words[0].split("-"))
            # The spool's map is a file, and larger than anything.
            if not words[1].startswith("rw-p"):
                continue
            try:
                memory.seek(first)
                yield memory.read(last - first)
            except OSError:
                continue


@pytest.mark.memory
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "pieces"])
def test_no_password_stays_in_memory_or_log(start, users, certificates, tls, pieces):
    daemon = start(listen=listen(users, certificates), options=["-v"])
    users(crm=CANARY)
    plain = base64.b64encode(b"\0crm\0" + CANARY.encode())
    with daemon.smtp() as client:
        if tls:
            client.starttls(context=client_context(certificates))
        client.ehlo()
        line = b"AUTH PLAIN " + plain + b"\r\n"
        for part in (line[:30], line[30:]) if pieces else (line,):
            client.sock.sendall(part)
            if pieces and part is not line[30:]:
                wait_until(lambda: unread(client.sock) == 0, "the piece is read")
        assert client.getreply()[0] == 235
        client.noop()
        assert any(b"relay.test" in piece for piece in everything_of(daemon.process.pid))
        secrets = (CANARY.encode(), plain[8:], plain[20:-4])
        for secret in secrets:
            found = sum(piece.count(secret) for piece in everything_of(daemon.process.pid))
            assert found == 0, f"{secret} is in memory {found} times"
    for secret in (CANARY, plain.decode()):
        assert secret not in daemon.log()


def unread(sock):
    """Octets that the daemon has not yet read from this connection."""
    ends = [f":{sock.getpeername()[1]:04X}", f":{sock.getsockname()[1]:04X}"]
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            words = line.split()
            if words[1].endswith(ends[0]) and words[2].endswith(ends[1]):
                return int(words[4].split(":")[1], 16)
    return 0


# ---- real clients -------------------------------------------------------------------


def test_curl_logs_in(start, users, certificates, sink, tmp_path):
    daemon = start(listen=listen(users, certificates))
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: from curl\r\n\r\nhello\r\n")
    for mechanism in ("PLAIN", "LOGIN"):
        subprocess.run(["curl", "--silent", "--show-error", "--ssl-reqd", "--insecure",
                        "--user", f"crm:{PASSWORD}", "--login-options", f"AUTH={mechanism}",
                        f"smtp://127.0.0.1:{daemon.port}", "--mail-from", "a@example.com",
                        "--mail-rcpt", "b@example.org", "--upload-file", letter], check=True)
    wait_until(lambda: len(sink.messages) == 2, "both messages")
    wrong = subprocess.run(["curl", "--silent", "--ssl-reqd", "--insecure", "--user", "crm:no",
                            f"smtp://127.0.0.1:{daemon.port}", "--mail-from", "a@example.com",
                            "--mail-rcpt", "b@example.org", "--upload-file", letter], check=False)
    assert wrong.returncode == 67   # CURLE_LOGIN_DENIED


# ---- the configuration ----------------------------------------------------------------


def test_a_bad_line_stops_the_start(build, tmp_path, users, certificates):
    path = users(crm=PASSWORD)
    path.write_text(path.read_text() + f"bob:{PASSWORD}\n")
    config = tmp_path / "penstock.conf"
    config.write_text(f'listen "127.0.0.1:0" {{ auth = "required" users = "{path}" }}\n'
                      'provider "p" { url = "smtp://127.0.0.1:25" }\n')
    done = subprocess.run([os.path.join(build, "src/penstockd"), "-n", "-f", config],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 78
    assert f"{path}:2: this is no hash that crypt(3) knows" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.root
def test_a_unix_socket_trusts_the_accounts_that_are_named(start, tmp_path, sink):
    path = tmp_path / "s.sock"
    daemon = start(extra=f'listen "unix:{path}" {{ peer-users = {{ "nobody" }} }}\n')
    assert daemon.port
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(path))
        one.sendall(b"HELO me\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nQUIT\r\n")
        said = one.makefile("rb").read().split(b"\r\n")
    assert said[3].startswith(b"554 5.7.1")
