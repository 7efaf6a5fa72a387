# SPDX-License-Identifier: ISC
"""penstockd beside Postfix when the smarthost is far away, and penstockd's own connections in numbers.

Prints each figure with the ratio that matters. The first argument scales the counts (default 1), further
ones choose parts: chunking pipelining tls held slow. Postfix needs root; without it our own figures
are printed alone.
"""

import json
import os
import resource
import signal
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
from postfix import Postfix                     # noqa: E402

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
SIZE = 4096             # octets of a message
ROUND_TRIP = 50         # ms
CONNECTIONS = 10
TUNED = {"initial_destination_concurrency": str(CONNECTIONS),
         "default_destination_concurrency_limit": str(CONNECTIONS),
         "smtp_connection_cache_time_limit": "10s"}


def count(n):
    return max(50, int(n * SCALE))


def say(name, text):
    print(f"{name:<46} {text}", flush=True)


@contextmanager
def program(name, *options):
    """Yields (process, port)."""
    process = subprocess.Popen([BUILD / "tests/bench" / name, *options], stdout=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())["port"]
    finally:
        process.kill()
        process.wait()


def offer(port, messages):
    subprocess.run([BUILD / "tests/bench/load", "-p", str(port), "-m", str(messages), "-l", str(SIZE),
                    "-s", "20", "-P"], check=True, stdout=subprocess.DEVNULL, timeout=600)


def measure(server, sink, messages):
    """Messages a second, from the first offered to the last that the sink took."""
    began = time.monotonic()
    offer(server.port, messages)
    result = json.loads(sink.stdout.readline())
    return messages / (result["last"] - began), result


def ours(directory, url, **options):
    lines = {"messages-per-connection": 1000000, "connections": CONNECTIONS} | options
    words = " ".join(f"{name.replace('_', '-')} = {value}" for name, value in lines.items())
    return Penstockd(BUILD, directory, extra=f'provider "sink" {{ url = "{url}" {words} }}\n')


def far(directory, name, options, ours_count, their_count, wanted):
    """A smarthost at ROUND_TRIP, CONNECTIONS to it."""
    with program("sink", "-u", str(ours_count), *options) as (sink, port), \
            program("delay", "-t", str(port), "-r", str(ROUND_TRIP)) as (_, far_port), \
            ours(directory(), f"smtp+notls://127.0.0.1:{far_port}") as server:
        rate, result = measure(server, sink, ours_count)
    say(f"{ROUND_TRIP} ms away, {CONNECTIONS} connections, {name}", f"{rate:8.0f} /s  "
        f"{result['connections']} connections opened")
    if os.getuid() != 0:
        return
    with program("sink", "-u", str(their_count), *options) as (sink, port), \
            program("delay", "-t", str(port), "-r", str(ROUND_TRIP)) as (_, far_port), \
            Postfix(PEERS, relayhost=far_port, settings=TUNED) as server:
        their_rate, result = measure(server, sink, their_count)
    say("   Postfix, connection cache", f"{their_rate:8.0f} /s  {result['connections']} connections opened  "
        f"ratio {rate / their_rate:5.1f} (wanted {wanted})")


def chunking(directory):
    far(directory, "CHUNKING", ["-B"], count(20000), count(1500), 20)


def pipelining(directory):
    far(directory, "PIPELINING", [], count(3000), count(1500), 2)


def certificates(directory):
    made = directory()
    subprocess.run([os.path.join(SOURCE, "tests/lib/certificates"), made], check=True)
    return [os.path.join(made, name) for name in ("good.pem", "good.key", "ca.pem")]


def tls(directory):
    """The same over TLS and in clear, on loopback."""
    certificate, key, ca = certificates(directory)
    rates = {}
    for what in ("clear", "TLS", "clear", "TLS"):
        options = ["-C", certificate, "-K", key] if what == "TLS" else []
        with program("sink", "-B", "-u", str(count(20000)), *options) as (sink, port):
            scheme = "smtp+tls://localhost" if what == "TLS" else "smtp+notls://127.0.0.1"
            trust = {"tls_ca": f'"{ca}"'} if what == "TLS" else {}
            with ours(directory(), f"{scheme}:{port}", **trust) as server:
                rate, _ = measure(server, sink, count(20000))
        rates[what] = max(rate, rates.get(what, 0))
    say("relay on loopback, CHUNKING", f"{rates['clear']:8.0f} /s in clear, {rates['TLS']:.0f} /s over TLS, "
        f"ratio {rates['TLS'] / rates['clear']:.2f} (wanted 0.8)")


def held(directory):
    """What open TLS connections cost."""
    connections = 1000
    certificate, key, ca = certificates(directory)
    with program("sink", "-B", "-d", "2000", "-C", certificate, "-K", key) as (_, port), \
            ours(directory(), f"smtp+tls://localhost:{port}", connections=connections, pipeline=1,
                 tls_ca=f'"{ca}"', idle_timeout='"10min"') as server:
        before = server.anonymous_memory()
        offer(server.port, 6 * connections)
        wait_until(lambda: server.cli_json("status")["counters"]["connections_open"] == connections,
                   "all connections are open", 60)
        wait_until(lambda: server.cli_json("status")["counters"]["recipients_sent"] == 6 * connections,
                   "all is sent", 120)
        say(f"{connections} open TLS connections", f"{server.anonymous_memory() / 1024:.1f} MB RssAnon "
            f"(wanted under 40), {before / 1024:.1f} MB before them")


def slow(directory):
    """A smarthost that takes half a second for each message."""
    connections, messages = 1000, count(30000)
    with program("sink", "-u", str(messages), "-d", "500") as (sink, port), \
            ours(directory(), f"smtp+notls://127.0.0.1:{port}", connections=connections) as server:
        began = time.monotonic()
        offer(server.port, messages)
        offered = time.monotonic() - began
        result = json.loads(sink.stdout.readline())
    say(f"{connections} connections, 0.5 s a message",
        f"{messages / (result['last'] - result['first']):8.0f} /s from the first to the last (wanted 1900), "
        f"{messages / (result['last'] - began):.0f} /s from the first offered; all were offered in "
        f"{offered:.1f} s")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    say("machine", f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as top:
        made = []

        def directory():
            made.append(os.path.join(top, str(len(made))))
            os.mkdir(made[-1])
            return made[-1]

        parts = {"chunking": chunking, "pipelining": pipelining, "tls": tls, "held": held, "slow": slow}
        for name in sys.argv[2:] or parts:
            parts[name](directory)


main()
