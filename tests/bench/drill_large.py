# SPDX-License-Identifier: ISC
"""Many large messages at once into a spool that cannot hold them: each is answered 250 or 452, and
memory stays bounded; at least half of those that fit are finished.

Arguments: senders (default 1000), MiB of each (50), GiB of the spool (4). Once all senders say SIZE= at
MAIL, so that those who do not fit are told before; once they let the server find out, so that all of
them send at the same time. Ends with 1 when a promise is broken.
"""

import collections
import os
import re
import resource
import selectors
import socket
import sys
import tempfile
import time
from pathlib import Path

SOURCE, BUILD = os.environ["TOP_SRCDIR"], Path(os.environ["TOP_BUILDDIR"])
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

from penstock import Penstockd      # noqa: E402

SENDERS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SIZE = (int(sys.argv[2]) if len(sys.argv) > 2 else 50) << 20
SPOOL_GIB = int(sys.argv[3]) if len(sys.argv) > 3 else 4
MEMORY_MAX = 256        # MiB of RssAnon
PATIENCE = 900          # seconds
HEADER = b"Subject: large\r\n\r\n"
PIECE = memoryview(("x" * 78 + "\r\n").encode() * 3200)     # 250 KiB


class Sender:
    """One message: the last reply that it got is its result."""

    def __init__(self, port, number, says_size):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE,
                                               source_address=(f"127.0.1.{number % 250 + 1}", 0))
        self.socket.setblocking(False)
        said = f" SIZE={SIZE - 4096}" if says_size else ""
        self.lines = [b"EHLO drill\r\n", f"MAIL FROM:<a@example.com>{said}\r\n".encode(),
                      b"RCPT TO:<b@example.org>\r\n", b"DATA\r\n"]
        self.heard = b""
        self.left = 0       # octets of content to send
        self.at = 0         # within PIECE
        self.result = None
        self.content = False

    def wants(self):
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.left > 0 else 0)

    def readable(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.result = self.result or "closed"
            return
        self.heard += data
        while self.result is None:
            last = re.search(rb"^(\d\d\d)(?: .*)?\r\n", self.heard, re.MULTILINE)
            if last is None:
                return
            self.heard = self.heard[last.end():]
            self.reply(last[1].decode())

    def reply(self, code):
        if code == "354":
            self.left, self.content = SIZE - 4096, True
            self.socket.send(HEADER)
        elif self.content or not code.startswith("2"):
            self.result = code
        else:
            self.socket.send(self.lines.pop(0))

    def writable(self):
        try:
            sent = self.socket.send(PIECE[self.at:self.at + self.left])
        except BlockingIOError:
            return
        except (ConnectionResetError, BrokenPipeError):
            self.result = "reset"
            return
        self.at = (self.at + sent) % len(PIECE)
        self.left -= sent
        if self.left <= 0:
            self.socket.send(b"\r\n.\r\n")


def run(daemon, senders, peak):
    """Drives all senders until each has its result."""
    selector = selectors.DefaultSelector()
    for sender in senders:
        selector.register(sender.socket, selectors.EVENT_READ, sender)
    begun = sampled = time.monotonic()
    left = len(senders)
    while left > 0 and time.monotonic() - begun < PATIENCE:
        for key, events in selector.select(1):
            sender = key.data
            if events & selectors.EVENT_READ:
                sender.readable()
            if sender.result is None and events & selectors.EVENT_WRITE and sender.left > 0:
                sender.writable()
            if sender.result is not None:
                selector.unregister(sender.socket)
                sender.socket.close()
                left -= 1
            elif sender.wants() != key.events:
                selector.modify(sender.socket, sender.wants(), sender)
        if time.monotonic() - sampled > 0.1:
            sampled = time.monotonic()
            peak[0] = max(peak[0], daemon.anonymous_memory())
    return time.monotonic() - begun


def drill(says_size):
    """True: all that was promised came true."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        config = f"""hostname = "drill.test"
            spool {{ path = "{path}/spool"  max-size = "{SPOOL_GIB}GiB" }}
            control {{ socket = "{path}/control.sock" }}
            listen "127.0.0.1:0" {{ max-message-size = "{SIZE >> 20}MiB" }}
            provider "nowhere" {{ url = "smtp+notls://127.0.0.1:9" }}
            route "all" {{ via = {{ "nowhere" }}  hold = true }}"""
        with Penstockd(BUILD, path, config=config) as daemon:
            peak = [daemon.anonymous_memory()]
            senders = [Sender(daemon.port, number, says_size) for number in range(SENDERS)]
            seconds = run(daemon, senders, peak)
            results = collections.Counter(sender.result for sender in senders)
            stored = daemon.cli_json("status")["spool"]["messages"]
            after = daemon.anonymous_memory()
    print(f"{SENDERS} senders of {SIZE >> 20} MiB, spool of {SPOOL_GIB} GiB, "
          f"{'with' if says_size else 'without'} SIZE: {dict(results)}, stored {stored}, "
          f"{seconds:.0f} s; RssAnon at most {peak[0] / 1024:.0f} MiB, after {after / 1024:.0f} MiB",
          flush=True)
    fit = min(SENDERS, (SPOOL_GIB << 30) // SIZE)
    return (set(results) <= {"250", "452"} and results["250"] == stored and stored * 2 >= fit
            and peak[0] < MEMORY_MAX * 1024)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.exit(0 if all([drill(True), drill(False)]) else 1)


main()
