# SPDX-License-Identifier: ISC
"""No secret appears in a log, a listing, the spool, the command line or an error, whatever is asked."""

import base64
import os
import subprocess
import urllib.parse

import pytest

from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost
from wire import Wire

OURS = "canary-0urs/pass+word%"       # with which we log in
THEIRS = "canary-their$-password"     # a client's
USER = "canary"


def forms(secret):
    """As it is, in base 64 (alone, and as PLAIN and LOGIN say it), URL-encoded, in hexadecimal."""
    octets = secret.encode()
    plain = base64.b64encode(f"\0{USER}\0{secret}".encode())
    return {octets, base64.b64encode(octets), plain, urllib.parse.quote(secret, safe="").encode(),
            octets.hex().encode()}


def everything(daemon, *more):
    """What anybody could see of it: files, the process, what the command says."""
    pid = daemon.process.pid
    seen = {"ps": subprocess.run(["ps", "-ww", "-o", "args", "-p", str(pid)],
                                 stdout=subprocess.PIPE, check=True).stdout}
    for name in ("cmdline", "environ", "comm"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            seen[name] = file.read()
    for words in (["status"], ["queue"], ["status", "--json"], ["queue", "--json"], *more):
        done = daemon.cli(*words, check=False)
        seen[" ".join(words)] = done.stdout + done.stderr
    for folder in (daemon.directory, daemon.spool):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not name.endswith((".secret", ".users")):
                with open(path, "rb") as file:
                    seen[name] = file.read()
    return seen


@pytest.mark.parametrize("trouble", [None, Fault("AUTH", f"535 5.7.8 {OURS} is wrong"),
                                     Fault("RESPONSE", f"535 5.7.8 no {OURS}"),
                                     Fault("AUTH", "535 5.7.8 " + base64.b64encode(
                                         f"\0{USER}\0{OURS}".encode()).decode())])
def test_no_secret_is_seen(start, tmp_path, certificates, trouble):
    secret = tmp_path / "ours.secret"
    secret.write_text(OURS + "\n", encoding="ascii")
    secret.chmod(0o600)
    with Smarthost(f"{certificates}/good.pem", f"{certificates}/good.key", users={USER: OURS},
                   faults=[trouble] if trouble else []) as host:
        config = (f'hostname = "relay.test"\nspool {{ path = "{tmp_path}/spool" }}\n'
                  f'control {{ socket = "{tmp_path}/control.sock" }}\n'
                  f'listen "127.0.0.1:0" {{ }}\n'
                  f'provider "host" {{ url = "smtp://{USER}@localhost:{host.port}" '
                  f'password-file = "{secret}" tls-ca = "{certificates}/ca.pem" }}\n')
        daemon = start(config=config, options=["-v"])
        with Wire(daemon.port) as wire:
            wire.greet()
            # A client that says its password where no login is offered, and in the wrong places.
            plain = base64.b64encode(f"\0{USER}\0{THEIRS}".encode()).decode()
            wire.say(f"AUTH PLAIN {plain}")
            wire.say(f"AUTH LOGIN {base64.b64encode(THEIRS.encode()).decode()}")
            wire.say(base64.b64encode(THEIRS.encode()).decode())
            wire.say(f"XAUTH {THEIRS}")
            name = wire.mail().rpartition(" ")[2]
        wait_until(lambda: host.messages or daemon.has_line("5.7.8"), "the login is over")
        seen = everything(daemon, ["show", name], ["show", name, "--json"], ["cat", name])
        for place, data in seen.items():
            for form in forms(OURS) | forms(THEIRS):
                assert form not in data, f"{form} in {place}"
        shown = subprocess.run([daemon.program, "-n", "-f", tmp_path / "penstock.conf"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout
        assert not any(form in shown for form in forms(OURS))
