# SPDX-License-Identifier: ISC
"""The inbox beside MailDev: the same client, the same disk, in one run.

Prints each figure with the ratio that matters. The first argument scales the counts (default 1; 0.1
for a look). MailDev keeps its mails in memory and as files; our inbox is durable.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

SOURCE, BUILD = os.environ["TOP_SRCDIR"], Path(os.environ["TOP_BUILDDIR"])
PEERS, MAILDEV = os.environ["PEERS"], os.environ["MAILDEV"]
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

from penstock import Penstockd, wait_until      # noqa: E402
from postfix import free_port                   # noqa: E402

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
SIZE = 4096             # octets of a message
KEPT = 100000           # messages of a large inbox
FEW = 1000              # messages that MailDev holds when it is asked


def count(n):
    return max(50, int(n * SCALE))


def say(name, text):
    print(f"{name:<46} {text}", flush=True)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300) as answer:
        return answer.read()


def answers(port):
    try:
        get(port, "/")
        return True
    except OSError:
        return False


def took(action, times=1):
    """The median of several runs, in seconds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def send(port, messages, sessions=50):
    """Seconds for so many messages over kept connections."""
    words = [f"{PEERS}/bin/smtp-source", "-d", "-s", str(sessions), "-m", str(messages), "-l", str(SIZE),
             "-f", "load@example.com", "-t", "user@example.org", f"127.0.0.1:{port}"]
    return took(lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=1800))


@contextmanager
def maildev(directory):
    """Yields (SMTP port, web port, seconds from start to ready)."""
    smtp, web = free_port(), free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        ["node", f"{MAILDEV}/node_modules/maildev/bin/maildev", "-s", str(smtp), "-w", str(web), "--ip",
         "127.0.0.1", "--silent", "--mail-directory", directory], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(web), "MailDev answers")
        yield smtp, web, time.perf_counter() - began
    finally:
        process.kill()
        process.wait()


@contextmanager
def inbox(directory, keep):
    """Yields (daemon, web port, seconds from start to ready)."""
    web = free_port()
    daemon = Penstockd(BUILD, directory, arguments=[
        "--catch", "--smtp", "127.0.0.1:0", "--http", f"127.0.0.1:{web}"],
        environment={"MP_MAX_MESSAGES": str(keep)})
    began = time.perf_counter()
    daemon.start()
    wait_until(lambda: answers(web), "the page answers")
    ready = time.perf_counter() - began
    try:
        yield daemon, web, ready
    finally:
        daemon.stop(check=False)


def main():
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as top:
        made = []

        def directory():
            made.append(os.path.join(top, str(len(made))))
            os.mkdir(made[-1])
            return made[-1]

        with maildev(directory()) as (smtp, web, their_ready):
            their_rate = FEW / send(smtp, FEW)
            # What asks it for a substring gets all of them, and looks.
            their_search = took(lambda: get(web, "/email").find(b"no such text"), 5)
        with inbox(directory(), KEPT) as (daemon, web, ready):
            say("start to ready", f"{ready:.3f} s, MailDev {their_ready:.3f} s: ratio "
                f"{ready / their_ready:.2f} (wanted 0.1 at most)")
            messages = count(20000)
            rate = messages / send(daemon.port, messages)
            say("catch: kept connections, 50 sessions", f"{rate:.0f} /s, MailDev {their_rate:.0f} /s: ratio "
                f"{rate / their_rate:.1f} (wanted 6)")
            send(daemon.port, count(KEPT) - messages)
            live = took(lambda: get(web, "/livez"), 50)
            page = get(web, "/api/v1/messages?limit=50")
            listed = took(lambda: get(web, "/api/v1/messages?limit=50"), 50)
            say(f"{count(KEPT)} kept: a page of the list", f"{len(page) / 1000:.1f} kB (wanted under 25), "
                f"{listed * 1000:.2f} ms, livez {live * 1000:.2f} ms: ratio {listed / live:.1f} "
                "(wanted 10 at most)")
            deep = took(lambda: get(web, f"/api/v1/messages?limit=50&start={count(KEPT) - 100}"), 10)
            say("   the last page", f"{deep * 1000:.2f} ms")
            query = urllib.parse.quote("no such text")
            found = took(lambda: get(web, f"/api/v1/search?query=%22{query}%22"), 5)
            say("   a substring in all of them", f"{found * 1000:.1f} ms, MailDev over {FEW}: "
                f"{their_search * 1000:.1f} ms: ratio {found / their_search:.2f} (wanted under 1)")
            say("   memory", f"{daemon.anonymous_memory() / 1024:.1f} MB RssAnon (wanted under 64)")


main()
