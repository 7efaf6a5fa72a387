# SPDX-License-Identifier: ISC
"""The page of the inbox in a headless Chromium: tests/browser/, each of its tests a case here."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from penstock import Penstockd
from smarthost import Smarthost

BROWSER = Path(os.environ["TOP_SRCDIR"], "tests/browser")
PATIENCE = 480      # seconds for all of them on a busy machine, with a sanitizer

# By what they run over: penstockd --catch, or a configuration with two inboxes, a relay and a base path.
CATCH = ["reading.mjs", "working.mjs", "looks.mjs", "hostile.mjs"]
INBOXES = ["inboxes.mjs"]

CONFIG = """
hostname = "relay.test"
spool {{ path = "{directory}/spool" }}
control {{ socket = "{directory}/control.sock" }}
listen "127.0.0.1:0" {{ }}
http {{ listen = {{ "127.0.0.1:0" }} base-path = "/a/mail" }}
provider "sink" {{ url = "smtp+notls://127.0.0.1:{port}" }}
provider "bills" {{ url = "inbox:billing" }}
inbox "default" {{ release = "sink" }}
inbox "billing" {{ release = "sink" }}
route "billing" {{ recipient = {{ "*@billing.example" }} via = {{ "bills" }} }}
route "all" {{ via = {{ "inbox" }} }}
"""


def names(files):
    """As they stand in the files, some with the value of a loop in them."""
    for file in files:
        text = (BROWSER / file).read_text(encoding="utf-8")
        for name in re.findall(r'^\t?test\(["`]([^"`]+)["`],', text, re.MULTILINE):
            if "${colorScheme}" in name:
                yield from (name.replace("${colorScheme}", value) for value in ("light", "dark"))
            else:
                yield name


def run(daemon, files, path="/"):
    """By the name of a test: why it failed, or None."""
    [port] = re.findall(r" web on=\S+ port=(\d+)", daemon.log())
    done = subprocess.run(
        ["node", BROWSER / "run.mjs", *files], text=True, timeout=PATIENCE, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PAGE": f"http://127.0.0.1:{port}{path}", "SMTP": str(daemon.port),
                          "HOME": daemon.directory})
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(outcome["name"] for outcome in outcomes) == sorted(names(files))
    return {outcome["name"]: outcome["error"] for outcome in outcomes}


@pytest.fixture(scope="module")
def caught(build, tmp_path_factory):
    with Penstockd(build, tmp_path_factory.mktemp("page"), arguments=["--catch"], options=[
            "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--spool", "none"]) as daemon:
        yield run(daemon, CATCH)


@pytest.fixture(scope="module")
def sorted_out(build, tmp_path_factory):
    directory = tmp_path_factory.mktemp("page")
    with Smarthost() as sink, Penstockd(build, directory, config=CONFIG.format(
            directory=directory, port=sink.port)) as daemon:
        yield run(daemon, INBOXES, "/a/mail/")


@pytest.mark.parametrize("name", names(CATCH))
def test_page(caught, name):
    assert caught[name] is None, caught[name]


@pytest.mark.parametrize("name", names(INBOXES))
def test_inboxes(sorted_out, name):
    assert sorted_out[name] is None, sorted_out[name]
