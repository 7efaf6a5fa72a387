# SPDX-License-Identifier: ISC
"""A reload: other settings in the same process, on the same sockets, with the same mail."""

import os
import signal
import socket

import pytest

from penstock import wait_until
from smarthost import Smarthost
from wire import Wire


def rewrite(daemon, old, new):
    path = os.path.join(daemon.directory, "penstock.conf")
    with open(path, encoding="ascii") as config:
        text = config.read()
    assert old in text
    with open(path, "w", encoding="ascii") as config:
        config.write(text.replace(old, new))


def reload(daemon, said="ready again"):
    count = sum(said in line for line in daemon.lines)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: sum(said in line for line in daemon.lines) > count, said)


def banner(daemon):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as client:
        return client.recv(1000).decode()


@pytest.mark.threads
def test_other_settings_are_in_force_on_the_same_port(start, sink):
    daemon = start()
    port, pid = daemon.port, daemon.process.pid
    assert banner(daemon).startswith("220 relay.test ")
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "renamed.test"')
    reload(daemon)
    assert daemon.port == port and daemon.process.pid == pid
    assert banner(daemon).startswith("220 renamed.test ")
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: after\r\n\r\nx\r\n")
    wait_until(lambda: len(sink.messages) == 1, "the message")
    assert daemon.cli_json("status")["pid"] == pid
    daemon.stop()


def test_who_connects_meanwhile_waits_and_is_served(start, sink):
    daemon = start()
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "renamed.test"')
    with Wire(daemon.port) as busy:
        busy.greet()
        busy.open()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.has_line("stopping reason=reload"), "the reload begins")
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as waiting:
            busy.send("Subject: in flight\r\n\r\nx\r\n.\r\n")
            assert busy.reply().startswith("250 2.0.0 queued")
            assert busy.reply().startswith("421 4.3.2")
            assert waiting.recv(1000).startswith(b"220 renamed.test ")
    wait_until(lambda: len(sink.messages) == 1, "the message in flight")


@pytest.mark.parametrize("change, word", [
    (("hostname = ", "hostnam = "), "hostnam"),
    (("provider \"sink\" {", "provider \"sink\" { connections = 0"), "connections"),
])
def test_wrong_settings_change_nothing(start, sink, change, word):
    daemon = start()
    rewrite(daemon, *change)
    reload(daemon, "settings not reloaded")
    line = next(line for line in daemon.lines if "settings not reloaded" in line)
    assert word in line and "penstock.conf" in line
    assert banner(daemon).startswith("220 relay.test ")
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: still\r\n\r\nx\r\n")
    wait_until(lambda: len(sink.messages) == 1, "the message")


def test_settings_that_do_not_start_give_way_to_the_old_ones(start, sink):
    daemon = start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rewrite(daemon, "hostname =", f'listen "127.0.0.1:{taken.getsockname()[1]}" {{}}\nhostname =')
        reload(daemon)
    assert daemon.has_line("the new settings do not start .*in use")
    with daemon.smtp() as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: still\r\n\r\nx\r\n")
    wait_until(lambda: len(sink.messages) == 1, "the message")
    daemon.cli("status")


def test_a_listener_comes_and_goes(start, tmp_path):
    daemon = start()
    path = str(tmp_path / "more.sock")
    rewrite(daemon, "hostname =", f'listen "unix:{path}" {{}}\nhostname =')
    reload(daemon)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert client.recv(1000).startswith(b"220 ")
    rewrite(daemon, f'listen "unix:{path}" {{}}\n', "")
    reload(daemon)
    assert not os.path.exists(path)
    assert banner(daemon).startswith("220 ")


def test_nothing_is_stranded_by_a_renamed_route_and_provider(start):
    daemon = start(relay_to=9, extra='route "all" { via = { "sink" } retry = { "1s" } }')
    with daemon.smtp() as client:
        for n in range(20):
            client.sendmail("a@example.com", [f"b{n}@example.org"], "Subject: x\r\n\r\nx\r\n")
    assert daemon.waiting() == 20
    with Smarthost() as other:
        rewrite(daemon, "127.0.0.1:9\"", f"127.0.0.1:{other.port}\"")
        rewrite(daemon, 'provider "sink"', 'provider "other"')
        rewrite(daemon, 'route "all" { via = { "sink" }', 'route "everything" { via = { "other" }')
        reload(daemon)
        wait_until(lambda: len(other.messages) == 20, "all of it")
        daemon.drained()


def test_a_rate_holds_across_reloads(start, sink):
    daemon = start(provider='rate = { "10/2s" }')
    with daemon.smtp() as client:
        for n in range(30):
            client.sendmail("a@example.com", [f"b{n}@example.org"], "Subject: x\r\n\r\nx\r\n")
    for n in range(3):
        wait_until(lambda: len(sink.messages) > n * 10, "the next ones")
        rewrite(daemon, 'hostname = "', 'hostname = "x')
        reload(daemon)
    wait_until(lambda: len(sink.messages) == 30, "all messages")
    times = sorted(sink.mail_times)
    # Three quarters of a period: what was written apart may be read closer together.
    assert all(later - earlier > 1.5 for earlier, later in zip(times, times[10:]))


def test_the_command_says_what_came_of_it(start):
    daemon = start()
    assert b"as before" in daemon.cli("reload").stdout
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "renamed.test"')
    assert b"new settings" in daemon.cli("reload").stdout
    wait_until(lambda: daemon.has_line("ready again"), "the new settings")
    rewrite(daemon, "hostname = ", "hostnam = ")
    done = daemon.cli("reload", check=False)
    assert done.returncode != 0 and b"penstock.conf:1" in done.stderr and b"hostnam" in done.stderr
    assert banner(daemon).startswith("220 renamed.test ")


def test_sigterm_ends_a_reload(start):
    daemon = start()
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "renamed.test"')
    with Wire(daemon.port) as busy:
        busy.greet()
        busy.open()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.has_line("stopping reason=reload"), "the reload begins")
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: daemon.has_line("instead of reloading"), "the stop")
    assert daemon.process.wait(timeout=30) == 0
    assert not os.path.exists(daemon.control)
    assert not daemon.has_line("ready again")
