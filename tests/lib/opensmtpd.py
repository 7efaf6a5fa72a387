# SPDX-License-Identifier: ISC
"""A private OpenSMTPD on loopback, run from the tree that fetch-peers unpacked: a smarthost in
clear and without PIPELINING, which it does not know.

    with OpenSmtpd(peers) as host:
        ... host.port, host.messages(), host.log() ...

It delivers what it takes to a maildir, where messages() finds it. It offers no TLS, and so no
login: OpenSMTPD before 7.3, which Debian 12 has, loses its private key with OpenSSL 3 in each
handshake ("EVP lib"). Needs root, for its accounts and folders (see private.py); nothing is
installed.
"""

import os
import subprocess

from penstock import wait_until
from postfix import answers, free_port
from private import PrivateDirectory, private

# Those it was built with, and the one whose mail it delivers.
ACCOUNTS = ["opensmtpd", "opensmtpq", "keeper"]

CONFIGURATION = """\
listen on 127.0.0.1 port {port} hostname opensmtpd.example.net
table keeper {{ "@" = "keeper" }}
action "keep" maildir "{dir}/mail" virtual <keeper>
match from any for rcpt-to "nobody@example.org" reject
match from any for any action "keep"
{settings}
"""


class OpenSmtpd:
    """It refuses nobody@example.org with 550. settings: further lines of the configuration."""

    def __init__(self, peers, settings=""):
        self.port = free_port()
        self.process = None
        self.place = PrivateDirectory("opensmtpd-", ACCOUNTS)
        self.dir = self.place.path
        self.peers = peers
        self.unpacked = os.path.join(os.path.abspath(peers), "opensmtpd")
        self.place.make("mail", "keeper")
        # What it finds at paths that are built in.
        for folder in ["spool/smtpd", "lib/opensmtpd/empty", "run"]:
            os.makedirs(os.path.join(self.dir, folder))
        for folder in ["spool/smtpd", "lib/opensmtpd", "lib/opensmtpd/empty"]:
            os.chmod(os.path.join(self.dir, folder), 0o711)
        self.place.write("configuration", CONFIGURATION.format(
            dir=self.dir, port=self.port, settings=settings))

    def __enter__(self):
        command = [os.path.join(self.unpacked, "usr/sbin/smtpd"), "-d",
                   "-f", self.place.name("configuration")]
        mounts = [(os.path.join(self.unpacked, "usr/libexec"), "/usr/libexec"),
                  (self.place.name("spool"), "/var/spool"), (self.place.name("lib"), "/var/lib"),
                  (self.place.name("run"), "/run")]
        with open(self.place.name("output"), "wb") as output:
            self.process = subprocess.Popen(
                private(self.place, command, mounts), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, env=self.place.environment(self.peers))
        try:
            wait_until(lambda: answers(self.port) or self.process.poll() is not None,
                       "OpenSMTPD answers")
            assert self.process.poll() is None, f"OpenSMTPD does not start:\n{self.log()}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self.place.end(self.process)
        self.place.remove()

    def log(self):
        return self.place.read("output")

    def accepted(self):
        """How many messages it answered with 250."""
        return self.log().count(" smtp message msgid=")

    def connections(self):
        """How many there were since it answered for the first time."""
        return self.log().count(" smtp connected ") - 1

    def messages(self):
        """What was delivered, with LF."""
        folder = self.place.name("mail/new")
        found = []
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read())
        return found
