# SPDX-License-Identifier: ISC
"""testssl.sh, the tool of those who come to check: no old protocol, no weakness that it knows.

Clear text behind STARTTLS, which it knows from 3.2 on, is in test_tls_in.py.
"""

import json
import os
import subprocess

import pytest

from test_tls_in import ports

TIMEOUT = 600   # seconds; it takes half a minute
CHECKS = ("--protocols", "--std", "--pfs", "--server-preference", "--server-defaults",
          "--vulnerable")
# How bad it may be: what this openssl cannot do, and services that it does not know, are no findings.
HARMLESS = ("OK", "INFO", "WARN", "DEBUG")


def findings(peers, port, directory, *words):
    """What it finds: {id: finding}. It asks no DNS, and nothing but that port."""
    report = directory / "report.json"
    # Without a program that asks DNS it does not begin.
    asked = directory / "asked"
    resolver = directory / "host"
    resolver.write_text(f'#!/bin/sh\necho "$@" >>{asked}\nexit 1\n')
    resolver.chmod(0o755)
    done = subprocess.run(
        [os.path.join(peers, "usr/bin/testssl"), "--quiet", "--warnings", "batch", "--color", "0",
         "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", report, *CHECKS, *words,
         f"localhost:{port}"],
        env=os.environ | {"PATH": f"{directory}:{os.environ['PATH']}",
                          "TESTSSL_INSTALL_DIR": os.path.join(peers, "etc/testssl")},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT)
    print(done.stdout.decode(errors="replace"))
    assert not asked.exists(), asked.read_text()
    return {one["id"]: one for one in json.loads(report.read_text())}


@pytest.mark.long
@pytest.mark.parametrize("tls, words", [("starttls", ("--starttls", "smtp")), ("implicit", ())])
def test_testssl_finds_no_weakness(start, peers, certificates, tmp_path, tls, words):
    daemon = start(listen=f'certificate = "{certificates}/good.pem"  '
                          f'key = "{certificates}/good.key"  tls = "{tls}"')
    found = findings(peers, ports(daemon)[0], tmp_path, *words)
    # It came to the end, and has looked.
    assert found["scanTime"]["severity"] == "INFO", found["scanTime"]
    for protocol in "SSLv2", "SSLv3", "TLS1", "TLS1_1":
        assert found[protocol]["finding"] == "not offered"
    for protocol in "TLS1_2", "TLS1_3":
        assert found[protocol]["finding"].startswith("offered")
    for weakness in ("heartbleed", "CCS", "ROBOT", "CRIME_TLS", "POODLE_SSL", "SWEET32", "FREAK",
                     "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4", "secure_client_renego"):
        assert found[weakness]["finding"].startswith(("not vulnerable", "not applicable")), weakness
    # The certificate lives long, and only the tests know its CA.
    assert [one for one in found.values() if one["severity"] not in HARMLESS
            and not one["id"].startswith("cert_")] == []
