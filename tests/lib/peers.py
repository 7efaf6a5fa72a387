# SPDX-License-Identifier: ISC
"""Peers for system tests: a smarthost that keeps what it gets, and Postfix's smtp-source."""

import base64
import os
import socket
import ssl
import subprocess
import threading
import time
from collections import namedtuple

Message = namedtuple("Message", "sender recipients content session")

TIMEOUT = 60    # seconds; no test takes as long
CLOSE = object()


class Session:
    """One connection: what it said (with whether that was inside TLS) and as whom it logged in."""

    def __init__(self):
        self.commands = []      # (secured, line)
        self.secured = False
        self.login = None       # (mechanism, name, password)

    def said(self, verb):
        return [line for _, line in self.commands if line.upper().startswith(verb)]


class Sink:
    """An SMTP server with a thread a connection. `messages` are what it accepted, in order.

    certificate, key: offers STARTTLS, or with implicit=True speaks TLS at once. auth: mechanisms
    that it offers inside TLS, for the account (name, password). `answer` may be set to a function
    (session, line) that returns None (the usual answer), the text of a reply, raw bytes, or CLOSE;
    it is asked with "" for the greeting, with the line of each command, with "." for the content,
    and with "content" at each line of it."""

    def __init__(self, certificate=None, key=None, implicit=False, auth=(), account=None):
        self.messages = []
        self.sessions = []
        self.mail_times = []    # monotonic, when MAIL was read
        self.refused = 0
        self.answer = lambda session, line: None
        self._refusals = lambda address: []
        self._implicit = implicit
        self._auth = auth
        self._account = account
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, key)
        self._lock = threading.Lock()
        self._listener = None
        self.port = None
        self.start(0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    @property
    def connections(self):
        return len(self.sessions)

    def refuse(self, refusals):
        """refusals(address): replies that the address gets, one a try, before it is accepted."""
        self._refusals = refusals

    def said(self, verb):
        """Every command of that name, of all sessions."""
        return [line for session in list(self.sessions) for line in session.said(verb)]

    def start(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
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
        self.drop()

    def drop(self):
        """Ends the connections that are open, in the middle of whatever they do."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass    # the other side was first

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Each reply is sent by itself: Nagle would hold the second one back for 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(TIMEOUT)
            session = Session()
            with self._lock:
                self.sessions.append(session)
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, session), daemon=True).start()

    def _serve(self, connection, session):
        conversation = Conversation(self, connection, session)
        try:
            if self._implicit:
                conversation.secure(self._context)
            conversation.run()
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            conversation.close()

    # What a conversation asks and tells.

    def extensions(self, session):
        words = ["PIPELINING", "SIZE", "8BITMIME"]
        if self._context is not None and not session.secured:
            words.append("STARTTLS")
        if self._auth and session.secured:
            words.append("AUTH " + " ".join(self._auth))
        return [*words, "ENHANCEDSTATUSCODES"]

    def context(self):
        return self._context

    def is_account(self, name, password):
        return (name, password) == self._account

    def keep(self, sender, recipients, content, session):
        with self._lock:
            self.messages.append(Message(sender, recipients, content, session))

    def note_mail(self):
        with self._lock:
            self.mail_times.append(time.monotonic())

    def refusal(self, address):
        with self._lock:
            tried = self._tries.get(address, 0)
            self._tries[address] = tried + 1
            refusals = self._refusals(address)
            if tried >= len(refusals):
                return None
            self.refused += 1
            return refusals[tried]


class Conversation:
    """The server's side of one connection."""

    def __init__(self, sink, connection, session):
        self.sink = sink
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.session = session
        self.sender, self.recipients = None, []

    def secure(self, context):
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.lines = self.connection.makefile("rb")
        self.session.secured = True

    def close(self):
        self.lines.close()
        self.connection.close()

    def say(self, text):
        self.connection.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def read(self):
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line.decode(errors="replace").rstrip("\r\n")

    def answer(self, line, usual):
        """Says what the test wants, else the usual. True when it was the usual."""
        wanted = self.sink.answer(self.session, line)
        if wanted is CLOSE:
            raise EOFError
        if wanted is None and usual is not None:
            self.say(usual)
        elif wanted is not None:
            self.say(wanted)
        return wanted is None

    def run(self):
        self.answer("", "220 sink.test ESMTP")
        while True:
            line = self.read()
            self.session.commands.append((self.session.secured, line))
            verb = line.split(" ")[0].upper()
            action = getattr(self, "do_" + verb.lower(), None)
            if action is None:
                self.answer(line, "250 2.0.0 Ok")
            else:
                action(line)
            if verb == "QUIT":
                return

    def do_ehlo(self, line):
        words = ["sink.test", *self.sink.extensions(self.session)]
        self.answer(line, "\r\n".join(f"250{'-' if word != words[-1] else ' '}{word}"
                                      for word in words))

    def do_starttls(self, line):
        if self.sink.context() is None:
            self.answer(line, "502 5.5.1 no such command")
        elif self.answer(line, "220 2.0.0 go on"):
            self.secure(self.sink.context())

    def do_auth(self, line):
        words = line.split(" ")
        if words[1].upper() == "PLAIN":
            _, name, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            name, password = self.ask("Username:"), self.ask("Password:")
        self.session.login = (words[1].upper(), name, password)
        good = self.sink.is_account(name, password)
        self.answer(line, "235 2.7.0 welcome" if good else "535 5.7.8 who are you?")

    def ask(self, prompt):
        self.say("334 " + base64.b64encode(prompt.encode()).decode())
        return base64.b64decode(self.read()).decode()

    def do_mail(self, line):
        self.sink.note_mail()
        if self.answer(line, "250 2.1.0 Ok"):
            self.sender, self.recipients = line[line.index("<") + 1:line.rindex(">")], []

    def do_rcpt(self, line):
        address = line[line.index("<") + 1:line.rindex(">")]
        refusal = self.sink.refusal(address)
        if refusal is not None:
            self.say(refusal)
        elif self.answer(line, "250 2.1.5 Ok"):
            self.recipients.append(address)

    def do_data(self, line):
        if not self.recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        if not self.answer(line, "354 go on"):
            return
        content = self.content()
        if self.answer(".", None):
            self.sink.keep(self.sender, self.recipients, content, self.session)
            self.say("250 2.0.0 Ok")
        self.recipients = []

    def content(self):
        content = []
        for line in self.lines:
            if line == b".\r\n":
                return b"".join(content)
            content.append(line[1:] if line.startswith(b".") else line)
            if self.sink.answer(self.session, "content") is CLOSE:
                break
        raise EOFError

    def do_quit(self, line):
        self.answer(line, "221 2.0.0 Bye")


def source(peers, port, sessions, messages, length, *options):
    """Runs Postfix's smtp-source against 127.0.0.1:port; fails when a message is refused."""
    usr = os.path.join(peers, "usr")
    subprocess.run([os.path.join(usr, "sbin/smtp-source"), "-d", "-c", "-s", str(sessions),
                    "-m", str(messages), "-l", str(length), "-f", "load@example.com",
                    "-t", "user@example.org", *options, f"127.0.0.1:{port}"],
                   check=True, stdout=subprocess.DEVNULL, timeout=TIMEOUT * 2,
                   env=os.environ | {"LD_LIBRARY_PATH": os.path.join(usr, "lib/postfix")})
