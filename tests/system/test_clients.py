# SPDX-License-Identifier: ISC
"""Real clients, as they are installed: each sends a mail with a login over STARTTLS, and one
without either."""

import base64
import email
import email.policy
import json
import os
import smtplib
import ssl
import subprocess

import pytest

from penstock import wait_until

PASSWORD = "correct horse"
LETTER = "From: a@example.com\nTo: b@example.org\nSubject: from {client}\n\nhello\n.\n..\n"

PERL = """
use strict; use warnings; use Net::SMTP;
my ($port, $ca, $user, $password) = @ARGV;
my $smtp = Net::SMTP->new('127.0.0.1', Port => $port, Hello => 'client.test') or die "connect: $@";
if (defined $user) {
    $smtp->starttls(SSL_ca_file => $ca, SSL_verifycn_name => 'localhost') or die 'starttls: ' . $smtp->message;
    $smtp->auth($user, $password) or die 'auth: ' . $smtp->message;
}
$smtp->mail('a@example.com') && $smtp->to('b@example.org') && $smtp->data(<STDIN>)
    or die 'mail: ' . $smtp->message;
$smtp->quit;
"""

# Reads {"transport": ..., "mails": [...]}, sends all at once, says what the server said to each.
NODE = """
const { transport, mails } = JSON.parse(require('fs').readFileSync(0));
const mailer = require('nodemailer').createTransport(transport);
Promise.all(mails.map(mail => mailer.sendMail(mail))).then(
    sent => { console.log(JSON.stringify(sent)); mailer.close(); },
    error => { console.error(error); process.exit(1); });
"""


class Clients:
    """Each method sends a letter; login: over STARTTLS, else in clear without."""

    def __init__(self, port, ca, home, peers):
        self.port, self.ca, self.home, self.peers = str(port), ca, home, peers

    def run(self, *words, letter=None):
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "MAILRC": "/dev/null",
                       "NODE_PATH": os.path.join(self.peers, "usr/share/nodejs")}
        done = subprocess.run(words, input=letter, env=environment, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, f"{words[0]}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def smtplib(self, letter, login):
        with smtplib.SMTP("127.0.0.1", int(self.port), timeout=30) as client:
            if login:
                context = ssl.create_default_context(cafile=self.ca)
                context.check_hostname = False
                client.starttls(context=context)
                client.login("crm", PASSWORD)
            client.sendmail("a@example.com", ["b@example.org"], letter)

    def curl(self, letter, login):
        words = ["--ssl-reqd", "--cacert", self.ca, "--user", f"crm:{PASSWORD}"] if login else []
        self.run("curl", "--silent", "--show-error", *words, "--crlf",
                 f"smtp://localhost:{self.port}", "--ipv4", "--mail-from", "a@example.com",
                 "--mail-rcpt", "b@example.org", "--upload-file", "-", letter=letter)

    def swaks(self, letter, login):
        words = ["--tls", "--auth", "PLAIN", "--auth-user", "crm", "--auth-password", PASSWORD,
                 "--tls-verify", "--tls-ca-path", self.ca] if login else []
        self.run("swaks", "--server", f"localhost:{self.port}", *words, "--from", "a@example.com",
                 "--to", "b@example.org", "--data", "-", letter=letter)

    def msmtp(self, letter, login):
        words = ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={self.ca}", "--auth=login",
                 "--user=crm", f"--passwordeval=echo '{PASSWORD}'"] if login else []
        self.run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={self.port}", *words,
                 "--from=a@example.com", "b@example.org", letter=letter)

    def s_nail(self, letter, login):
        user = f"crm:{PASSWORD.replace(' ', '%20')}@" if login else ""
        words = [f"mta=smtp://{user}localhost:{self.port}", "v15-compat=yes",
                 "smtp-auth=plain" if login else "smtp-auth=none", f"tls-ca-file={self.ca}",
                 "smtp-use-starttls" if login else "nosmtp-use-starttls", "sendwait",
                 "from=a@example.com", "tls-verify=strict"]
        subject, body = letter.split("\n\n", 1)
        self.run("s-nail", "-n", *(word for option in words for word in ("-S", option)),
                 "-s", subject.rsplit(": ", 1)[1], "-r", "a@example.com", "b@example.org",
                 letter=body)

    def net_smtp(self, letter, login):
        words = ["crm", PASSWORD] if login else []
        self.run("perl", "-e", PERL, self.port, self.ca, *words, letter=letter)

    def nodemailer(self, letter, login):
        self.node([{"envelope": {"from": "a@example.com", "to": "b@example.org"}, "raw": letter}],
                  login)

    def node(self, mails, login, **transport):
        """Sends them by nodemailer, and returns what it says of each."""
        # By address: for a name it would ask a DNS server.
        transport |= {"host": "127.0.0.1", "port": int(self.port), "ignoreTLS": not login}
        if login:
            with open(self.ca, encoding="ascii") as ca:
                transport |= {"requireTLS": True, "auth": {"user": "crm", "pass": PASSWORD},
                              "tls": {"ca": ca.read(), "servername": "localhost"}}
        return json.loads(self.run("node", "--no-warnings", "-e", NODE,
                                   letter=json.dumps({"transport": transport, "mails": mails})))


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    digest = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True,
                            stdout=subprocess.PIPE, check=True).stdout
    path.write_text(f"crm:{digest}")
    path.chmod(0o600)
    return path


@pytest.fixture
def server(start, users, certificates, tmp_path, peers):
    """A daemon, and clients that know it."""
    daemon = start(listen=f'auth = "optional"  users = "{users}"\n'
                          f'certificate = "{certificates}/good.pem"\n'
                          f'key = "{certificates}/good.key"\n')
    yield daemon, Clients(daemon.port, f"{certificates}/ca.pem", tmp_path, peers)
    assert PASSWORD not in daemon.log()


@pytest.mark.parametrize("client", ["smtplib", "curl", "swaks", "msmtp", "s_nail", "net_smtp",
                                    "nodemailer"])
def test_client(server, sink, client):
    letter = LETTER.format(client=client)
    for count, login in enumerate((False, True), 1):
        getattr(server[1], client)(letter, login)
        wait_until(lambda count=count: len(sink.messages) == count, "the message")
        got = sink.messages[-1]
        assert (got.sender, got.recipients) == ("a@example.com", ["b@example.org"])
        assert f"Subject: from {client}\r\n".encode() in got.content
        assert b"\r\n\r\nhello\r\n.\r\n..\r\n" in got.content
        assert (b" with ESMTPSA " in got.content) == login


@pytest.mark.parametrize("login", [False, True])
def test_nodemailer_pools_a_connection(server, sink, login):
    daemon, clients = server
    before = daemon.cli_json("status")["counters"]["sessions"]
    said = clients.node([{"from": "a@example.com", "to": "b@example.org", "subject": f"number {i}",
                          "text": ".\n..\nhello"} for i in range(12)],
                        login, pool=True, maxConnections=1)
    assert all(" queued as " in one["response"] for one in said) and len(said) == 12
    assert daemon.cli_json("status")["counters"]["sessions"] == before + 1
    wait_until(lambda: len(sink.messages) == 12, "the messages")
    subjects = {email.message_from_bytes(one.content)["Subject"] for one in sink.messages}
    assert subjects == {f"number {i}" for i in range(12)}


def test_nodemailer_sends_attachments_and_utf8(server, sink):
    attachment = bytes(range(256)) * 400
    said = server[1].node([{
        "from": "J\u00f6rg <j\u00f6rg@example.com>", "to": "\u7528\u6237@example.org",
        "subject": "Gr\u00fc\u00dfe", "text": "\u00e4\n.\n", "attachments": [
            {"filename": "\u00fc.bin", "content": base64.b64encode(attachment).decode(),
             "encoding": "base64"}]}], True)
    assert said[0]["accepted"] == ["\u7528\u6237@example.org"]
    wait_until(lambda: sink.messages, "the message")
    got = sink.messages[0]
    assert (got.sender, got.recipients) == ("j\u00f6rg@example.com", ["\u7528\u6237@example.org"])
    assert "SMTPUTF8" in got.sender_parameters
    assert b" with UTF8SMTPSA " in got.content
    parsed = email.message_from_bytes(got.content, policy=email.policy.default)
    assert parsed["Subject"] == "Gr\u00fc\u00dfe"
    assert parsed.get_body().get_content() == "\u00e4\n.\n"
    (part,) = parsed.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("\u00fc.bin", attachment)
