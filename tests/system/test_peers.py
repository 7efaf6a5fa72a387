# SPDX-License-Identifier: ISC
"""The peers themselves: they start, and carry mail without Penstock in between."""

import subprocess
import time

import pytest

from postfix import Postfix, answers, free_port

MESSAGES = 50


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def smtp_source(peers, port):
    subprocess.run([f"{peers}/bin/smtp-source", "-s", "5", "-m", str(MESSAGES), "-l", "4096",
                    "-f", "a@example.org", "-t", "b@example.com", f"127.0.0.1:{port}"], check=True)


def test_smtp_source_reaches_smtp_sink(peers):
    port = free_port()
    with subprocess.Popen([f"{peers}/bin/smtp-sink", "-c", f"127.0.0.1:{port}", "100"],
                          stdout=subprocess.PIPE, text=True) as sink:
        wait_until(lambda: answers(port))
        smtp_source(peers, port)
        sink.terminate()
        assert int(sink.stdout.read().split("mesg=")[-1]) == MESSAGES


@pytest.mark.root
def test_postfix_relays_over_tls_on_few_connections(peers, certificates):
    with Postfix(peers, certificate=certificates / "good.pem",
                 key=certificates / "good.key") as smarthost, \
            Postfix(peers, relayhost=smarthost.port, relay_ca=certificates / "ca.pem") as relay:
        smtp_source(peers, relay.port)
        wait_until(lambda: smarthost.log().count("status=sent") == MESSAGES)
        encrypted = smarthost.log().count(" starttls=1 ")
        reused = relay.log().count("conn_use=")
        assert relay.log().count("Verified TLS connection") > 0
        assert encrypted < MESSAGES and reused > 0
