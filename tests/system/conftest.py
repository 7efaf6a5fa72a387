# SPDX-License-Identifier: ISC
"""What the system tests share: where things are, certificates, and which tests run.

Marks: `long` runs only in `make check-long`; `threads` also runs under ThreadSanitizer in
`contrib/quickstart check`; `root` needs root, and is listed when it could not run.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = os.environ["TOP_SRCDIR"]
sys.path.insert(0, os.path.join(SOURCE, "tests/lib"))

# From tests/lib, so behind the path.
from penstock import Penstockd      # noqa: E402
from smarthost import Smarthost     # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes longer; only in make check-long")
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "threads: also under ThreadSanitizer")


def pytest_collection_modifyitems(config, items):
    if os.getuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("root")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.needs_root = left_out


def pytest_terminal_summary(terminalreporter, config):
    for item in getattr(config, "needs_root", []):
        terminalreporter.write_line(f"not run, needs root: {item.nodeid}")


@pytest.fixture(scope="session")
def build():
    """Where the programs were built."""
    return Path(os.environ["TOP_BUILDDIR"])


@pytest.fixture(scope="session")
def peers():
    """The directory that fetch-peers filled."""
    return os.environ["PEERS"]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A directory with the certificates described in tests/lib/certificates."""
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run([os.path.join(SOURCE, "tests/lib/certificates"), directory], check=True)
    return directory


@pytest.fixture
def sink():
    """A plain smarthost that takes everything."""
    with Smarthost() as sink:
        yield sink


@pytest.fixture
def start(build, tmp_path, sink):
    """start(...): a running penstockd, with what Penstockd takes; relays to the sink unless told
    otherwise. It is stopped at the end of the test, which fails when that is not in order."""
    daemons = []

    def start(directory=tmp_path, **options):
        if not {"config", "arguments", "relay_to"} & options.keys():
            options["relay_to"] = sink.port
        daemons.append(Penstockd(build, directory, **options))
        daemons[-1].start()
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.__exit__(None)


@pytest.fixture
def catch(start):
    """catch("--print", ...): a running penstockd --catch whose spool goes away with it."""
    def catch(*words, spool="none", **options):
        return start(arguments=["--catch"], options=["--smtp", "127.0.0.1:0", "--spool", spool,
                                                     *words], **options)
    return catch
