# SPDX-License-Identifier: ISC
"""What the system tests share: where things are, certificates, and which tests run.

Marks: `long` runs only in `make check-long`; `threads` also runs under ThreadSanitizer in
`contrib/quickstart check`; `root` needs root, `mounts` a root who may mount (a container's often may
not) and `memory` a build without a sanitizer: those are listed when they could not run.
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
    config.addinivalue_line("markers", "memory: looks at memory, of which a sanitizer has its own")
    config.addinivalue_line("markers", "mounts: mounts in a namespace of its own")
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "threads: also under ThreadSanitizer")


def is_sanitized():
    program = Path(os.environ["TOP_BUILDDIR"], "src/penstockd").read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def pytest_collection_modifyitems(config, items):
    reasons = {}
    if os.getuid() != 0:
        reasons["root"] = "needs root"
    if subprocess.run(["unshare", "--mount", "mount", "--bind", "/etc/passwd", "/etc/passwd"],
                      stderr=subprocess.DEVNULL, check=False).returncode != 0:
        reasons["mounts"] = "may not mount"
    if is_sanitized():
        reasons["memory"] = "looks at memory, and a sanitizer has its own"
    config.not_run = [(item, reason) for item in items for mark, reason in reasons.items()
                      if item.get_closest_marker(mark)]
    left_out = [item for item, _ in config.not_run]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter, config):
    for item, reason in getattr(config, "not_run", []):
        terminalreporter.write_line(f"not run, {reason}: {item.nodeid}")


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
