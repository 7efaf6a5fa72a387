# SPDX-License-Identifier: ISC
"""Everything that a line can do, in each phase of a connection: each message arrives, and twice only
when the smarthost had all of it before the trouble.

All cells run beside each other in one daemon, each with a provider, a route and a proxy of its own.
"""

from collections import Counter

import pytest

from fault_proxy import KINDS, LATE, PHASES, FaultProxies, Trouble
from smarthost import Fault, Smarthost

MESSAGES = 3
TLS_PHASES = ("starttls", "handshake")


def cells(phases):
    return [(kind, phase) for kind in KINDS for phase in phases]


def provider(name, url, more):
    return (f'provider "{name}" {{ url = "{url}" connections = 1 {more} }}\n'
            f'route "{name}" {{ recipient = {{ "*@{name}.test" }} via = {{ "{name}" }} '
            f'retry = {{ "1s" }} }}\n')


def run(start, host, phases, scheme="smtp+notls", name="127.0.0.1", more=""):
    troubles = {f"{kind}-{phase}": Trouble(kind, phase) for kind, phase in cells(phases)}
    with FaultProxies() as proxies:
        config = "".join(provider(cell, f"{scheme}://{name}:{proxies.add(host.port, trouble)}", more)
                         for cell, trouble in troubles.items())
        daemon = start(relay_to=host.port, extra=config)
        expected = {f"b{n}@{cell}.test" for cell in troubles for n in range(MESSAGES)}
        with daemon.smtp() as client:
            for recipient in sorted(expected):
                client.sendmail("a@example.com", [recipient],
                                "Subject: x\r\n\r\n" + "MIDDLE of it\r\n" + "x" * 3000 + "\r\nEND\r\n")
        host.wait(lambda: {m.recipients[0] for m in host.messages} >= expected, "all messages", 90)
        daemon.drained(60)
    assert [trouble for trouble in troubles.values() if trouble.happened != 1] == []
    times = Counter(message.recipients[0] for message in host.messages)
    assert set(times) == expected
    twice = {recipient for recipient, count in times.items() if count > 1}
    harmless = {f"{kind}-{phase}" for kind, phase in cells(phases)
                if kind in ("latency", "stall", "split") or phase not in LATE}
    assert {recipient for recipient in twice if recipient[3:-5] in harmless} == set()
    assert bool(twice) == bool(set(phases) & set(LATE))     # or the late ones were not late
    assert all(message.content.endswith(b"\r\nEND\r\n") and len(message.content) > 3000
               for message in host.messages)


def test_data(start):
    """DATA and a dot; the next envelope goes behind it."""
    with Smarthost() as host:
        run(start, host, [phase for phase in PHASES if phase not in TLS_PHASES])


def test_chunking(start):
    """Whole messages in one flight."""
    with Smarthost(extensions=(*Smarthost.EXTENSIONS, "CHUNKING")) as host:
        run(start, host, [phase for phase in PHASES if phase not in (*TLS_PHASES, "go-ahead")])


@pytest.mark.threads
@pytest.mark.parametrize("phase", ["mail", "body", "end", "reply"])
def test_trouble_amid_many_in_flight(start, phase):
    """Nothing is lost, nothing comes three times, and nobody waits for long."""
    messages, skip = 60, 25
    troubles = {f"{kind}-deep": Trouble(kind, phase, skip) for kind in KINDS}
    with Smarthost(extensions=(*Smarthost.EXTENSIONS, "CHUNKING"),
                   faults=[Fault("CONNECT", delay=1)]) as host, FaultProxies() as proxies:
        config = "".join(provider(cell, f"smtp+notls://127.0.0.1:{proxies.add(host.port, trouble)}", "")
                         for cell, trouble in troubles.items())
        daemon = start(relay_to=host.port, extra=config)
        expected = {f"b{n}@{cell}.test" for cell in troubles for n in range(messages)}
        with daemon.smtp() as client:   # all of it before the first connection is ready
            for recipient in sorted(expected):
                client.sendmail("a@example.com", [recipient], "Subject: x\r\n\r\nMIDDLE\r\nEND\r\n")
        host.wait(lambda: {m.recipients[0] for m in host.messages} >= expected, "all messages", 30)
        daemon.drained(30)
    assert [trouble for trouble in troubles.values() if trouble.happened != 1] == []
    times = Counter(message.recipients[0] for message in host.messages)
    assert set(times) == expected and max(times.values()) <= 2
    twice = {recipient for recipient, count in times.items() if count > 1}
    assert len(twice) <= len([line for line in daemon.lines if "indeterminate" in line])
    assert {r for r in twice if r.split("@")[1] in ("latency-deep.test", "stall-deep.test",
                                                    "split-deep.test")} == set()


@pytest.mark.threads
def test_tls(start, certificates):
    with Smarthost(certificates / "good.pem", certificates / "good.key",
                   extensions=(*Smarthost.EXTENSIONS, "CHUNKING")) as host:
        run(start, host, ["connect", "banner", "ehlo", *TLS_PHASES], "smtp+tls", "localhost",
            f'tls-ca = "{certificates}/ca.pem"')
