# SPDX-License-Identifier: ISC
"""Listeners: several with different rules, the PROXY protocol, limits of a client."""

import re
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest

from penstock import PATIENCE, wait_until
from postfix import free_port
from wire import Wire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, destination="127.0.0.1", command=0x21, more=b""):
    family, code = (socket.AF_INET6, 0x21) if ":" in source else (socket.AF_INET, 0x11)
    if family == socket.AF_INET6:
        destination = "::1"
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, destination)
            + struct.pack("!HH", 54321, 25) + more)
    return SIGNATURE + bytes([command, code]) + struct.pack("!H", len(body)) + body


def ports(daemon):
    return [int(port) for port in re.findall(r"listening on=(?!unix)\S+ port=(\d+)", daemon.log())]


PROXIED = 'proxy-protocol = true  proxy-from = { "127.0.0.0/8" }  '


@pytest.mark.threads
@pytest.mark.parametrize("header, client", [
    (b"PROXY TCP4 192.0.2.7 127.0.0.1 54321 25\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 ::1 54321 25\r\n", "2001:db8::7"),
    (v2("192.0.2.7", more=b"\x04\0\4abcd"), "192.0.2.7"),
    (v2("2001:db8::7"), "2001:db8::7"),
])
def test_the_proxied_address_is_the_clients(start, sink, header, client):
    networks = 'open-relay = true  relay-from = { "192.0.2.0/24", "2001:db8::/32" }'
    daemon = start(listen=PROXIED + networks)
    with Wire(daemon.port) as wire:
        wire.send(header)
        wire.greet()
        assert wire.mail().startswith("250")
    wait_until(lambda: sink.messages, "the message")
    assert client.encode() in sink.messages[0].content.partition(b"Subject:")[0]
    assert daemon.has_line(f"message accepted .*client={client} ")


def test_a_proxied_stranger_may_not_relay(start):
    daemon = start(listen=PROXIED)
    for header in b"PROXY TCP4 192.0.2.7 127.0.0.1 54321 25\r\n", b"PROXY UNKNOWN\r\n":
        with Wire(daemon.port) as wire:
            wire.send(header)
            wire.greet()
            wire.say("MAIL FROM:<a@example.com>")
            assert wire.say("RCPT TO:<b@example.org>").startswith("554 5.7.1")


def test_who_is_no_proxy_is_refused_and_told_in_the_log(start):
    daemon = start(listen='proxy-protocol = true  proxy-from = { "192.0.2.0/24" }')
    with Wire(daemon.port) as wire:
        assert wire.closed()
    assert daemon.has_line(r'connection refused client=127\.0\.0\.1 listener=127\.0\.0\.1:0 '
                           r'reason="not in proxy-from"')


def test_a_connection_without_a_header_is_refused(start):
    daemon = start(listen=PROXIED)
    with Wire(daemon.port) as wire:
        wire.send("EHLO client.test\r\n")
        assert wire.closed()
    assert daemon.has_line('connection refused .*reason="no PROXY header"')


@pytest.mark.parametrize("pieces", [1, 2])
def test_tls_begins_behind_the_header(start, sink, certificates, pieces):
    """The client's hello may come in the same segment as the header, or later."""
    daemon = start(listen=PROXIED + f'tls = "implicit"  certificate = "{certificates}/good.pem" '
                   f'key = "{certificates}/good.key"  relay-from = {{ "192.168.1.0/24" }}')
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_hostname="localhost")
    header = v2("192.168.1.7")
    with Wire(daemon.port) as wire:
        if pieces == 2:
            wire.send(header)
            header = b""

        def pump(action):
            nonlocal header
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    wire.send(header + out.read())
                    header = b""
                    into.write(wire.socket.recv(65536))

        pump(tls.do_handshake)
        assert pump(lambda: tls.read(1000)).startswith(b"220 ")
        for line, reply in ((b"EHLO client.test", b"250"), (b"MAIL FROM:<a@example.com>", b"250"),
                            (b"RCPT TO:<b@example.org>", b"250"), (b"DATA", b"354"),
                            (b"Subject: x\r\n\r\nx\r\n.", b"250")):
            tls.write(line + b"\r\n")
            wire.send(out.read())
            assert pump(lambda: tls.read(1000)).startswith(reply)
    wait_until(lambda: sink.messages, "the message")
    assert b"192.168.1.7" in sink.messages[0].content


def test_proxies_have_to_be_named(build, tmp_path, start):
    with pytest.raises(AssertionError, match="name the proxies that may"):
        start(listen="proxy-protocol = true")


# ---- limits ---------------------------------------------------------------------

def test_a_client_begins_no_more_messages_than_its_rate(start):
    daemon = start(listen='rate-per-client = { "3/h" }')
    with Wire(daemon.port) as wire:
        wire.greet()
        for _ in range(3):
            assert wire.mail().startswith("250")
    with Wire(daemon.port) as wire:
        wire.greet()
        answer = wire.say("MAIL FROM:<a@example.com>")
        assert re.match(r"450 4\.7\.1 .*try again in \d+ s", answer)


def test_errors_of_a_client_add_up_over_sessions(start):
    daemon = start(listen=PROXIED + "max-errors-per-client = 10")

    def connect(address):
        wire = Wire(daemon.port)
        wire.send(f"PROXY TCP4 {address} 127.0.0.1 54321 25\r\n")
        return wire

    def errors(address, count):
        with connect(address) as wire:
            wire.reply()
            for _ in range(count):
                assert wire.say("WHAT").startswith("500")

    for _ in range(3):
        errors("192.0.2.7", 4)
    with connect("192.0.2.7") as wire:
        assert wire.reply().startswith("421 4.7.0")
    with connect("192.0.2.8") as wire:
        assert wire.reply().startswith("220")


def test_the_busiest_client_feels_it_first(start):
    """Near max-connections who has more than an equal share is told so; the others come in."""
    daemon = start(listen=PROXIED + "max-connections = 40")

    def connect(address):
        wire = Wire(daemon.port)
        wire.send(f"PROXY TCP4 {address} 127.0.0.1 54321 25\r\n")
        return wire, wire.reply()

    held = [connect("192.0.2.7") for _ in range(36)]
    assert all(said.startswith("220") for _, said in held)
    held += [connect("192.0.2.8")]
    assert held[-1][1].startswith("220")
    held += [connect("192.0.2.7")]
    assert held[-1][1].startswith("421 4.7.0 Busy")
    held += [connect("192.0.2.8")]
    assert held[-1][1].startswith("220")
    for wire, _ in held:
        wire.close()


def test_a_slow_sender_is_cut_off_by_its_rate(start):
    """Silent never, done never: what counts is octets."""
    daemon = start(listen='idle-timeout = "2s"  min-data-rate = "1000"')
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        wire.socket.settimeout(0.1)
        said = b""
        end = time.monotonic() + PATIENCE
        while not said and time.monotonic() < end:
            wire.send("x\r\n")
            try:
                said = wire.socket.recv(1000)
            except TimeoutError:
                pass
        assert said.startswith(b"421 4.4.2")


def test_a_header_has_a_limit(start):
    daemon = start(listen='max-header-size = "4KiB"')
    with Wire(daemon.port) as wire:
        wire.greet()
        assert wire.mail("X: y\r\n" * 800 + "\r\nx\r\n").startswith("552 5.3.4 Header")
        assert wire.mail("X: y\r\n" * 600 + "\r\nx\r\n" * 2000).startswith("250")


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT a:25 HTTP/1.1"])
def test_a_browser_is_sent_away(start, line):
    daemon = start()
    with Wire(daemon.port) as wire:
        wire.reply()
        assert wire.say(line).startswith("554 ")
        assert wire.closed()


# ---- several listeners -------------------------------------------------------------

def test_listeners_have_rules_of_their_own(start, sink, tmp_path):
    path = tmp_path / "in.sock"
    daemon = start(listen="max-message-size = 2000", extra=f"""
        listen "[::1]:0" {{ relay-from = {{ "10.0.0.0/8" }} }}
        listen "localhost:0" {{ max-recipients = 100  max-message-size = 5000 }}
        listen "unix:{path}" {{ max-message-size = 3000 }}""")
    four, six, other = ports(daemon)
    with Wire(four) as wire:
        assert "SIZE 2000" in wire.greet()
        assert wire.mail().startswith("250")
    with Wire(six, host="::1") as wire:
        assert f"SIZE {50 << 20}" in wire.greet()
        wire.say("MAIL FROM:<a@example.com>")
        assert wire.say("RCPT TO:<b@example.org>").startswith("554 5.7.1")
    with Wire(other) as wire:
        assert "SIZE 5000" in wire.greet()
        assert wire.mail().startswith("250")
    with Wire(str(path)) as wire:
        assert "SIZE 3000" in wire.greet()
        assert wire.mail().startswith("250")
    wait_until(lambda: len(sink.messages) == 3, "the messages")


# ---- sockets of a service manager -----------------------------------------------------

# LAUNCHER CONFIG SOCKETS COMMAND...: binds each of SOCKETS, puts the ports that the kernel chose
# into the configuration, and becomes COMMAND as systemd starts a service with sockets.
LAUNCHER = """
import os, socket, sys

config, wanted, command = sys.argv[1], sys.argv[2].split(), sys.argv[3:]
sockets = []
for where in wanted:
    if where.startswith("/"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(where)
    else:
        one = socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET)
        one.bind((where, 0))
    one.listen()
    sockets.append(one)
with open(config) as file:
    text = file.read()
for number, one in enumerate(sockets):
    if one.family != socket.AF_UNIX:
        text = text.replace(f"@{number}@", str(one.getsockname()[1]))
with open(config, "w") as file:
    file.write(text)
copies = [os.dup(one.fileno()) for one in sockets]
copies = [os.dup2(one, 100 + number) for number, one in enumerate(copies)]
for number, one in enumerate(copies):
    os.dup2(one, 3 + number)
os.closerange(3 + len(copies), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(copies)),
                  LISTEN_FDNAMES=":".join(f"name{number}" for number in range(len(copies))))
os.execv(command[0], command)
"""


@pytest.fixture
def activate(start, tmp_path, sink):
    def activate(sockets, listeners):
        return start(
            config=f"""hostname = "relay.test"
                spool {{ path = "{tmp_path}/spool" }}
                control {{ socket = "{tmp_path}/control.sock" }}
                provider "sink" {{ url = "smtp+notls://127.0.0.1:{sink.port}" }}
                {listeners}""",
            prefix=[sys.executable, "-c", LAUNCHER, str(tmp_path / "penstock.conf"), sockets])
    return activate


def test_sockets_of_the_service_manager_are_taken(activate, sink, tmp_path):
    path = tmp_path / "given.sock"
    daemon = activate(f"127.0.0.1 ::1 {path}", f'listen "[::1]:@1@" {{ max-message-size = 3000 }} '
                      f'listen "127.0.0.1:@0@" {{ max-message-size = 2000 }}'
                      f'listen "unix:{path}" {{ max-message-size = 4000 }}')
    six, four = ports(daemon)
    for where, size in ((four, 2000), (six, 3000), (str(path), 4000)):
        with Wire(where, host="::1" if where == six else "127.0.0.1") as wire:
            assert f"SIZE {size}\n" in wire.greet() + "\n"
            assert wire.mail().startswith("250")
    wait_until(lambda: len(sink.messages) == 3, "the messages")
    daemon.stop()
    assert path.exists()    # it is the service manager's


def test_a_socket_without_a_listener_is_named(activate, tmp_path):
    with pytest.raises(AssertionError, match=r"no listener is configured for: "
                       rf"unix:{tmp_path}/other.sock \(name1\): write a listen section"):
        activate(f"127.0.0.1 {tmp_path}/other.sock", 'listen "127.0.0.1:@0@" { }')


def test_sockets_of_another_process_are_left_alone(start):
    daemon = start(environment={"LISTEN_PID": "1", "LISTEN_FDS": "2"})
    with Wire(daemon.port) as wire:
        wire.greet()


def test_descriptors_that_do_not_listen_are_an_error(start):
    launcher = ("import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
                "os.dup2(0, 3); os.execv(sys.argv[1], sys.argv[1:])")
    with pytest.raises(AssertionError, match="descriptor 3 .* is no listening stream socket"):
        start(prefix=[sys.executable, "-c", launcher])


# ---- haproxy ---------------------------------------------------------------------------

@pytest.fixture
def haproxy(peers, tmp_path):
    """haproxy(port, "send-proxy"): haproxy in front of that port; returns its own."""
    processes = []

    def haproxy(port, option):
        front = free_port()
        path = tmp_path / "haproxy.cfg"
        path.write_text(f"""
            global
                maxconn 100
            defaults
                mode tcp
                timeout connect 10s
                timeout client 30s
                timeout server 30s
            frontend mail
                bind 127.0.0.1:{front}
                default_backend penstock
            backend penstock
                server one 127.0.0.1:{port} {option}
""")
        processes.append(subprocess.Popen([f"{peers}/bin/haproxy", "-db", "-f", path],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))

        def answers():
            try:
                socket.create_connection(("127.0.0.1", front)).close()
            except ConnectionRefusedError:
                assert processes[-1].poll() is None, processes[-1].stderr.read().decode()
                return False
            return True
        wait_until(answers, "haproxy listens")
        return front

    yield haproxy
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2",
                                    "send-proxy-v2 proxy-v2-options unique-id,crc32c",
                                    "send-proxy-v2 check inter 100ms check-send-proxy"])
def test_behind_haproxy_the_client_has_its_own_address(start, sink, haproxy, option):
    daemon = start(listen=PROXIED + 'relay-from = { "127.0.0.77" }')
    front = haproxy(daemon.port, option)
    with smtplib.SMTP("127.0.0.1", front, local_hostname="client.test",
                      source_address=("127.0.0.77", 0)) as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nx\r\n")
    wait_until(lambda: sink.messages, "the message")
    assert b"127.0.0.77" in sink.messages[0].content.partition(b"Subject:")[0]
    with smtplib.SMTP("127.0.0.1", front, local_hostname="client.test") as client:
        client.ehlo()
        client.mail("a@example.com")
        assert client.rcpt("b@example.org")[0] == 554   # the proxy itself is in no network


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_tls_behind_haproxy(start, sink, certificates, haproxy, option):
    """haproxy sends its header together with the client's hello."""
    daemon = start(listen=PROXIED + f'tls = "implicit"  certificate = "{certificates}/good.pem" '
                   f'key = "{certificates}/good.key"')
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    with smtplib.SMTP_SSL("localhost", haproxy(daemon.port, option), context=context,
                          local_hostname="client.test") as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: x\r\n\r\nx\r\n")
    wait_until(lambda: sink.messages, "the message")
