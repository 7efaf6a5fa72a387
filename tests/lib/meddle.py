# SPDX-License-Identifier: ISC
"""The other side of meddle.c: what a daemon did to its spool, calls that fail, a clock that steps.

    meddle = Meddle(build, tmp_path)
    daemon = start(environment=meddle.environment)
    meddle.fault("fdatasync", 3, errno.EIO)     # the third from now
    meddle.step(86400)                          # tomorrow
    for event in meddle.events(): ...
    daemon = start(environment=meddle.timing())
    for before, after in meddle.mails(): ...

`Disk` replays the events and says what a power failure at one point may leave.
"""

import collections
import os
import struct

WRITE, WRITE_SYNCED, WRITTEN, SYNCED, TRUNCATED, SENT, RECEIVED = range(1, 8)
SECTOR, PAGE = 512, 4096

Event = collections.namedtuple("Event", "kind offset data")


class Meddle:
    def __init__(self, build, directory):
        self.log = os.path.join(directory, "meddle.log")
        self._fault = os.path.join(directory, "meddle.fault")
        self._clock = os.path.join(directory, "meddle.clock")
        self._mails = os.path.join(directory, "meddle.mails")
        self.step(0)
        self.environment = {"LD_PRELOAD": os.path.join(build, "tests/lib/libmeddle.so"),
                            "MEDDLE_FAULT": self._fault, "MEDDLE_CLOCK": self._clock}

    def recording(self):
        """The environment with the log of the spool."""
        return self.environment | {"MEDDLE_LOG": self.log}

    def timing(self):
        """The environment with a note of each MAIL that is sent."""
        return self.environment | {"MEDDLE_MAILS": self._mails}

    def mails(self):
        """(before, after) the call that sent it, monotonic seconds, in order."""
        with open(self._mails, "rb") as file:
            return sorted(struct.iter_unpack("=dd", file.read()))

    def step(self, seconds):
        """How far the wall clock is off, from now on."""
        with open(self._clock, "r+b" if os.path.exists(self._clock) else "wb") as file:
            file.write(struct.pack("=q", round(seconds * 1_000_000)))

    def fault(self, call, n, error, times=1):
        """call: as in meddle.c; "meta" is LMDB's write of its meta page. error 0: a short one.
        Once for each start of a daemon."""
        with open(self._fault + ".new", "w", encoding="ascii") as file:
            file.write(f"{call} {n} {error} {times}")
        os.rename(self._fault + ".new", self._fault)

    def faulted(self):
        return os.path.exists(self._fault + ".done")

    def no_fault(self):
        for path in (self._fault, self._fault + ".done"):
            if os.path.exists(path):
                os.unlink(path)

    def events(self):
        with open(self.log, "rb") as log:
            while head := log.read(16):
                kind, length, offset = struct.unpack("=IIq", head)
                yield Event(kind, offset, log.read(length))


class Disk:
    """durable: what a power failure leaves at least; pending: writes that it may leave in part."""

    def __init__(self):
        self.durable = bytearray()
        self.pending = []

    @staticmethod
    def _put(image, offset, data):
        if len(image) < offset + len(data):
            image.extend(bytes(offset + len(data) - len(image)))
        image[offset:offset + len(data)] = data

    def follow(self, event):
        if event.kind in (WRITE, WRITE_SYNCED):
            self.pending.append(event)
        elif event.kind == WRITTEN:
            for one in [p for p in self.pending if p.kind == WRITE_SYNCED]:
                self._put(self.durable, one.offset, one.data)
                self.pending.remove(one)
        elif event.kind == SYNCED:
            for one in self.pending:
                self._put(self.durable, one.offset, one.data)
            self.pending = []
        elif event.kind == TRUNCATED:
            del self.durable[event.offset:]
            self._put(self.durable, event.offset, b"")

    def image(self, random, unit, share):
        """What is durable, and that share of the pending pages or sectors."""
        image = bytearray(self.durable)
        for one in self.pending:
            at = 0
            while at < len(one.data):
                end = min(len(one.data), ((one.offset + at) // unit + 1) * unit - one.offset)
                if random.random() < share:
                    self._put(image, one.offset + at, one.data[at:end])
                at = end
        return image
