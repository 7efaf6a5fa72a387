# SPDX-License-Identifier: ISC
"""What providers are logged in to with: every mechanism, access tokens, programs that print a
password, penstock login; and that none of it is found anywhere afterwards."""

import base64
import contextlib
import http.client
import json
import os
import subprocess
from urllib.parse import urlsplit

import pytest

from identity import INVALID_GRANT, Identity, Trouble
from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost

PASSWORD = "s3cr3t-canary"
REFRESH = "refresh-0-canary"
CLIENT_SECRET = "client-secret-canary"
LOGIN = "me@example.com"


@pytest.fixture
def started():
    things = []

    def start(thing):
        things.append(thing)
        return thing.__enter__()
    yield start
    for thing in things:
        thing.__exit__(None, None, None)


def smarthost(certificates, *mechanisms, **options):
    return Smarthost(certificate=certificates / "good.pem", key=certificates / "good.key",
                     users={LOGIN: PASSWORD}, mechanisms=mechanisms, **options)


def secret_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content + "\n")
    path.chmod(0o600)
    return path


def provider(certificates, host, text, name="to"):
    return (f'provider "{name}" {{ url = "smtp+tls://{LOGIN}@localhost:{host.port}" '
            f'tls-ca = "{certificates}/ca.pem" {text} }}\n'
            f'route "{name}" {{ via = {{ "{name}" }} retry = {{ "1s" }} }}\n')


def refresh_token(tmp_path, identity, more=""):
    token = secret_file(tmp_path, "refresh-token", REFRESH)
    secret = secret_file(tmp_path, "client-secret", CLIENT_SECRET)
    identity.refresh.add(REFRESH)
    return (f'oauth2 {{ token-url = "{identity.token_url}" client-id = "the-client" '
            f'client-secret-file = "{secret}" refresh-token-file = "{token}" {more} }}')


def send(daemon, count=1):
    with daemon.smtp() as client:
        for n in range(count):
            client.sendmail("a@example.com", [f"b{n}@to.test"], f"Subject: {n}\r\n\r\nhi\r\n")


def provider_status(daemon, name="to"):
    return next(p for p in daemon.cli_json("status")["providers"] if p["name"] == name)


def assert_nothing_leaked(daemon, *more):
    """No secret in what the daemon said or keeps."""
    secrets = [PASSWORD, REFRESH, CLIENT_SECRET, "access-", *more]
    secrets += [base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] for secret in secrets]
    with open(daemon.log_path, encoding="utf-8", errors="backslashreplace") as log:
        said = log.read()
    if daemon.process.poll() is None:
        said += json.dumps(daemon.cli_json("status")) + daemon.cli("queue").stdout.decode()
    for secret in secrets:
        assert secret not in said, secret
    for folder, _, files in os.walk(daemon.spool):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            for secret in secrets:
                assert secret.encode() not in content, (name, secret)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_mail_goes_after_a_login_by_each_mechanism(build, tmp_path, certificates, started, mechanism):
    host = started(smarthost(certificates, mechanism))
    password = secret_file(tmp_path, "password", PASSWORD)
    with Penstockd(build, tmp_path, options=["-v"],
                   extra=provider(certificates, host, f'password-file = "{password}"')) as daemon:
        send(daemon, 3)
        daemon.drained()
        assert_nothing_leaked(daemon)
    assert {message.login for message in host.messages} == {LOGIN}


def test_the_strongest_mechanism_is_taken_unless_one_is_named(build, tmp_path, certificates, started):
    offered = ("LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2")
    hosts = [started(smarthost(certificates, *offered)) for _ in range(2)]
    password = secret_file(tmp_path, "password", PASSWORD)
    config = provider(certificates, hosts[0], f'password-file = "{password}"')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        daemon.drained()
    config = provider(certificates, hosts[1], f'password-file = "{password}" auth = "login"')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        daemon.drained()
    said = [next(line for line, _ in host.sessions[0].heard if line.startswith(b"AUTH")).split(b" ")[1]
            for host in hosts]
    assert said == [b"SCRAM-SHA-256", b"LOGIN"]


def test_a_server_that_does_not_know_the_password_itself_gets_no_mail(build, tmp_path, certificates,
                                                                      started):
    host = started(smarthost(certificates, "SCRAM-SHA-256", "PLAIN"))
    host.scram_lies = True
    password = secret_file(tmp_path, "password", PASSWORD)
    with Penstockd(build, tmp_path,
                   extra=provider(certificates, host, f'password-file = "{password}"')) as daemon:
        send(daemon)
        wait_until(lambda: "did not prove" in provider_status(daemon)["why"], "the reason in status")
        assert daemon.waiting() == 1
        assert_nothing_leaked(daemon)
    assert not host.messages


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.threads
def test_many_connections_share_one_token(build, tmp_path, certificates, started, mechanism):
    identity = started(Identity())
    identity.delay = 0.3    # so that all connections wait for it
    host = started(smarthost(certificates, mechanism, "PLAIN", faults=[Fault("DOT", delay=0.05)]))
    host.tokens = identity.good
    config = provider(certificates, host, refresh_token(tmp_path, identity, 'scope = "mail send"') +
                      ' connections = 8 messages-per-connection = 5')
    with Penstockd(build, tmp_path, extra=config, options=["-v"]) as daemon:
        send(daemon, 100)
        daemon.drained()
        assert_nothing_leaked(daemon)
    assert len(host.messages) == 100 and len(host.sessions) > 8
    assert {message.login for message in host.messages} == {LOGIN}
    assert identity.asked == [{"grant_type": "refresh_token", "refresh_token": REFRESH,
                               "client_id": "the-client", "client_secret": CLIENT_SECRET,
                               "scope": "mail send"}]


def test_a_token_is_renewed_ahead_of_its_end(build, tmp_path, certificates, started):
    identity = started(Identity(life=5))
    host = started(smarthost(certificates, "XOAUTH2"))
    host.tokens = identity.good
    config = provider(certificates, host, refresh_token(tmp_path, identity) +
                      ' messages-per-connection = 1')
    with Penstockd(build, tmp_path, extra=config) as daemon:

        def two_were_asked_for():
            send(daemon)
            return len(identity.asked) == 2
        wait_until(two_were_asked_for, "a second token")
        daemon.drained()
        assert_nothing_leaked(daemon)
    assert not host.token_errors


@pytest.mark.parametrize("mechanism, answer", [("XOAUTH2", b""), ("OAUTHBEARER", b"\1")])
def test_a_refused_token_is_fetched_anew_once(build, tmp_path, certificates, started, mechanism,
                                             answer):
    identity = started(Identity())
    host = started(smarthost(certificates, mechanism))
    config = provider(certificates, host, refresh_token(tmp_path, identity))
    with Penstockd(build, tmp_path, extra=config, options=["-v"]) as daemon:
        send(daemon)    # host.tokens is empty: the first one is refused, and so is the second
        host.wait(lambda: len(host.token_errors) >= 3, "refused tokens")
        assert host.token_errors[0] == answer
        assert len(identity.asked) == 2
        assert "status 401" in provider_status(daemon)["why"]
        host.tokens = identity.good
        daemon.drained()
        assert_nothing_leaked(daemon)
    assert len(identity.asked) == 2 and len(host.messages) == 1


TROUBLES = {
    "revoked": (INVALID_GRANT, "invalid_grant.*penstock login"),
    "broken": (Trouble(500, "<html>no</html>"), "status 500"),
    "no json": (Trouble(200, "access_token=x"), "no token in its answer"),
    "a list": (Trouble(200, "[1]"), "no token in its answer"),
    "no text": (Trouble(200, '{"access_token": 7}'), "access_token is none"),
    "line end": (Trouble(200, '{"access_token": "a\\r\\nRSET"}'), "access_token is none"),
    "another type": (Trouble(200, '{"access_token": "x", "token_type": "mac"}'), "another type"),
    "huge": (Trouble(200, '{"access_token": "' + 100000 * "x" + '"}'), "too long"),
    "repeats": (Trouble(400, json.dumps({"error": "x", "error_description": CLIENT_SECRET})),
                "repeated a secret"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_an_endpoint_that_errs_keeps_the_mail_until_it_recovers(build, tmp_path, certificates, started,
                                                               name):
    trouble, words = TROUBLES[name]
    identity = started(Identity())
    identity.faults.append(trouble)
    host = started(smarthost(certificates, "XOAUTH2"))
    host.tokens = identity.good
    config = provider(certificates, host, refresh_token(tmp_path, identity))
    with Penstockd(build, tmp_path, extra=config, options=["-v"]) as daemon:
        send(daemon)
        daemon.drained()
        assert daemon.has_line(f"warning token not fetched provider=to reason=.*{words}")
        assert daemon.has_line("no token to log in with")
        assert_nothing_leaked(daemon)
    assert len(identity.asked) == 2


def test_a_slow_endpoint_does_not_keep_the_daemon_from_stopping(build, tmp_path, certificates,
                                                               started):
    identity = started(Identity())
    identity.delay = 20
    host = started(smarthost(certificates, "XOAUTH2"))
    config = provider(certificates, host, refresh_token(tmp_path, identity))
    with Penstockd(build, tmp_path, extra=config + 'stop-timeout = "1s"\n') as daemon:
        send(daemon)
        wait_until(lambda: identity.asked, "a question")
        daemon.stop()
        assert daemon.has_line("info stopped")


def test_client_credentials(build, tmp_path, certificates, started):
    identity = started(Identity(life=None))
    host = started(smarthost(certificates, "XOAUTH2"))
    host.tokens = identity.good
    secret = secret_file(tmp_path, "client-secret", CLIENT_SECRET)
    config = provider(certificates, host,
                      f'oauth2 {{ grant = "client-credentials" token-url = "{identity.token_url}" '
                      f'client-id = "app" client-secret-file = "{secret}" '
                      'scope = "https://outlook.office365.com/.default" }')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        daemon.drained()
        assert_nothing_leaked(daemon)
    assert identity.asked[0]["scope"] == "https://outlook.office365.com/.default"
    assert identity.asked[0]["grant_type"] == "client_credentials"


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_service_account_signs_for_the_mailbox(build, tmp_path, certificates, started):
    identity = started(Identity())
    host = started(smarthost(certificates, "XOAUTH2", "OAUTHBEARER"))
    host.tokens = identity.good
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                    "-out", tmp_path / "key.pem"], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", tmp_path / "key.pem", "-pubout",
                    "-out", tmp_path / "public.pem"], check=True)
    account = secret_file(tmp_path, "account.json", json.dumps({
        "type": "service_account", "client_email": "robot@project.test", "private_key_id": "7",
        "private_key": (tmp_path / "key.pem").read_text(), "token_uri": identity.token_url}))
    config = provider(certificates, host, 'oauth2 { grant = "service-account" '
                      f'service-account-file = "{account}" }}')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        daemon.drained()
        assert_nothing_leaked(daemon, "PRIVATE KEY")
    form = identity.asked[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims, signature = form["assertion"].split(".")
    assert json.loads(decode(header)) == {"alg": "RS256", "typ": "JWT", "kid": "7"}
    claims_are = json.loads(decode(claims))
    assert claims_are["iss"] == "robot@project.test" and claims_are["sub"] == LOGIN
    assert claims_are["aud"] == identity.token_url
    assert claims_are["scope"] == "https://mail.google.com/"
    assert claims_are["exp"] == claims_are["iat"] + 3600
    (tmp_path / "signature").write_bytes(decode(signature))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp_path / "public.pem",
                    "-signature", tmp_path / "signature"],
                   input=f"{header}.{claims}".encode(), check=True, capture_output=True)


def script(tmp_path, name, text):
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    return path


@pytest.mark.parametrize("prints", ["access-0-canary",
                                    '{"access_token": "access-0-canary", "expires_in": 60}'])
def test_a_program_prints_the_token(build, tmp_path, certificates, started, prints):
    host = started(smarthost(certificates, "XOAUTH2"))
    host.tokens = {"access-0-canary"}
    program = script(tmp_path, "token", 'echo "$1"\n')
    config = provider(certificates, host,
                      f'oauth2 {{ token-command = {{ "{program}", {json.dumps(prints)} }} }}')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        daemon.drained()
        assert_nothing_leaked(daemon)


def test_a_program_prints_the_password_again_when_it_is_refused(build, tmp_path, certificates,
                                                              started):
    host = started(smarthost(certificates, "PLAIN"))
    current = secret_file(tmp_path, "current", "old-canary")
    config = provider(certificates, host, f'password-command = {{ "/bin/cat", "{current}" }}')
    with Penstockd(build, tmp_path, extra=config, options=["-v"]) as daemon:
        wait_until(lambda: daemon.has_line("info password fetched provider=to"), "the password")
        current.write_text(PASSWORD)
        send(daemon)
        daemon.drained()
        assert daemon.has_line("info password refused provider=to")
        assert_nothing_leaked(daemon, "old-canary")
    assert {message.login for message in host.messages} == {LOGIN}


def test_a_password_file_is_read_again_on_a_hangup(build, tmp_path, certificates, started):
    host = started(smarthost(certificates, "PLAIN"))
    password = secret_file(tmp_path, "password", "old-canary")
    config = provider(certificates, host, f'password-file = "{password}"')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        password.write_text(PASSWORD)
        daemon.process.send_signal(1)
        wait_until(lambda: daemon.has_line("info password fetched provider=to"), "the password")
        send(daemon)
        daemon.drained()
        assert_nothing_leaked(daemon, "old-canary")
    assert not any(b"AUTH PLAIN" in line and PASSWORD not in base64.b64decode(line[11:]).decode()
                   for session in host.sessions for line, _ in session.heard)


PROGRAMS = {
    "fails": ("exit 3\n", "ended with status 3"),
    "silent": ("true\n", "holds nothing"),
    "two lines": (f"echo {PASSWORD}; echo more\n", "more than one line"),
    "babbles": ("yes canary\n", "prints too much"),
    "killed": ("kill -9 $$\n", "ended by signal 9"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_fails_says_why_and_keeps_the_mail(build, tmp_path, certificates, started,
                                                         name):
    host = started(smarthost(certificates, "PLAIN"))
    text, words = PROGRAMS[name]
    program = script(tmp_path, "password", text)
    config = provider(certificates, host, f'password-command = "{program}"')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        send(daemon)
        wait_until(lambda: words in provider_status(daemon)["why"], "the reason in status")
        assert daemon.waiting() == 1
        assert_nothing_leaked(daemon)


def test_a_program_is_not_started_by_a_shell_and_ends_with_the_daemon(build, tmp_path, certificates,
                                                                     started):
    host = started(smarthost(certificates, "PLAIN"))
    program = script(tmp_path, "password", f'echo "$@" > {tmp_path}/words; sleep 1000\n')
    config = provider(certificates, host,
                      f'password-command = {{ "{program}", "$(touch {tmp_path}/oops)", "; x" }}')
    with Penstockd(build, tmp_path, extra=config) as daemon:
        words = wait_until(lambda: (tmp_path / "words").exists() and (tmp_path / "words").read_text(),
                           "a started program")
        daemon.stop()
    assert words == f"$(touch {tmp_path}/oops) ; x\n"
    assert not (tmp_path / "oops").exists()


# penstock login


class Login:
    """A running penstock login; url: where the browser is to go."""

    def __init__(self, build, tmp_path, config, name="to"):
        path = tmp_path / "login.conf"
        path.write_text(config)
        environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
        self.process = subprocess.Popen([build / "src/penstock", "login", "-f", path, name], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment)
        self.url = None
        while self.url is None and (line := self.process.stdout.readline()):
            self.url = line.strip() if line.startswith("http") else None

    def visit(self, url):
        """What the browser sees there: status and page."""
        with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as browser:
            browser.request("GET", url.partition(urlsplit(url).netloc)[2])
            answer = browser.getresponse()
            return answer.status, answer.read().decode()

    def end(self):
        said, complaint = self.process.communicate(timeout=30)
        return self.process.returncode, said, complaint


def login_config(tmp_path, identity, host, more=""):
    return provider("/nowhere", host, refresh_token(
        tmp_path, identity, f'authorize-url = "{identity.authorize_url}" scope = "mail" {more}')).replace(
        'tls-ca = "/nowhere/ca.pem"', "")


def test_login_stores_a_refresh_token_that_the_daemon_uses(build, tmp_path, certificates, started):
    identity = started(Identity())
    host = started(smarthost(certificates, "XOAUTH2"))
    host.tokens = identity.good
    config = login_config(tmp_path, identity, host)
    (tmp_path / "refresh-token").unlink()
    with Penstockd(build, tmp_path, extra=config.replace(
            "oauth2 {", f'tls-ca = "{certificates}/ca.pem" oauth2 {{')) as daemon:
        send(daemon)
        wait_until(lambda: "refresh-token cannot be read" in provider_status(daemon)["why"], "why")
        login = Login(build, tmp_path, config)
        assert f"login_hint={LOGIN.replace('@', '%40')}" in login.url and "scope=mail" in login.url
        back = identity.consent(login.url)
        # who does not know the state, or asks for something else, is turned away
        assert login.visit(identity.consent(login.url, state="guessed"))[0] == 400
        assert login.visit(identity.consent(login.url, code=None))[0] == 400
        assert login.visit(back.partition("/?")[0] + "/favicon.ico")[0] == 404
        assert login.visit(back)[0] == 200
        status, said, complaint = login.end()
        assert (status, complaint) == (0, "") and "refresh-token" in said
        stored = tmp_path / "refresh-token"
        assert stored.stat().st_mode & 0o777 == 0o600
        assert stored.read_text() == "refresh-1-canary\n" and "canary" not in said
        daemon.drained()
        assert_nothing_leaked(daemon, "refresh-1-canary", "code-")
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith("refresh-token")} == \
        {"refresh-token"}


LOGIN_TROUBLES = {
    "refused": (dict(error="access_denied", code=None), None, 77, "the provider says access_denied"),
    "another code": (dict(code="guessed"), None, 69, "invalid_grant"),
    "broken": ({}, Trouble(500, "no"), 69, "status 500"),
    "no refresh token": ({}, Trouble(200, '{"access_token": "access-9-canary"}'), 69,
                         "gave no refresh token"),
}


@pytest.mark.parametrize("name", LOGIN_TROUBLES)
def test_login_says_what_went_wrong_and_keeps_the_old_token(build, tmp_path, certificates, started,
                                                          name):
    changes, trouble, status, words = LOGIN_TROUBLES[name]
    identity = started(Identity())
    host = started(smarthost(certificates, "XOAUTH2"))
    login = Login(build, tmp_path, login_config(tmp_path, identity, host))
    identity.faults += [trouble] if trouble else []
    login.visit(identity.consent(login.url, **changes))
    ended, said, complaint = login.end()
    assert ended == status and words in complaint and "Traceback" not in complaint
    assert "canary" not in said + complaint
    assert (tmp_path / "refresh-token").read_text() == REFRESH + "\n"


def test_login_is_refused_where_nobody_has_to_agree(build, tmp_path, certificates, started):
    identity = started(Identity())
    host = started(smarthost(certificates, "XOAUTH2"))
    without = provider("/nowhere", host, refresh_token(tmp_path, identity)).replace(
        'tls-ca = "/nowhere/ca.pem"', "")
    for config, name, status, words in (
            (without, "to", 78, "authorize-url"), (without, "other", 64, "no such provider"),
            (without, "inbox", 78, "no oauth2 section"), ("nonsense", "to", 78, "penstock login:")):
        login = Login(build, tmp_path, config, name)
        ended, _, complaint = login.end()
        assert ended == status and words in complaint, complaint
