# SPDX-License-Identifier: ISC
"""penstockd beside Postfix: the same clients, the same sinks, the same disk, in one run.

Prints each figure with the ratio that matters. Machines are noisy: read the ratios, and run it again.
Postfix needs root; without it our own figures are printed alone. The first argument scales the counts
(default 1; 0.1 for a look), further ones choose parts: accept relay tls idle slow deferred.
"""

import json
import multiprocessing
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

SOURCE, BUILD = os.environ["TOP_SRCDIR"], Path(os.environ["TOP_BUILDDIR"])
PEERS = os.environ["PEERS"]
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

from penstock import Penstockd, wait_until      # noqa: E402
from postfix import Postfix, cpu_seconds, free_port          # noqa: E402

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
SIZE = 4096             # octets of a message
IDLE_CONNECTIONS = 10000
SLOW_ROUNDS = 7           # with slow senders, between rounds without
DRIP_PAUSE = 10         # seconds between two octets of a slow sender


def count(n):
    return max(50, int(n * SCALE))


def say(name, text):
    print(f"{name:<46} {text}", flush=True)


# ---- peers ---------------------------------------------------------------------------------------

@contextmanager
def smtp_sink():
    """Postfix's sink, which throws mail away. Yields its port."""
    port = free_port()
    process = subprocess.Popen([f"{PEERS}/bin/smtp-sink", f"127.0.0.1:{port}", "2000"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: connects(port), "smtp-sink listens")
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def counting_sink(*options):
    """Our sink. Yields (port, result); result() ends it and returns what it counted."""
    process = subprocess.Popen([BUILD / "tests/bench/sink", *options], stdout=subprocess.PIPE,
                               text=True)
    port = json.loads(process.stdout.readline())["port"]

    def result(timeout=300):
        line = process.stdout.readline() if timeout else ""
        process.wait()
        return json.loads(line)

    try:
        yield port, result
    finally:
        process.kill()
        process.wait()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


def smtp_source(port, sessions, messages, kept):
    """Seconds that Postfix's source took."""
    words = [f"{PEERS}/bin/smtp-source", *(["-d"] if kept else []), "-s", str(sessions), "-m",
             str(messages), "-l", str(SIZE), "-f", "load@example.com", "-t", "user@example.org",
             f"127.0.0.1:{port}"]
    began = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=600)
    return time.monotonic() - began


# ---- servers ---------------------------------------------------------------------------------------

class Ours(Penstockd):
    def __init__(self, directory, **options):
        super().__init__(BUILD, directory, **options)

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def counters(self):
        """The daemon's own, and the pages it had written by the kernel's account."""
        with open(f"/proc/{self.process.pid}/io", encoding="ascii") as io:
            written = int(re.search(r"^write_bytes: (\d+)", io.read(), re.MULTILINE)[1])
        return self.cli_json("status")["counters"] | {"pages": written // 4096}


def per_message(before, after, messages):
    """B-tree puts and deletes, syncs, wake-ups of threads, and pages, a message."""
    return "per message: " + ", ".join(
        f"{(after[key] - before[key]) / messages:.3f} {key.removeprefix('spool_')}"
        for key in ("spool_operations", "pages", "spool_syncs", "wakeups"))


def measure_accept(server, sessions, messages, kept):
    """(messages a second, CPU seconds a message)"""
    used = server.cpu_seconds()
    seconds = smtp_source(server.port, sessions, messages, kept)
    return messages / seconds, (server.cpu_seconds() - used) / messages


# Both keep what they accept: only the accepting side works.
AWAY = 'provider "away" { url = "smtp+notls://127.0.0.1:9" }\n' \
       'route "all" { via = { "away" } hold = true }\n'
HOLD = {"smtpd_end_of_data_restrictions": "check_client_access static:HOLD"}


# ---- the figures -----------------------------------------------------------------------------------

def accept(directory):
    """Durable acceptance; both keep what they take (hold), so that nothing else runs."""
    cases = [("kept connections, 50 sessions", 50, 20000, 3000, True, "15", "0.7"),
             ("a message a connection, 50 sessions", 50, 10000, 2000, False, "6", "0.6"),
             ("one session, one after the other", 1, 2000, 500, True, "2", None)]
    for name, sessions, ours_count, their_count, kept, wanted, wanted_sink in cases:
        with Ours(directory(), extra=AWAY) as ours:
            before = ours.counters()
            rate, cpu = measure_accept(ours, sessions, count(ours_count), kept)
            after = ours.counters()
        say(f"accept: {name}", f"{rate:8.0f} /s  {cpu * 1e6:6.0f} us CPU")
        say("", per_message(before, after, count(ours_count)))
        with smtp_sink() as port:
            sink_rate = count(ours_count) / smtp_source(port, sessions, count(ours_count), kept)
        say("   smtp-sink, which throws away", f"{sink_rate:8.0f} /s  ratio {rate / sink_rate:5.2f}"
            + (f" (wanted {wanted_sink})" if wanted_sink else ""))
        if os.getuid() == 0:
            with Postfix(PEERS, settings=dict(HOLD)) as theirs:
                their_rate, their_cpu = measure_accept(theirs, sessions, count(their_count), kept)
            say("   Postfix", f"{their_rate:8.0f} /s  {their_cpu * 1e6:6.0f} us CPU  "
                f"ratio {rate / their_rate:5.1f} (wanted {wanted}), "
                f"CPU 1/{their_cpu / max(cpu, 1e-9):.0f} (wanted 1/20)")


def relay_once(server, until, sink):
    """From the first message offered to the last one at the sink."""
    used = server.cpu_seconds()
    began = time.monotonic()
    smtp_source(server.port, 50, until, True)
    result = sink()
    return until / (result["last"] - began), (server.cpu_seconds() - used) / until, result


def relay(directory, tls):
    what = "over TLS" if tls else "plain"
    ours_count, their_count = count(20000), count(2000)
    certificates = directory()
    subprocess.run([os.path.join(SOURCE, "tests/lib/certificates"), certificates], check=True)
    files = [os.path.join(certificates, name) for name in ("good.pem", "good.key", "ca.pem")]
    options = ["-C", files[0], "-K", files[1]] if tls else []
    with counting_sink("-u", str(ours_count), *options) as (port, result):
        url = f"smtp+tls://localhost:{port}" if tls else f"smtp+notls://127.0.0.1:{port}"
        trust = f'tls-ca = "{files[2]}"' if tls else ""
        provider = f'provider "sink" {{ url = "{url}" {trust} messages-per-connection = 100000 }}\n'
        with Ours(directory(), extra=provider) as ours:
            before = ours.counters()
            rate, cpu, counted = relay_once(ours, ours_count, result)
            after = ours.counters()
    say(f"relay {what}: accept, spool, send", f"{rate:8.0f} /s  {cpu * 1e6:6.0f} us CPU  "
        f"{counted['connections']} connections")
    say("", per_message(before, after, ours_count))
    if os.getuid() != 0:
        return
    with counting_sink("-u", str(their_count), *options) as (port, result):
        # Postfix verifies the name of the next hop: "localhost" in the certificate
        with Postfix(PEERS, relayhost=port, relay_ca=files[2] if tls else None) as theirs:
            their_rate, their_cpu, counted = relay_once(theirs, their_count, result)
    say("   Postfix, connection cache" + (" and reuse" if tls else ""),
        f"{their_rate:8.0f} /s  {their_cpu * 1e6:6.0f} us CPU  {counted['connections']} connections  "
        f"ratio {rate / their_rate:5.1f} (wanted {8 if tls else 10}), "
        f"CPU 1/{their_cpu / max(cpu, 1e-9):.0f} (wanted 1/12)")


def idle(directory):
    """What an idle connection costs, and what many of them do to the others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = min(IDLE_CONNECTIONS, hard - 200)
    if room < IDLE_CONNECTIONS:
        say("idle connections", f"only {room}: the descriptor limit is {hard}")
    limits = "max-connections = 15000 max-connections-per-client = 15000"
    with Ours(directory(), listen=limits, extra=AWAY) as ours:
        alone = count(5000) / smtp_source(ours.port, 20, count(5000), True)
        before = ours.anonymous_memory()
        held = []
        for _ in range(room):
            connection = socket.create_connection(("127.0.0.1", ours.port))
            connection.recv(100)
            connection.sendall(b"EHLO idle\r\n")
            connection.recv(1000)
            held.append(connection)
        grown = ours.anonymous_memory() - before
        crowded = count(5000) / smtp_source(ours.port, 20, count(5000), True)
        for connection in held:
            connection.close()
    say(f"{room} idle connections", f"{grown / 1024:.1f} MB RssAnon more, {grown / room:.2f} KiB each "
        "(wanted under 8)")
    say("   accept rate beside them", f"{crowded / alone:.2f} of that without (wanted about 1)")


def enter_data(connection):
    for line, code in ((b"EHLO slow\r\n", b"250"), (b"MAIL FROM:<a@example.com>\r\n", b"250"),
                       (b"RCPT TO:<b@example.org>\r\n", b"250"), (b"DATA\r\n", b"354")):
        connection.sendall(line)
        assert connection.recv(1000).startswith(code)


def drip(connections, stopped):
    """An octet of content from each of them, again and again: DRIP_PAUSE for a round."""
    while not stopped.is_set():
        for begin in range(0, len(connections), 100):
            for connection in connections[begin:begin + 100]:
                connection.sendall(b"x")
            stopped.wait(DRIP_PAUSE * 100 / len(connections))


def hold_slow_senders(port, room):
    """That many connections from 20 addresses; half of them have begun to send a message."""
    held = []
    for number in range(room):
        connection = socket.create_connection(
            ("127.0.0.1", port), source_address=(f"127.0.2.{number % 20 + 1}", 0))
        connection.recv(100)
        held.append(connection)
    for connection in held[::2]:
        enter_data(connection)
    return held


def slow(directory):
    """What idle and slow senders from many addresses do to another client.

    A machine's speed drifts by more than the tenth that is asked about, so that rounds with and
    without them take turns, and the median of the ratios of neighbours counts.
    """
    room = IDLE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limits = "max-connections = 15000 min-data-rate = 0"
    ratios, cpu_ratios, grown = [], [], 0
    with Ours(directory(), listen=limits, extra=AWAY) as ours:
        smtp_source(ours.port, 20, count(2000), True)   # warm
        for _ in range(SLOW_ROUNDS):
            alone, alone_cpu = measure_accept(ours, 20, count(40000), True)
            before = ours.anonymous_memory()
            held = hold_slow_senders(ours.port, room)
            stopped = multiprocessing.Event()
            dripping = multiprocessing.Process(target=drip, args=(held[::2], stopped))
            dripping.start()
            grown = max(grown, ours.anonymous_memory() - before)
            crowded, crowded_cpu = measure_accept(ours, 20, count(40000), True)
            stopped.set()
            dripping.join()
            for connection in held:
                connection.close()
            smtp_source(ours.port, 20, count(2000), True)   # the daemon has seen them go
            after, after_cpu = measure_accept(ours, 20, count(40000), True)
            ratios.append(crowded / ((alone + after) / 2))
            cpu_ratios.append(crowded_cpu / ((alone_cpu + after_cpu) / 2))
    say(f"{room} senders from 20 addresses, half slow", f"{grown / 1024:.1f} MB RssAnon more")
    say("   accept rate beside them", f"{statistics.median(ratios):.2f} of that before and after "
        f"({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds; wanted 0.9 and more), "
        f"CPU of a message {statistics.median(cpu_ratios):.2f}")


def deferred(directory):
    """Many messages that wait: memory, and how soon a restart accepts."""
    messages = count(100000)
    with counting_sink("-D") as (port, _):
        route = f'provider "sink" {{ url = "smtp+notls://127.0.0.1:{port}" }}\n' \
                'route "all" { via = { "sink" } retry = { "1h" } }\n'
        ours = Ours(directory(), extra=route)
        with ours:
            subprocess.run([BUILD / "tests/bench/load", "-p", str(ours.port), "-m", str(messages),
                            "-l", "1024", "-P"], check=True, stdout=subprocess.DEVNULL)
            wait_until(lambda: ours.counters()["recipients_deferred"] >= messages, "all deferred", 300)
            say(f"{messages} deferred messages", f"{ours.anonymous_memory() / 1024:.1f} MB "
                "RssAnon (wanted under 64)")
        began = time.monotonic()
        ours.start()
        seconds = time.monotonic() - began
        say("   restart to accepting", f"{seconds:.2f} s (wanted under 1), "
            f"{ours.anonymous_memory() / 1024:.1f} MB RssAnon")
        ours.stop(check=False)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    say("machine", f"{os.cpu_count()} cores, {model[1] if model else 'unknown'}; "
        f"load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as top:
        made = []

        def directory():
            made.append(os.path.join(top, str(len(made))))
            os.mkdir(made[-1])
            return made[-1]

        parts = {"accept": accept, "relay": lambda made: relay(made, tls=False),
                 "tls": lambda made: relay(made, tls=True), "idle": idle, "slow": slow,
                 "deferred": deferred}
        for name in sys.argv[2:] or parts:
            parts[name](directory)


main()
