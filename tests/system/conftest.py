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
