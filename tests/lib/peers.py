# SPDX-License-Identifier: ISC
"""Postfix's smtp-source and smtp-sink, run from the tree that fetch-peers unpacked."""

import os
import subprocess

from penstock import wait_until
from postfix import answers, free_port

TIMEOUT = 120   # seconds; no load takes as long


def environment(peers):
    return os.environ | {"LD_LIBRARY_PATH": os.path.join(peers, "usr/lib/postfix")}


class SmtpSink:
    """smtp-sink, which dumps each message to a file in the directory, if one is given."""

    def __init__(self, peers, directory=None):
        self.directory = directory
        self.port = free_port()
        self._process = subprocess.Popen(
            [os.path.join(os.path.abspath(peers), "bin/smtp-sink"),
             *(["-d", "message."] if directory else []), f"127.0.0.1:{self.port}", "256"],
            cwd=directory)

    def __enter__(self):
        wait_until(lambda: answers(self.port), "smtp-sink answers")
        return self

    def __exit__(self, *exception):
        self._process.terminate()
        self._process.wait(timeout=TIMEOUT)

    def dumps(self):
        """The contents of the files: X-Rcpt-Args and the like, trace fields, and the message, all
        with LF."""
        return [path.read_bytes() for path in self.directory.glob("message.*")]


def source(peers, port, sessions, messages, length, *options):
    """Runs smtp-source against 127.0.0.1:port; fails when a message is refused. length: octets of
    each message; a name: the file that each one is."""
    content = ["-l", str(length)] if isinstance(length, int) else ["-F", str(length)]
    subprocess.run([os.path.join(peers, "usr/sbin/smtp-source"), "-d", "-c", "-s", str(sessions),
                    "-m", str(messages), *content, "-f", "load@example.com",
                    "-t", "user@example.org", *options, f"127.0.0.1:{port}"],
                   check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT, env=environment(peers))
