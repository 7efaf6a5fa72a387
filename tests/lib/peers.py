# SPDX-License-Identifier: ISC
"""Peers for system tests: a smarthost that keeps what it gets, and Postfix's smtp-source."""

import os
import socket
import subprocess
import threading
from collections import namedtuple

Message = namedtuple("Message", "sender recipients content")

TIMEOUT = 60    # seconds; no test takes as long


class Sink:
    """A plain SMTP server on a thread a connection. `messages` are what it accepted, in order."""

    def __init__(self):
        self.messages = []
        self.connections = 0
        self.refused = 0
        self._refusals = lambda address: []
        self._lock = threading.Lock()
        self._listener = None
        self.port = None
        self.start(0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def refuse(self, refusals):
        """refusals(address): replies that the address gets, one a try, before it is accepted."""
        self._refusals = refusals

    def start(self, port):
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._open = set()
        self._tries = {}
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        if self._listener is None:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        with self._lock:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                connection.settimeout(TIMEOUT)
                self._converse(connection, lines)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _converse(self, connection, lines):
        def say(text):
            connection.sendall(text.encode() + b"\r\n")

        sender, recipients = None, []
        say("220 sink.test ESMTP")
        for raw in lines:
            verb, line = raw[:4].upper(), raw.decode(errors="replace").strip()
            if verb in (b"EHLO", b"HELO"):
                say("250-sink.test\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
                    "250 ENHANCEDSTATUSCODES")
            elif verb == b"MAIL":
                sender, recipients = line[line.index("<") + 1:line.index(">")], []
                say("250 2.1.0 Ok")
            elif verb == b"RCPT":
                say(self._recipient(line[line.index("<") + 1:line.index(">")], recipients))
            elif verb == b"DATA" and not recipients:
                say("554 5.5.1 no valid recipients")
            elif verb == b"DATA":
                say("354 go on")
                content = self._content(lines)
                with self._lock:
                    self.messages.append(Message(sender, recipients, content))
                say("250 2.0.0 Ok")
            elif verb == b"QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say("250 2.0.0 Ok")

    def _recipient(self, address, recipients):
        with self._lock:
            tried = self._tries.get(address, 0)
            self._tries[address] = tried + 1
            refusals = self._refusals(address)
            if tried < len(refusals):
                self.refused += 1
                return refusals[tried]
        recipients.append(address)
        return "250 2.1.5 Ok"

    @staticmethod
    def _content(lines):
        content = []
        for line in lines:
            if line == b".\r\n":
                return b"".join(content)
            content.append(line[1:] if line.startswith(b".") else line)
        raise OSError("closed in the content")


def source(peers, port, sessions, messages, length, *options):
    """Runs Postfix's smtp-source against 127.0.0.1:port; fails when a message is refused."""
    usr = os.path.join(peers, "usr")
    subprocess.run([os.path.join(usr, "sbin/smtp-source"), "-d", "-c", "-s", str(sessions),
                    "-m", str(messages), "-l", str(length), "-f", "load@example.com",
                    "-t", "user@example.org", *options, f"127.0.0.1:{port}"],
                   check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT * 2,
                   env=os.environ | {"LD_LIBRARY_PATH": os.path.join(usr, "lib/postfix")})
