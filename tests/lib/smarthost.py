# SPDX-License-Identifier: ISC
"""A scripted smarthost: TLS, logins, and every fault a relay should survive.

    with Smarthost(certificate=pem, key=key, users={"me": "secret"},
                   faults=[Fault("RCPT", "450 4.7.1 later", match="@slow", times=2)]) as host:
        ... relay to 127.0.0.1, host.port ...
        host.wait(lambda: len(host.messages) == 10, "ten messages")

A thread serves each connection; replies to pipelined commands leave in one write. Without faults
it takes all mail. `sessions` are all connections in order, `messages` what was answered 2yz.
Everything that was heard is kept, with whether it came inside TLS, so that a test can say what was
never said in clear.
"""

import base64
import re
import socket
import ssl
import threading
import time

from logins import MECHANISMS

TIMEOUT = 60        # seconds without a word; no test takes as long
WAIT_SECONDS = 60   # for a condition
PIECE = 256 * 1024  # octets of one recv()


class Fault:
    """What happens at a step instead of, or around, the ordinary reply.

    at       CONNECT (the greeting), HANDSHAKE, EHLO, HELO, STARTTLS, AUTH, RESPONSE (to a 334),
             MAIL, RCPT, DATA, CONTENT (its first octets came), DOT (all of it came), BDAT (with
             its octets; offered when CHUNKING is among the extensions), RSET, NOOP, QUIT, IDLE (a message was answered)
    reply    said instead; text, a list of lines, or octets that are sent as they are
    match    only when the line (for DOT: the content) matches this expression
    skip     so many occasions pass before it happens
    times    so often it happens at most; None: always
    delay    seconds before anything else
    cut      only so many octets of the reply, then close
    close    "before": close instead of a reply; "after": after it; "reset": with a TCP reset
    surplus  octets sent behind the reply, in the same write
    """

    def __init__(self, at, reply=None, match=None, skip=0, times=None, delay=0, cut=None,
                 close=None, surplus=b""):
        self.at, self.reply, self.skip, self.times = at, reply, skip, times
        self.match = re.compile(match.encode() if isinstance(match, str) else match) if match else None
        self.delay, self.cut, self.close, self.surplus = delay, cut, close, surplus
        self.happened = 0
        self._lock = threading.Lock()

    def happens(self, at, line):
        if at != self.at or (self.match and not self.match.search(line)):
            return False
        with self._lock:
            if self.skip > 0:
                self.skip -= 1
                return False
            if self.times is not None and self.happened >= self.times:
                return False
            self.happened += 1
            return True


class Message:
    """sender, recipients: addresses; sender_parameters, recipient_parameters: what followed them;
    content: without dot stuffing; raw: as it was on the wire, final dot included."""

    def __init__(self, session):
        self.session, self.tls, self.login = session, session.tls, session.login
        self.sender, self.sender_parameters = None, ""
        self.recipients, self.recipient_parameters = [], []
        self.content = self.raw = b""

    def __repr__(self):
        return f"<{self.sender} to {self.recipients}, {len(self.content)} octets>"


class Session:
    """number: from 1; tls: "TLSv1.3" or None; login: the user or None; hello: what EHLO said;
    heard: (line, inside TLS) in order; messages: those accepted; ended: how it ended."""

    def __init__(self, number):
        self.number, self.tls, self.login, self.hello = number, None, None, None
        self.heard, self.messages, self.ended = [], [], None

    def verbs(self):
        return [line.split(b" ")[0].upper().decode("ascii", "replace") for line, _ in self.heard]

    def in_clear(self):
        return [line for line, secure in self.heard if not secure]

    def __repr__(self):
        return (f"<session {self.number} tls={self.tls} login={self.login} "
                f"{len(self.messages)} messages, {self.verbs()[-12:]}, {self.ended}>")


class Closed(Exception):
    """The connection is over; its text says how."""


class Smarthost:
    """certificate, key: offers STARTTLS, or, when implicit, begins with TLS. users: offers AUTH
    (inside TLS, or always with auth_in_clear) and takes mail after a login only. extensions
    replace the default ones. size: SIZE. port 0: any."""

    EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

    def __init__(self, certificate=None, key=None, implicit=False, starttls=True, users=None,
                 mechanisms=("PLAIN", "LOGIN"), auth_in_clear=False, extensions=EXTENSIONS, size=None,
                 faults=(), address="127.0.0.1", port=0, name="smarthost.test"):
        self.implicit, self.users, self.mechanisms = implicit, users, mechanisms
        self.auth_in_clear, self.extensions, self.size = auth_in_clear, extensions, size
        self.faults, self.address, self.port, self.name = list(faults), address, port, name
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        self.starttls = starttls and self.context is not None and not implicit
        self.sessions, self.messages = [], []
        self.tokens, self.token_errors = set(), []  # good access tokens; answers to refused ones
        self.mail_times = []    # monotonic, when each MAIL was read
        self._changed = threading.Condition()
        self._open = set()
        self._listener = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def start(self):
        """Also after stop(), on the same port."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listener = socket.create_server((self.address, self.port), family=family, backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        if self._listener is None:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def wait(self, condition, what, seconds=WAIT_SECONDS):
        """Until condition() is true, which is asked after each step of a session."""
        with self._changed:
            if not self._changed.wait_for(condition, seconds):
                raise AssertionError(f"no {what} within {seconds} s: {self.sessions[-5:]}")

    def per_session(self):
        """How many messages each connection carried."""
        return [len(session.messages) for session in self.sessions]

    def step(self, change):
        with self._changed:
            change()
            self._changed.notify_all()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(TIMEOUT)
            session = Session(len(self.sessions) + 1)
            self.step(lambda: (self.sessions.append(session), self._open.add(connection)))
            threading.Thread(target=self._serve, args=(connection, session), daemon=True).start()

    def _serve(self, connection, session):
        conversation = Conversation(self, connection, session)
        try:
            conversation.run()
        except Closed as how:
            session.ended = str(how)
        except (OSError, ssl.SSLError) as error:
            session.ended = f"lost: {error}"
        finally:
            self.step(lambda: self._open.discard(conversation.socket))
            conversation.close()


class Conversation:
    """One connection: reads lines, answers, meets faults."""

    def __init__(self, host, connection, session):
        self.host, self.socket, self.session = host, connection, session
        self.input, self.output = bytearray(), bytearray()
        self.message = None

    # Octets

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def flush(self):
        if self.output:
            data, self.output = bytes(self.output), bytearray()
            self.socket.sendall(data)

    def receive(self):
        self.flush()    # RFC 2920 3.2: before waiting
        data = self.socket.recv(PIECE)
        if not data:
            raise Closed("the client closed")
        self.input += data

    def line(self):
        while (end := self.input.find(b"\n")) < 0:
            self.receive()
        line = bytes(self.input[:end]).rstrip(b"\r")
        del self.input[:end + 1]
        self.session.heard.append((line, self.session.tls is not None))
        return line

    # Replies

    def say(self, at, reply, line=b""):
        """The reply, or what a fault makes of it. Returns the code that was said."""
        fault = next((fault for fault in self.host.faults if fault.happens(at, line)), None)
        if fault is not None:
            reply = self.meet(fault, reply)
        data = reply if isinstance(reply, bytes) else self.encode(reply)
        if fault is not None and fault.cut is not None:
            self.output += data[:fault.cut]
            self.flush()
            raise Closed(f"cut at {at}")
        self.output += data
        if fault is not None:
            self.output += fault.surplus
            if fault.close == "after":
                self.flush()
                raise Closed(f"closed after {at}")
        return data[:3]

    def meet(self, fault, reply):
        if fault.delay:
            self.flush()
            time.sleep(fault.delay)
        if fault.close == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raise Closed(f"reset at {fault.at}")
        if fault.close == "before":
            self.flush()
            raise Closed(f"closed before {fault.at}")
        return reply if fault.reply is None else fault.reply

    @staticmethod
    def encode(reply):
        lines = [reply] if isinstance(reply, str) else list(reply)
        return "".join(f"{line}\r\n" for line in lines).encode()

    @staticmethod
    def multiline(code, lines):
        return [f"{code}{' ' if n == len(lines) - 1 else '-'}{text}" for n, text in enumerate(lines)]

    # Steps

    def secure(self):
        fault = next((f for f in self.host.faults if f.happens("HANDSHAKE", b"")), None)
        self.flush()
        if fault is not None:
            reply = self.meet(fault, b"")
            self.socket.sendall(reply if isinstance(reply, bytes) else self.encode(reply))
            raise Closed("closed at HANDSHAKE")
        plain = self.socket
        self.socket = self.host.context.wrap_socket(plain, server_side=True,
                                                    do_handshake_on_connect=False)
        self.host.step(lambda: (self.host._open.discard(plain), self.host._open.add(self.socket)))
        self.socket.do_handshake()
        self.session.tls = self.socket.version()
        self.session.login = self.session.hello = self.message = None
        self.input.clear()

    def run(self):
        if self.host.implicit:
            self.secure()
        if self.say("CONNECT", f"220 {self.host.name} ESMTP") != b"220":
            self.flush()
        while True:
            line = self.line()
            verb, _, rest = line.partition(b" ")
            verb = verb.upper().decode("ascii", "replace")
            method = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
            if method is None:
                self.say(verb, "500 5.5.2 unknown command", line)
            else:
                method(rest, line)

    def offers(self):
        lines = [self.host.name, *self.host.extensions]
        if self.host.size is not None:
            lines.append(f"SIZE {self.host.size}")
        if self.host.starttls and self.session.tls is None:
            lines.append("STARTTLS")
        if self.host.users is not None and (self.session.tls or self.host.auth_in_clear):
            lines.append("AUTH " + " ".join(self.host.mechanisms))
        return self.multiline(250, lines)

    def do_ehlo(self, rest, line):
        self.session.hello, self.message = rest.decode("latin-1"), None
        self.say("EHLO", self.offers(), line)

    def do_helo(self, rest, line):
        self.session.hello, self.message = rest.decode("latin-1"), None
        self.say("HELO", f"250 {self.host.name}", line)

    def do_starttls(self, rest, line):
        if self.host.context is None or self.session.tls:
            self.say("STARTTLS", "502 5.5.1 no TLS here", line)
        elif self.say("STARTTLS", "220 2.0.0 go ahead", line) == b"220":
            self.secure()

    def challenge(self, octets):
        self.say("RESPONSE", "334 " + base64.b64encode(octets).decode())
        return base64.b64decode(self.line())

    def do_auth(self, rest, line):
        name, _, initial = rest.partition(b" ")
        name = name.upper().decode()
        if name not in self.host.mechanisms:
            self.say("AUTH", "504 5.5.4 unknown mechanism", line)
            return
        user = MECHANISMS[name](base64.b64decode(initial) if initial else None, self.challenge,
                                self.host)
        reply = "535 5.7.8 wrong user or password" if user is None else "235 2.7.0 welcome"
        if self.say("AUTH", reply, line) == b"235":
            self.session.login = user

    @staticmethod
    def path(rest):
        found = re.match(rb"(?:FROM|TO):<([^>]*)>\s*(.*)$", rest, re.IGNORECASE)
        return (found[1].decode(), found[2].decode()) if found else (None, "")

    def do_mail(self, rest, line):
        self.host.mail_times.append(time.monotonic())
        sender, parameters = self.path(rest)
        if self.message is not None:
            reply = "503 5.5.1 nested MAIL"
        elif sender is None:
            reply = "501 5.5.4 syntax"
        elif self.host.users is not None and self.session.login is None:
            reply = "530 5.7.0 log in first"
        else:
            reply = "250 2.1.0 ok"
        if self.say("MAIL", reply, line)[:1] == b"2":
            self.message = Message(self.session)
            self.message.sender, self.message.sender_parameters = sender, parameters

    def do_rcpt(self, rest, line):
        recipient, parameters = self.path(rest)
        if self.message is None:
            reply = "503 5.5.1 MAIL first"
        else:
            reply = "250 2.1.5 ok" if recipient is not None else "501 5.5.4 syntax"
        if self.say("RCPT", reply, line)[:1] == b"2" and self.message is not None:
            self.message.recipients.append(recipient)
            self.message.recipient_parameters.append(parameters)

    def do_data(self, rest, line):
        ready = self.message is not None and self.message.recipients
        reply = "354 go ahead" if ready else "503 5.5.1 no valid recipients"
        if self.say("DATA", reply, line)[:1] != b"3":
            return
        raw = self.content()
        message, self.message = self.message or Message(self.session), None
        message.raw = raw
        message.content = raw[:-3].replace(b"\r\n..", b"\r\n.")
        if message.content.startswith(b".."):
            message.content = message.content[1:]
        accepted = self.say("DOT", f"250 2.0.0 queued as {len(self.host.messages) + 1}", raw)
        if accepted[:1] == b"2":
            self.host.step(lambda: (self.session.messages.append(message),
                                    self.host.messages.append(message)))
        self.occasion("IDLE", b"")

    def do_bdat(self, rest, line):
        """Chunks are swallowed whatever is said of them (RFC 3030 4.2)."""
        words = rest.split()
        length, last = int(words[0]), words[1:] == [b"LAST"]
        while len(self.input) < length:
            self.receive()
        chunk = bytes(self.input[:length])
        del self.input[:length]
        if self.message is None or not self.message.recipients:
            self.say("BDAT", "503 5.5.1 no valid recipients", line)
            return
        self.message.raw += chunk
        if not last:
            self.say("BDAT", "250 2.0.0 more", line)
            return
        message, self.message = self.message, None
        message.content = message.raw
        accepted = self.say("BDAT", f"250 2.0.0 queued as {len(self.host.messages) + 1}", line)
        if accepted[:1] == b"2":
            self.host.step(lambda: (self.session.messages.append(message),
                                    self.host.messages.append(message)))
        self.occasion("IDLE", b"")

    def occasion(self, at, line):
        """A point where nothing is said unless a fault does."""
        self.say(at, b"", line)

    def content(self):
        """All of it with its final dot; the first octets are an occasion for a fault."""
        start = 0
        if not self.input:
            self.receive()
        self.occasion("CONTENT", bytes(self.input))
        while True:
            if self.input.startswith(b".\r\n"):
                end = 3
                break
            found = self.input.find(b"\r\n.\r\n", start)
            if found >= 0:
                end = found + 5
                break
            start = max(0, len(self.input) - 4)
            self.receive()
        raw = bytes(self.input[:end])
        del self.input[:end]
        return raw

    def do_rset(self, rest, line):
        self.message = None
        self.say("RSET", "250 2.0.0 ok", line)

    def do_noop(self, rest, line):
        self.say("NOOP", "250 2.0.0 ok", line)

    def do_quit(self, rest, line):
        self.say("QUIT", "221 2.0.0 bye", line)
        self.flush()
        raise Closed("QUIT")
