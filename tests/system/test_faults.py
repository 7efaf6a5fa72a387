# SPDX-License-Identifier: ISC
"""A smarthost that errs once at each step: every message arrives, and twice only when it had to.

All cases run beside each other in one daemon, each with a provider and a route of its own.
"""

import pytest

from penstock import Penstockd
from smarthost import Fault, Smarthost

# Each happens once; the mail is there in the end, exactly once.
ONCE = {
    "greeting-421": Fault("CONNECT", "421 4.3.2 busy", times=1, close="after"),
    "greeting-554": Fault("CONNECT", "554 5.3.2 no", times=1, close="after"),
    "greeting-rubbish": Fault("CONNECT", b"SSH-2.0-OpenSSH_9.2\r\n", times=1, close="after"),
    "greeting-cut": Fault("CONNECT", times=1, cut=7),
    "greeting-none": Fault("CONNECT", times=1, close="before"),
    "greeting-reset": Fault("CONNECT", times=1, close="reset"),
    "ehlo-close": Fault("EHLO", times=1, close="before"),
    "ehlo-cut": Fault("EHLO", times=1, cut=20),
    "ehlo-421": Fault("EHLO", "421 4.3.2 busy", times=1, close="after"),
    "ehlo-endless": Fault("EHLO", b"250-more\r\n" * 500, times=1),
    "mail-421": Fault("MAIL", "421 4.3.2 busy", times=1, close="after"),
    "mail-451": Fault("MAIL", "451 4.3.0 later", times=1),
    "mail-close": Fault("MAIL", times=1, close="before"),
    "mail-reset": Fault("MAIL", times=1, close="reset"),
    "rcpt-450": Fault("RCPT", "450 4.7.1 greylisted", times=1),
    "rcpt-close": Fault("RCPT", times=1, close="before"),
    "rcpt-two-replies": Fault("RCPT", times=1, surplus=b"250 2.1.5 ok\r\n"),
    "data-451": Fault("DATA", "451 4.3.0 later", times=1),
    "data-250": Fault("DATA", "250 2.0.0 ok", times=1),
    "data-close": Fault("DATA", times=1, close="before"),
    "data-surplus": Fault("DATA", times=1, surplus=b"250 2.0.0 queued\r\n"),
    "content-close": Fault("CONTENT", times=1, close="before"),
    "content-reset": Fault("CONTENT", times=1, close="reset"),
    "dot-451": Fault("DOT", "451 4.3.0 later", times=1),
    "dot-421": Fault("DOT", "421 4.3.2 busy", times=1, close="after"),
}

# The content was there in full and the reply was lost or made no sense: it goes again.
PERHAPS = {
    "dot-close": Fault("DOT", times=1, close="before"),
    "dot-cut": Fault("DOT", times=1, cut=3),
    "dot-reset": Fault("DOT", times=1, close="reset"),
    "dot-rubbish": Fault("DOT", b"what?\r\n", times=1),
    "dot-354": Fault("DOT", "354 go on", times=1),
}

# After the message: costs nothing.
IDLE = {
    "idle-close": Fault("IDLE", times=1, close="after"),
    "idle-421": Fault("IDLE", b"421 4.4.2 idle\r\n", times=1, close="after"),
    "idle-surplus": Fault("IDLE", b"250 2.0.0 ok\r\n", times=1),
}

CASES = {**ONCE, **PERHAPS, **IDLE}


def provider(name, host, more=""):
    return (f'provider "{name}" {{ url = "smtp+notls://127.0.0.1:{host.port}" {more} }}\n'
            f'route "{name}" {{ recipient = {{ "*@{name}.test" }} via = {{ "{name}" }} '
            f'retry = {{ "1s" }} }}\n')


@pytest.fixture
def hosts():
    hosts = {name: Smarthost(faults=[fault]) for name, fault in CASES.items()}
    for host in hosts.values():
        host.start()
    yield hosts
    for host in hosts.values():
        host.stop()


@pytest.mark.threads
def test_each_fault_costs_a_try_and_no_message(build, tmp_path, hosts):
    config = "".join(provider(name, host) for name, host in hosts.items())
    with Penstockd(build, tmp_path, extra=config) as daemon:
        with daemon.smtp() as client:
            for name in hosts:
                for n in range(2):
                    client.sendmail("a@example.com", [f"b{n}@{name}.test"],
                                    f"Subject: {name} {n}\r\n\r\nhi\r\n")
        for name, host in hosts.items():
            host.wait(lambda: len({m.recipients[0] for m in host.messages}) == 2, f"mail after {name}")
        daemon.drained()
    assert {name for name, host in hosts.items() if host.faults[0].happened != 1} == set()
    # What was accepted was accepted once; what the relay could not know it said.
    assert {name: host.messages for name, host in hosts.items() if len(host.messages) != 2} == {}
    assert len([line for line in daemon.lines if "indeterminate" in line]) >= len(PERHAPS)
