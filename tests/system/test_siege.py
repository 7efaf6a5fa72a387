# SPDX-License-Identifier: ISC
"""Clients and smarthosts that do their worst, many at once: good mail keeps flowing, and what they
cost is given back when they are gone."""

import os
import random
import re
import selectors
import socket
import threading
import time

import pytest

from penstock import wait_until
from wire import Wire

MIB = 1024                          # KiB
BESIEGERS = {False: 240, True: 2_000}
SECONDS = {False: 5, True: 30}
SLOWEST = 10                        # seconds that a good message may take under siege
PIECE = 16 * 1024
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(32))   # a ClientHello's beginning


def is_long():
    return bool(os.environ.get("LONG"))


def rubbish(chance):
    while True:
        yield chance.randbytes(chance.choice([1, 20, 3000]))


def half_tls(chance):
    yield b"EHLO x\r\n"
    yield b"STARTTLS\r\n"
    for n in range(len(HELLO)):
        yield HELLO[n:n + 1]
    while True:
        yield b""


def tls_rubbish(chance):
    yield b"EHLO x\r\nSTARTTLS\r\n"
    while True:
        yield HELLO[:5] + chance.randbytes(200)


def single_octets(chance):
    while True:
        for octet in b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nDATA\r\nx\r\n.\r\n":
            yield bytes([octet])


def pipeline(chance):
    yield b"EHLO x\r\n"
    while True:
        yield b"MAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nRSET\r\nNOOP\r\nVRFY x\r\n" * 200


def endless_header(chance):
    yield b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nDATA\r\n"
    while True:
        yield b"X-Long: " + b"x" * 900 + b"\r\n\t" + b"y" * 60 + b"\r\n"


def endless_line(chance):
    while True:
        yield b"x" * PIECE


def tiny_chunks(chance):
    yield b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\n"
    while True:
        yield b"BDAT 0\r\nBDAT 1\r\nx" * 300


def big_chunk(chance):
    yield b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nBDAT 40000000\r\n"
    while True:
        yield b"z" * PIECE


def many_recipients(chance):
    yield b"EHLO x\r\nMAIL FROM:<a@b.c>\r\n"
    while True:
        yield b"".join(b"RCPT TO:<%d@c.d>\r\n" % chance.randrange(10**9) for _ in range(100))


def silent(chance):
    while True:
        yield b""


def storm(chance):
    yield b"EHLO x\r\n"
    raise ConnectionResetError


HOSTILE = [rubbish, half_tls, tls_rubbish, single_octets, pipeline, endless_header, endless_line,
           tiny_chunks, big_chunk, many_recipients, silent, storm]


class Siege:
    """So many connections from many loopback addresses, each with its own way; one that is thrown
    out comes back. None of them reads much."""

    def __init__(self, port, count):
        self.connections = 0
        self._port, self._count, self._stopping = port, count, False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping = True
        self._thread.join()

    def _open(self, n, selector, chance):
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind((f"127.9.{n // 200}.{n % 200 + 1}", 0))
        connection.connect_ex(("127.0.0.1", self._port))
        selector.register(connection, selectors.EVENT_WRITE,
                          (n, HOSTILE[n % len(HOSTILE)](chance), [b""]))
        self.connections += 1

    def _run(self):
        chance, selector = random.Random(3), selectors.DefaultSelector()
        for n in range(self._count):
            self._open(n, selector, chance)
        while not self._stopping:
            for key, _ in selector.select(0.1):
                n, way, left = key.data
                try:
                    left[0] = left[0] or next(way)
                    if left[0]:
                        left[0] = left[0][key.fileobj.send(left[0]):]
                    if chance.random() < 0.1:
                        key.fileobj.recv(100)
                except BlockingIOError:
                    continue
                except OSError:
                    selector.unregister(key.fileobj)
                    key.fileobj.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           b"\1\0\0\0\0\0\0\0")
                    key.fileobj.close()
                    self._open(n, selector, chance)
            time.sleep(0.01)    # or this process takes the processor
        for key in list(selector.get_map().values()):
            key.fileobj.close()


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def send_for(daemon, seconds):
    """Good mail for so long: how much, and what the slowest took."""
    slowest, count, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        since = time.monotonic()
        with Wire(daemon.port) as wire:
            wire.greet()
            assert wire.mail(sender="good@example.com").startswith("250 2.0.0 queued")
        slowest, count = max(slowest, time.monotonic() - since), count + 1
    return count, slowest


@pytest.mark.memory
def test_good_mail_flows_through_a_siege(start, sink, certificates):
    daemon = start(
        listen=f'tls = "starttls" certificate = "{certificates}/good.pem" '
               f'key = "{certificates}/good.key" max-connections = 3000',
        extra='route "siege" { sender = { "a@b.c" } via = { "discard" } }\n'
              'route "all" { via = { "sink" } }')
    send_for(daemon, 0.5)
    memory, open_before = daemon.anonymous_memory(), descriptors(daemon)
    siege = Siege(daemon.port, BESIEGERS[is_long()])
    try:
        wait_until(lambda: siege.connections >= BESIEGERS[is_long()], "they are all there", 60)
        count, slowest = send_for(daemon, SECONDS[is_long()])
        during = daemon.anonymous_memory()
    finally:
        siege.stop()
    print(f"{siege.connections} connections, {count} good messages, slowest {slowest:.2f} s, "
          f"memory {memory}, {during} KiB")
    assert slowest < SLOWEST
    assert during < 256 * MIB
    daemon.drained()
    wait_until(lambda: descriptors(daemon) <= open_before + 5, "descriptors are given back", 60)
    wait_until(lambda: daemon.anonymous_memory() < memory + 32 * MIB, "memory is given back", 60)
    print(f"after it {daemon.anonymous_memory()} KiB, {descriptors(daemon)} descriptors")
    good = [m for m in sink.messages if m.sender == "good@example.com"]
    assert len(good) >= count


class BadHost:
    """A smarthost that goes its own way with each connection."""

    def __init__(self, way):
        self.connections = 0
        self._way, self._listener = way, socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                self._way(connection)
        except OSError:
            pass


def endless_banner(connection):
    while True:
        connection.sendall(b"220-hello " + b"x" * 400 + b"\r\n")


def endless_word(connection):
    while True:
        connection.sendall(b"x" * PIECE)


def slow(connection):
    while True:
        connection.sendall(b"2")
        time.sleep(1)


def never_reads(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"220 x\r\n250-x\r\n250 PIPELINING\r\n" + b"250 ok\r\n" * 2 + b"354 go\r\n")
    threading.Event().wait(60)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def echo(connection):
    connection.sendall(b"220 x\r\n")
    while data := connection.recv(PIECE):
        connection.sendall(data)


def all_yes(connection):
    connection.sendall(b"220 x\r\n")
    while connection.recv(PIECE):
        connection.sendall(b"250 yes\r\n" * 1000)


BAD = [endless_banner, endless_word, slow, never_reads, reset, echo, all_yes]


@pytest.mark.memory
def test_good_mail_flows_beside_bad_smarthosts(start, sink):
    hosts = [BadHost(way) for way in BAD]
    extra = "".join(f'provider "bad{n}" {{ url = "smtp+notls://127.0.0.1:{host.port}" }}\n'
                    f'route "bad{n}" {{ recipient = {{ "*@bad{n}.test" }} via = {{ "bad{n}" }} '
                    f'retry = {{ "1s" }} }}\n' for n, host in enumerate(hosts))
    daemon = start(extra=extra + 'route "all" { via = { "sink" } }')
    try:
        send_for(daemon, 0.5)
        memory, open_before = daemon.anonymous_memory(), descriptors(daemon)
        with Wire(daemon.port) as wire:
            wire.greet()
            for n in range(len(BAD) * 20):
                wire.open(f"x@bad{n % len(BAD)}.test")
                assert wire.say("x" * 70 + "\r\n" + ("y" * 78 + "\r\n") * 3000 + ".").startswith("250")
        count, slowest = send_for(daemon, SECONDS[is_long()])
        wait_until(lambda: len([m for m in sink.messages if m.sender == "good@example.com"]) >= count,
                   "good mail has arrived")
        print(f"{count} good messages, slowest {slowest:.2f} s, memory {memory}, "
              f"{daemon.anonymous_memory()} KiB, connections {[h.connections for h in hosts]}, "
              f"descriptors {open_before} {descriptors(daemon)}")
        assert slowest < SLOWEST
        assert daemon.anonymous_memory() < memory + 64 * MIB
        assert descriptors(daemon) < open_before + 10 * len(BAD) + 10
        assert max(host.connections for host in hosts) < 500
        # Nothing was sent there but what the host that says yes to all may have got.
        assert not daemon.has_line(r"delivery sent .*provider=bad[0-5]")
    finally:
        for host in hosts:
            host.stop()
