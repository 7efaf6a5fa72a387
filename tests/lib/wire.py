# SPDX-License-Identifier: ISC
"""An SMTP client that says exactly what a test wants, octet by octet."""

import socket
import ssl
import warnings

TIMEOUT = 30    # seconds until an answer that must come is said to be missing


class Wire:
    """    with Wire(port) as wire:
        wire.greet()
        assert wire.say("NOOP").startswith("250")
    The port may be the path of a Unix socket.
    """

    def __init__(self, port, host="127.0.0.1"):
        if isinstance(port, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(port)
        else:
            self.socket = socket.create_connection((host, port), timeout=TIMEOUT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.lines.close()
        self.socket.close()

    def vanish(self):
        """A client that dies: the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """The next reply, all its lines, without the line ends; "" when the server closed."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            line = self.lines.readline().decode()
            if line == "":
                return "\n".join(lines)
            assert line.endswith("\r\n"), f"no CRLF behind {line!r}"
            lines.append(line[:-2])
        return "\n".join(lines)

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def greet(self, verb="EHLO"):
        """The greeting is read and answered; returns what EHLO says."""
        assert self.reply().startswith("220 ")
        answer = self.say(f"{verb} client.test")
        assert answer.startswith("250"), answer
        return answer

    def open(self, *recipients, sender="a@example.com"):
        """A transaction up to 354."""
        assert self.say(f"MAIL FROM:<{sender}>").startswith("250")
        for recipient in recipients or ["b@example.org"]:
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert self.say("DATA").startswith("354")

    def mail(self, content="Subject: one\r\n\r\nhi\r\n", **options):
        """A whole transaction; returns the last reply."""
        self.open(**options)
        return self.say(content + ".")

    def closed(self):
        """True when the server says nothing more and closes."""
        try:
            return self.lines.read() == b""
        except ConnectionResetError:
            return True

    def start_tls(self, version=None):
        """TLS without any look at the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version is not None:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():     # that the version is old is why a test wants it
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
        self.socket = context.wrap_socket(self.socket)
        self.lines = self.socket.makefile("rb")
