# SPDX-License-Identifier: ISC
"""A million bulk messages are queued: what that costs the others.

At 100/s, to a sink that answers at once: how soon a message of a higher priority leaves, and one of another
sender at the same priority, also right after a restart; then, with the bulk provider dead, accept
and relay throughput in turns with a daemon whose queue is empty, and what is written meanwhile. First a
minute of a queue at 1000/s. The first argument scales the million (default 0.05), further ones choose
parts: turns dead throughput minute.
"""

import json
import os
import random
import re
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
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

from penstock import Penstockd, wait_until      # noqa: E402

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.05
PARTS = sys.argv[2:] or ["turns", "dead", "throughput", "minute"]
QUEUED = int(1_000_000 * SCALE)
BULK_RATE = 100         # a second
SAMPLES = 100
ROUNDS = 7
ROUND_MESSAGES = 20_000
DEAD_SECONDS = 60
SIZE = 512              # octets of a message


def say(name, text):
    print(f"{name:<52} {text}", flush=True)


class Sink:
    """tests/bench/sink, and the times at which it read each MAIL."""

    def __init__(self, log):
        self.log = log
        self.process = subprocess.Popen([BUILD / "tests/bench/sink", "-B", "-o", log],
                                        stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self._file = open(log, encoding="ascii")
        self._part = ""

    def news(self):
        """[(monotonic seconds, sender)] since the last call."""
        text = self._part + self._file.read()
        whole, _, self._part = text.rpartition("\n")
        return [(float(line.split(" ")[0]), line.split(" ")[1]) for line in whole.splitlines()]

    def end(self):
        self.process.kill()
        self.process.wait()
        self._file.close()


@contextmanager
def sinks(top, *names):
    made = [Sink(os.path.join(top, f"{name}.log")) for name in names]
    try:
        yield made
    finally:
        for sink in made:
            sink.end()


class Daemon(Penstockd):
    def __init__(self, directory, bulk, other):
        """bulk, other: ports."""
        os.makedirs(directory, exist_ok=True)
        super().__init__(BUILD, directory, extra=f"""
            provider "bulk" {{ url = "smtp+notls://127.0.0.1:{bulk}" rate = {{ "{BULK_RATE}/s" }} }}
            provider "other" {{ url = "smtp+notls://127.0.0.1:{other}" messages-per-connection = 100000 }}
            route "reset" {{ sender = {{ "*@reset.test" }} via = {{ "bulk" }} priority = 5 }}
            route "other" {{ sender = {{ "*@other.test" }} via = {{ "other" }} }}
            route "bulk" {{ via = {{ "bulk" }} }}""")

    def counters(self):
        with open(f"/proc/{self.process.pid}/io", encoding="ascii") as io:
            written = int(re.search(r"^write_bytes: (\d+)", io.read(), re.MULTILINE)[1])
        return self.cli_json("status")["counters"] | {"pages": written // 4096}

    def memory(self):
        return f"RssAnon {self.anonymous_memory() / 1024:.1f} MB (wanted under 64)"


def load(port, messages, sender):
    """What tests/bench/load says of it."""
    done = subprocess.run([BUILD / "tests/bench/load", "-p", str(port), "-m", str(messages), "-l", str(SIZE),
                           "-f", sender, "-P"], check=True, stdout=subprocess.PIPE, timeout=3600)
    return json.loads(done.stdout)


def wait_for(sink, wanted, patience=60):
    """The time at which a sender of these came last; all of them have come then."""
    left, last = set(wanted), 0.0
    end = time.monotonic() + patience
    while left:
        for when, sender in sink.news():
            if sender in left:
                left.remove(sender)
                last = max(last, when)
        if time.monotonic() > end:
            raise AssertionError(f"after {patience} s {len(left)} have not come")
        time.sleep(0.005)
    return last


def send(client, sender):
    client.sendmail(sender, ["b@example.org"], "Subject: x\r\n\r\nhi\r\n")
    return time.monotonic()


def latencies(daemon, sink, domain, samples):
    """ms from the 250 to MAIL at the sink, of one after the other."""
    found = []
    with daemon.smtp() as client:
        for n in range(samples):
            sender = f"n{n}-{time.monotonic_ns()}@{domain}"
            accepted = send(client, sender)
            found.append((wait_for(sink, [sender]) - accepted) * 1000)
            time.sleep(random.uniform(0, 0.05))
    return found


def say_latencies(name, found, wanted):
    say(f"   {name}", f"median {statistics.median(found):6.1f} ms, worst of {len(found)} "
        f"{max(found):6.1f} ms (wanted {wanted})")


def turns(daemon, sink):
    """Who waits behind the bulk, and who does not."""
    def measure(samples, when):
        say_latencies(f"a higher priority{when}", latencies(daemon, sink, "reset.test", samples),
                      "under 100")
        say_latencies(f"another sender of the same priority{when}",
                      latencies(daemon, sink, "small.test", samples), "under 1000")

    say(f"{daemon.waiting()} queued, {BULK_RATE}/s", daemon.memory())
    measure(SAMPLES, "")
    daemon.stop()
    sink.news()
    began = time.monotonic()
    daemon.start()
    ready = time.monotonic() - began
    first = wait_until(sink.news, "the first after the restart")[0][0] - began
    say("   restart", f"ready after {ready:.2f} s, the first delivery after {first:.2f} s (wanted under 1)")
    measure(SAMPLES // 5, ", right after it")
    say("", daemon.memory())


def dead(daemon):
    """What is done while the bulk's provider cannot be reached."""
    before, used = daemon.counters(), cpu_seconds(daemon)
    time.sleep(DEAD_SECONDS)
    after, used = daemon.counters(), cpu_seconds(daemon) - used
    say(f"{daemon.waiting()} queued, their provider dead", f"in {DEAD_SECONDS} s "
        + ", ".join(f"{after[key] - before[key]} {key.removeprefix('spool_')}"
                    for key in ("spool_operations", "spool_syncs", "pages"))
        + f", {used:.2f} s of CPU; {daemon.memory()}")


def cpu_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def one_round(daemon, sink):
    """Messages a second: accepted, and from the first offered to the last at the sink."""
    sink.news()
    began = time.monotonic()
    said = load(daemon.port, ROUND_MESSAGES, "load@other.test")
    left, last = ROUND_MESSAGES, 0.0
    while left > 0:
        for when, _ in sink.news():
            left -= 1
            last = max(last, when)
        time.sleep(0.005)
    wait_until(lambda: daemon.cli_json("status")["spool"]["in_flight"] == 0, "all is recorded")
    return ROUND_MESSAGES / said["seconds"], ROUND_MESSAGES / (last - began)


def throughput(loaded, loaded_sink, empty, empty_sink):
    one_round(loaded, loaded_sink)      # both warm
    one_round(empty, empty_sink)
    found = []
    before = one_round(empty, empty_sink)
    for _ in range(ROUNDS):
        with_queue = one_round(loaded, loaded_sink)
        after = one_round(empty, empty_sink)
        found.append([mine / ((a + b) / 2) for mine, a, b in zip(with_queue, before, after)])
        before = after
    for place, name in enumerate(("accept", "accept, spool and send")):
        ratios = [one[place] for one in found]
        say(f"   {name}", f"{statistics.median(ratios):.2f} of that with an empty queue "
            f"({min(ratios):.2f} to {max(ratios):.2f} in {ROUNDS} rounds; wanted 0.9 and more), "
            f"{with_queue[place]:.0f} /s")
    say("", loaded.memory())


def minute(directory):
    """A rate is used: how many leave in a minute, and the most in any second, as the sink read them."""
    os.mkdir(directory)
    with sinks(directory, "sink") as (sink,):
        provider = 'rate = { "1000/s" } messages-per-connection = 100000'
        with Penstockd(BUILD, directory, relay_to=sink.port, provider=provider) as daemon:
            load(daemon.port, 65_000, "load@example.com")
            times = []
            while not times or times[-1] - times[0] < 62:
                times += [when for when, _ in sink.news()]
                time.sleep(0.1)
    times.sort()
    began = times[0] + 1
    in_minute = sum(began <= when < began + 60 for when in times)
    first = most = 0
    for last, when in enumerate(times):
        while when - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    say("1000/s", f"{in_minute} in a minute (wanted 59400 and more), at most {most} read in a second")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    say("machine", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="ps-queue-") as top, \
         sinks(top, "bulk", "other", "empty") as (bulk, other, empty_sink):
        if "minute" in PARTS:
            minute(os.path.join(top, "minute"))
        if PARTS == ["minute"]:
            return
        path = os.path.join(top, "full")
        with Daemon(path, bulk.port, other.port) as daemon:
            said = load(daemon.port, QUEUED, "load@bulk.test")
            say(f"filled with {QUEUED}", f"{QUEUED / said['seconds']:.0f} /s accepted; {daemon.memory()}")
            if "turns" in PARTS:
                turns(daemon, bulk)
        if "dead" not in PARTS and "throughput" not in PARTS:
            return
        nobody = closed_port()
        with Daemon(path, nobody, other.port) as daemon:
            if "dead" in PARTS:
                dead(daemon)
            if "throughput" in PARTS:
                with Daemon(os.path.join(top, "empty"), nobody, empty_sink.port) as empty:
                    throughput(daemon, other, empty, empty_sink)


main()
