# SPDX-License-Identifier: ISC
"""The n-th call fails (tests/lib/meddle.c): no 250 for what is not kept, no hang, no busy loop."""

import errno
import os
import re
import threading
import time

import pytest

from meddle import Meddle
from penstock import Penstockd, wait_until
from smarthost import Smarthost
from wire import Wire

ALWAYS = 1_000_000_000
BUSY_SECONDS = 0.5      # of CPU in a second in which nothing can be done
TRIES = 200             # connections until a fault must have been met


class Clients:
    """Two send one message after the other, some large, and note what was acknowledged; they
    come back when they are thrown out, until stop() or the daemon is gone."""

    def __init__(self, port):
        self.acknowledged, self.refusals = [], []
        self._port, self._stopping = port, False
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self, n):
        while not self._stopping:
            try:
                with Wire(self._port) as wire:
                    if wire.reply().startswith("220") and wire.say("EHLO a").startswith("250"):
                        self._send(wire, n)
            except ConnectionRefusedError:
                return
            except (OSError, EOFError, AssertionError):
                pass        # thrown out

    def _send(self, wire, n):
        for k in range(TRIES):
            if self._stopping:
                return
            size = 100_000 if k % 5 == 4 else 200
            wire.open()
            reply = wire.say("Subject: x\r\n\r\n" + "y" * 78 * (size // 78) + "\r\n.")
            found = re.fullmatch(r"250 2\.0\.0 queued as (\w{13})", reply)
            if found:
                self.acknowledged.append(found[1])
            elif reply == "":
                return
            else:
                self.refusals.append(reply)

    def stop(self):
        self._stopping = True
        for thread in self._threads:
            thread.join(timeout=40)
            assert not thread.is_alive(), "a client waits for a reply that never comes"


def arrived(sink):
    return {re.search(rb"\sid (\w{13})", m.content)[1].decode() for m in list(sink.messages)}


@pytest.fixture
def meddle(build, tmp_path):
    return Meddle(build, tmp_path)


def ended(daemon):
    return daemon.process.poll() is not None


def run(daemon, meddle, sink, call, n, error, times=1):
    """The fault under load, a restart if it ended the daemon. Returns its clients and whether it
    ended; all that was acknowledged has arrived."""
    clients = Clients(daemon.port)
    wait_until(lambda: len(clients.acknowledged) > 5, "the load is under way")
    meddle.fault(call, n, error, times)
    wait_until(lambda: meddle.faulted() or ended(daemon), f"{call} fails")
    if times == 1:
        more = len(clients.acknowledged) + 10
        wait_until(lambda: len(clients.acknowledged) > more or ended(daemon), "life goes on")
    clients.stop()
    over = ended(daemon)
    meddle.no_fault()
    if over:
        assert daemon.process.returncode == 74, daemon.log()      # EX_IOERR
        assert daemon.has_line("spool (failed|cannot be read) error="), daemon.log()
        daemon.killed = True
        daemon.start()
    daemon.drained()
    assert set(clients.acknowledged) - arrived(sink) == set()
    return clients, over


SPOOL = [(call, n, error) for call in ("pwrite", "fdatasync", "meta")
         for error in (errno.EIO, errno.ENOSPC, 0) for n in (1, 2, 5)
         if (call, error) != ("fdatasync", 0)]


@pytest.mark.parametrize("call,n,error", [
    pytest.param(*case, marks=[pytest.mark.long] if case[1] > 1 else []) for case in SPOOL])
def test_a_write_to_the_spool_that_fails_makes_no_false_250(start, meddle, sink, call, n, error):
    daemon = start(environment=meddle.environment)
    clients, over = run(daemon, meddle, sink, call, n, error)
    if error == errno.EIO:
        assert over, daemon.log()
    if error == errno.ENOSPC and call == "pwrite":
        assert not over, daemon.log()


SOCKETS = [("accept4", errno.EMFILE), ("accept4", errno.ENOBUFS), ("accept4", errno.ECONNABORTED),
           ("accept4", errno.EPERM), ("accept4", errno.EIO),
           ("recv", errno.EIO), ("recv", errno.ECONNRESET), ("recv", errno.EINTR),
           ("recv", errno.EAGAIN), ("recv", errno.ENOMEM),
           ("send", errno.EIO), ("send", errno.EINTR), ("send", 0),
           ("send", errno.EAGAIN), ("send", errno.ENOBUFS),
           ("socket", errno.EMFILE), ("connect", errno.ENETUNREACH), ("connect", errno.EADDRNOTAVAIL),
           ("epoll_ctl", errno.ENOSPC), ("epoll_wait", errno.EINTR), ("epoll_ctl", errno.ENOMEM)]


@pytest.mark.parametrize("call,error", [
    pytest.param(*case, marks=[pytest.mark.long] if n % 3 else []) for n, case in enumerate(SOCKETS)])
def test_a_socket_call_that_fails_is_survived(start, meddle, sink, call, error):
    daemon = start(environment=meddle.environment, provider="messages-per-connection = 5",
                   extra='route "all" { via = { "sink" } retry = { "1s" } }')
    _, over = run(daemon, meddle, sink, call, 3, error)
    assert not over, daemon.log()


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as stat:
        words = stat.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
def test_accepting_that_always_fails_is_no_busy_loop(start, meddle, error):
    daemon = start(environment=meddle.environment)
    meddle.fault("accept4", 1, error, ALWAYS)
    with Wire(daemon.port):
        wait_until(meddle.faulted, "it fails")
        before, since = cpu_seconds(daemon), time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1, "a second is over")
        assert cpu_seconds(daemon) - before < BUSY_SECONDS


@pytest.mark.parametrize("call,error", [("send", errno.ENOBUFS), ("connect", errno.ENETUNREACH),
                                        ("socket", errno.EMFILE), ("recv", errno.EIO)])
def test_a_call_that_always_fails_is_no_busy_loop(start, meddle, call, error):
    """A session and a delivery that get nowhere."""
    daemon = start(environment=meddle.environment)
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.mail()
        meddle.fault(call, 1, error, ALWAYS)
        wire.send("NOOP\r\n")
        wait_until(lambda: meddle.faulted() or call in ("connect", "socket"), "it fails")
        before, since = cpu_seconds(daemon), time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1, "a second is over")
        used = cpu_seconds(daemon) - before
        assert used < BUSY_SECONDS
