# SPDX-License-Identifier: ISC
"""A spool that something else has damaged: a clear end, or a damage that stays where it is.

LMDB has no checksums: octets that changed inside a body are not found (src/spool/README.md)."""

import os
import re

import pytest

from penstock import wait_until
from wire import Wire

PAGE = 4096
COUNT = 20


@pytest.fixture
def spool(start, sink):
    """A stopped daemon with mail that waits: the daemon, its data.mdb, id -> content."""
    daemon = start(extra='route "all" { via = { "sink" } hold = true }')
    sent = {}
    with Wire(daemon.port) as wire:
        wire.greet()
        for n in range(COUNT):
            text = f"Subject: {n}\r\n\r\n" + f"{n:060}\r\n" * 200
            sent[wire.mail(text).rpartition(" ")[2]] = text
    daemon.stop()
    return daemon, os.path.join(daemon.spool, "data.mdb"), sent


@pytest.mark.parametrize("octets", [0, 1, PAGE, 2 * PAGE, "half", "all but a page"])
def test_a_file_that_was_cut_is_no_empty_spool(spool, octets):
    daemon, path, _ = spool
    size = os.path.getsize(path)
    os.truncate(path, {"half": size // 2, "all but a page": size - PAGE}.get(octets, octets))
    try:
        daemon.start()
        # What was cut off is met when it is read.
        daemon.cli("queue", check=False)
        for name in spool[2]:
            daemon.cli("release", name, check=False)
        wait_until(lambda: daemon.process.poll() is not None, "the end")
    except AssertionError:
        pass    # it ended at once
    status = daemon.process.wait(timeout=30)
    daemon.killed = True
    assert status in (69, 74), daemon.log()     # EX_UNAVAILABLE, EX_IOERR
    assert "data.mdb" in daemon.log()


def test_octets_that_changed_in_a_body_concern_no_other_message(spool, sink):
    daemon, path, sent = spool
    victim = list(sent)[COUNT // 2]
    with open(path, "rb") as file:
        image = file.read()
    with open(path, "wb") as file:
        file.write(image.replace(f"{COUNT // 2:060}".encode(), b"?" * 60))
    daemon.start()
    for name in sent:
        daemon.cli("release", name)
    daemon.drained()
    whole = {re.search(rb"\sid (\w{13})", m.content)[1].decode() for m in sink.messages
             if any(m.content.endswith(text.encode()) for text in sent.values())}
    assert set(sent) - whole == {victim}
