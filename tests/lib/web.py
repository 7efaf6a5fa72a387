# SPDX-License-Identifier: ISC
"""The web of a penstockd as its clients see it: requests, WebSocket (RFC 6455), event streams.

    web = Web(daemon)
    web.json("GET", "/api/v1/messages") ... web.ask("DELETE", "/messages").status
    with web.socket("/api/events") as events: events.event("new")
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct
from types import SimpleNamespace

PATIENCE = 30   # seconds until something that must happen is said to fail


class Web:
    def __init__(self, daemon):
        self.port = daemon.http_port

    def ask(self, method, path, body=None, timeout=PATIENCE, **headers):
        """status, headers, body of the answer. A body that is no text or bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content_Type", "application/json")
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())
        finally:
            connection.close()

    def json(self, method, path, body=None, **headers):
        answer = self.ask(method, path, body, **headers)
        assert answer.status == 200, (method, path, answer)
        return json.loads(answer.body)

    def ids(self, query=""):
        """Of the messages, the newest first."""
        path = f"/api/v1/search?query={query}&limit=1000" if query else "/api/v1/messages?limit=1000"
        return [message["ID"] for message in self.json("GET", path)["messages"]]

    def socket(self, path="/api/events", **headers):
        return Socket(self.port, path, headers)

    def stream(self, path="/api/events"):
        return Stream(self.port, path)


class Listener:
    """Events, in order; next_event() waits for one."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.close()

    def event(self, kind, key="Type"):
        """The data of the next event of that kind; those before it are passed over."""
        while True:
            event = self.next_event()
            if event.get(key) == kind:
                return event


class Socket(Listener):
    """A WebSocket. `head` is the answer to the handshake."""

    def __init__(self, port, path, headers):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        fields.update({k.replace("_", "-"): v for k, v in headers.items()})
        lines = [f"{k}: {v}" for k, v in fields.items() if v is not None]
        self.connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode())
        self.file = self.connection.makefile("rb")
        self.head = b"".join(iter(lambda: self.file.readline(), b"\r\n")).decode()
        self.status = int(self.head.split(" ", 2)[1])
        if self.status == 101:
            digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            assert f"sec-websocket-accept: {base64.b64encode(digest).decode()}".lower() in self.head.lower()

    def send(self, opcode, payload=b"", first=None, mask=b"\x01\x02\x03\x04"):
        """A masked frame; first: its first octet instead of a final frame's."""
        length = struct.pack("!B", 0x80 | len(payload)) if len(payload) < 126 else \
            struct.pack("!BH", 0x80 | 126, len(payload))
        masked = bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))
        self.connection.sendall(bytes([first if first is not None else 0x80 | opcode]) + length + mask + masked)

    def frame(self):
        """(opcode, payload) of the next frame; None: the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        assert head[1] < 128, "a server does not mask"
        length = head[1]
        if length == 126:
            length = struct.unpack("!H", self.file.read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.file.read(8))[0]
        return head[0] & 15, self.file.read(length)

    def next_event(self):
        while True:
            frame = self.frame()
            assert frame is not None, "the connection ended"
            if frame[0] == 1:
                return json.loads(frame[1])


class Stream(Listener):
    """Server-sent events."""

    def __init__(self, port, path):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                "Accept: text/event-stream\r\n\r\n".encode())
        self.file = self.connection.makefile("rb")
        self.head = b"".join(iter(lambda: self.file.readline(), b"\r\n")).decode()

    def next_event(self):
        for line in self.file:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
        raise AssertionError("the stream ended")


def deliver(daemon, subject="hello", sender="ann@example.com", to=("bob@example.org",), body="text\r\n",
            fields=""):
    """One message by SMTP."""
    with daemon.smtp() as client:
        client.sendmail(sender, list(to), (f"From: <{sender}>\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n"
                                           f"{fields}\r\n{body}").encode())
