# SPDX-License-Identifier: ISC
"""A power failure at any moment: what was acknowledged is there and whole, whatever the disk had
not been told to keep.

A daemon under load is recorded (tests/lib/meddle.c). The record is played up to some point; the
file then holds what had been synced, and of the writes behind the last sync any pages, or sectors.
"""

import collections
import hashlib
import os
import random
import re
import subprocess
import threading

import pytest

import meddle
from meddle import Disk, Meddle
from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost
from wire import Wire

CLIENTS = 4
SIZES = [300, 300, 3_000, 9_000, 150_000]   # the last one is streamed
MESSAGES = 120
ROUTE = 'route "all" { via = { "sink" } retry = { "1s" } }'
EXAMINED = {False: 150, True: 4_000}     # images; in check-long the second
STARTED = {False: 10, True: 200}         # images on which the daemon itself is started
UNSYNCED = [(4096, 0), (4096, 1), (4096, 0.5), (512, 0.5), (512, 0.9), (4096, 0.1)]


def content(token, size):
    """Header fields that nothing is added to, and a body that belongs to its token."""
    line = hashlib.sha256(token.encode()).hexdigest() + "\r\n"
    return (f"From: a@example.com\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{token}@client.test>\r\nSubject: {token}\r\n\r\n"
            + line * (size // len(line) + 1))


class Load:
    """Messages of all sizes from some clients; `sent`: id -> content."""

    def __init__(self, port, prefix, count=MESSAGES):
        self.sent = {}
        self._prefix, self._count = prefix, count
        threads = [threading.Thread(target=self._run, args=(port, n)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, port, n):
        with Wire(port) as wire:
            wire.greet()
            for k in range(self._count // CLIENTS):
                text = content(f"{self._prefix}{n}x{k}", SIZES[k % len(SIZES)])
                to = {3: ["gone@example.org"], 7: ["late@example.org", "b@example.org"]}
                wire.open(*to.get(k % 10, []))
                reply = wire.say(text + ".")
                self.sent[re.fullmatch(r"250 2\.0\.0 queued as (\w{13})", reply)[1]] = text


class Record:
    """events; sent: id -> content; arrived: what the smarthost took, in order."""

    def __init__(self, build, directory):
        # One connection, so that the smarthost's numbers have an order.
        faults = [Fault("RCPT", "550 5.1.1 nobody", match="<gone"),
                  Fault("RCPT", "451 4.7.1 later", match="<late", times=5)]
        self.meddle = Meddle(build, directory)
        with Smarthost(faults=faults) as host:
            with Penstockd(build, directory, relay_to=host.port, provider="connections = 1",
                           extra=ROUTE, environment=self.meddle.recording()) as daemon:
                self.sent = Load(daemon.port, "fresh").sent
                daemon.drained()
                # On an aged file.
                self.sent |= Load(daemon.port, "aged").sent
            # While it stopped more arrived.
            self.arrived = [names(message.content) for message in host.messages]
        self.events = list(self.meddle.events())


def names(data):
    """The ids that a message stands for: its own, or the one whose failure it tells."""
    bounce = re.search(rb"^Message-ID: <(\w{13})\.", data, re.MULTILINE)
    own = re.search(rb"\sid (\w{13})", data)
    return {found[1].decode() for found in (bounce, own) if found}


class Point:
    """What was promised and what was done with when the power failed."""

    def __init__(self, record):
        self.record, self.disk = record, Disk()
        self.acknowledged, self.gone = set(), set()

    def follow(self, event):
        if event.kind == meddle.SENT:
            for name in re.findall(rb"^250 2\.0\.0 queued as (\w{13})\r", event.data, re.MULTILINE):
                self.acknowledged.add(name.decode())
        elif event.kind == meddle.RECEIVED:
            for number in re.findall(rb"^250 2\.0\.0 queued as (\d{1,9})\r", event.data, re.MULTILINE):
                self.gone |= self.record.arrived[int(number) - 1]
        else:
            self.disk.follow(event)

    def owed(self):
        return self.acknowledged - self.gone


@pytest.fixture(scope="module")
def record(build, tmp_path_factory):
    return Record(build, tmp_path_factory.mktemp("power"))


def is_long():
    return bool(os.environ.get("LONG"))


def points(record, count, seed=7):
    """Those moments, each with an image of the file."""
    chance = random.Random(seed)
    at = collections.Counter(chance.choices(range(len(record.events)), k=count))
    point = Point(record)
    for n, event in enumerate(record.events):
        for _ in range(at[n]):
            unit, share = chance.choice(UNSYNCED)
            yield n, point, point.disk.image(chance, unit, share)
        point.follow(event)


def examine(build, directory):
    """What examine_spool found: id -> body."""
    done = subprocess.run([os.path.join(build, "tests/system/examine_spool"), directory],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    found, at, octets = {}, 0, done.stdout
    while at < len(octets):
        end = octets.index(b"\n", at)
        name, size = octets[at:end].split()
        at = end + 1 + int(size)
        found[name.decode()] = octets[end + 1:at]
    return found


def store(directory, point, image):
    """Until it is whole the file has another name."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    name = "data.mdb" if point.disk.durable else "data.new"
    with open(os.path.join(directory, name), "wb") as file:
        file.write(image)


def test_each_reply_comes_after_the_syncs_of_its_message(record):
    """The payload's write, then a completed fdatasync, then the meta page's completed write, then
    the reply: in this order, for every one."""
    WRITTEN, SYNCED, DONE = 1, 2, 3
    state, checked = {}, 0
    tokens = {name: re.search(r"<(\w+)@client", text)[1].encode() for name, text in
              record.sent.items()}
    by_token = {token: name for name, token in tokens.items()}
    pattern = re.compile(rb"Message-ID: <(\w+\dx\d+)@client")
    for event in record.events:
        if event.kind == meddle.WRITE:
            for token in pattern.findall(event.data):
                state.setdefault(by_token.get(token), WRITTEN)
        elif event.kind == meddle.SYNCED:
            state = {name: max(level, SYNCED) for name, level in state.items()}
        elif event.kind == meddle.WRITTEN:
            state = {name: DONE if level >= SYNCED else level for name, level in state.items()}
        elif event.kind == meddle.SENT:
            for name in re.findall(rb"queued as (\w{13})\r", event.data):
                assert state.get(name.decode()) == DONE
                checked += 1
    assert checked == len(record.sent) == 2 * MESSAGES


def test_whatever_the_power_leaves_holds_what_was_acknowledged(build, record, tmp_path):
    failures = []
    for n, point, image in points(record, EXAMINED[is_long()]):
        store(tmp_path / "spool", point, image)
        try:
            found = examine(build, tmp_path / "spool")
        except AssertionError as error:
            failures.append((n, str(error)))
            continue
        # A bounce stands for what it tells.
        told = {name for body in found.values() for name in names(body)}
        lost = point.owed() - found.keys() - told
        torn = [name for name, body in found.items()
                if name in record.sent and body != record.sent[name].encode()]
        if lost or torn:
            failures.append((n, f"lost {lost} torn {torn}"))
    assert failures == []


def test_a_daemon_started_on_what_the_power_leaves_delivers_it(build, record, tmp_path):
    with Smarthost() as host:
        for n, point, image in points(record, STARTED[is_long()], seed=11):
            store(tmp_path / "spool", point, image)
            del host.messages[:]
            with Penstockd(build, tmp_path, relay_to=host.port, extra=ROUTE) as daemon:
                wait_until(lambda: [daemon.cli("retry", m["id"], check=False)
                                    for m in daemon.cli_json("queue")] == [], "all went out")
            arrived = set().union(*(names(message.content) for message in host.messages))
            assert point.owed() - arrived == set(), f"lost at {n}"
