# SPDX-License-Identifier: ISC
"""Postfix's smtp-source and smtp-sink, run from the tree that fetch-peers unpacked."""

import os
import subprocess

TIMEOUT = 120   # seconds; no load takes as long


def environment(peers):
    return os.environ | {"LD_LIBRARY_PATH": os.path.join(peers, "usr/lib/postfix")}


def source(peers, port, sessions, messages, length, *options):
    """Runs smtp-source against 127.0.0.1:port; fails when a message is refused."""
    subprocess.run([os.path.join(peers, "usr/sbin/smtp-source"), "-d", "-c", "-s", str(sessions),
                    "-m", str(messages), "-l", str(length), "-f", "load@example.com",
                    "-t", "user@example.org", *options, f"127.0.0.1:{port}"],
                   check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT, env=environment(peers))
