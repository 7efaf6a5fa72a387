# SPDX-License-Identifier: ISC
"""What an inbox keeps: by number, by size and by age, also after a restart."""

import os
import signal

import pytest

from penstock import wait_until


@pytest.fixture
def inbox(start):
    """inbox("keep = 3"): a daemon whose mail all stays in an inbox that keeps so much."""
    def inbox(options):
        return start(extra=f'inbox "default" {{ {options} }}\nprovider "box" {{ url = "inbox:default" }}\n'
                           'route "all" { via = { "box" } }')
    return inbox


def send(daemon, count, size=100):
    with daemon.smtp() as client:
        for number in range(count):
            client.sendmail("a@example.org", ["b@example.org"],
                            f"Subject: {number}\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72))


def kept(daemon):
    return daemon.cli_json("status")["spool"]["inbox"]


def test_the_newest_of_a_number(inbox):
    daemon = inbox("keep = 3")
    send(daemon, 10)
    assert kept(daemon) == 3
    daemon.restart()
    send(daemon, 1)
    assert kept(daemon) == 3


def test_so_many_octets(inbox):
    daemon = inbox('keep = 0  max-size = "100KiB"')
    send(daemon, 20, 10000)
    assert 5 < kept(daemon) <= 10
    send(daemon, 1, 500000)
    assert kept(daemon) == 1


def test_so_long(inbox):
    daemon = inbox('max-age = "1s"')
    send(daemon, 3)
    wait_until(lambda: kept(daemon) == 0, "the old ones gone")
    wait_until(lambda: daemon.has_line("old messages removed inbox="), "a word of it")
    assert daemon.cli_json("status")["spool"]["messages"] == 0


def test_what_aged_while_it_was_stopped(inbox):
    daemon = inbox('max-age = "2s"')
    send(daemon, 3)
    daemon.kill()
    daemon.start()
    wait_until(lambda: kept(daemon) == 0, "the old ones gone")


def test_less_is_kept_after_a_reload(inbox):
    daemon = inbox("keep = 0")
    send(daemon, 50)
    assert kept(daemon) == 50
    path = daemon.arguments[-1]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("keep = 0", "keep = 5"))
    os.kill(daemon.process.pid, signal.SIGHUP)
    wait_until(lambda: kept(daemon) == 5, "the oldest gone")


def test_with_catch(catch):
    daemon = catch("--keep", "4", "--max-age", "3s")
    send(daemon, 9)
    assert kept(daemon) == 4
    wait_until(lambda: kept(daemon) == 0, "the old ones gone")
