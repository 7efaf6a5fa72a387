# SPDX-License-Identifier: ISC
"""What peers need that want accounts and folders of their own: a directory, and a mount namespace
in which /etc/passwd knows the accounts and some folders are private. The machine sees neither.
"""

import os
import shutil
import signal
import subprocess
import tempfile

FIRST_UID = 42420   # no account of a Debian has these
STOP_SECONDS = 30


class PrivateDirectory:
    """A directory under /tmp, and accounts that only processes started with private() have."""

    def __init__(self, prefix, accounts):
        self.path = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
        os.chmod(self.path, 0o755)
        self.accounts = {name: FIRST_UID + n for n, name in enumerate(accounts)}
        for table, line in [("passwd", "{0}:x:{1}:{1}::/nonexistent:/bin/false\n"),
                            ("group", "{0}:x:{1}:\n")]:
            with open(f"/etc/{table}", encoding="utf-8") as real:
                self.write(table, real.read() + "".join(
                    line.format(name, uid) for name, uid in self.accounts.items()))

    def uid(self, account):
        return self.accounts[account]

    def name(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self.name(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        try:
            with open(self.name(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def give(self, name, original, account):
        """A copy of the file, for the account alone."""
        shutil.copyfile(original, self.name(name))
        os.chmod(self.name(name), 0o600)
        os.chown(self.name(name), self.uid(account), -1)

    def make(self, name, account, mode=0o750):
        os.makedirs(self.name(name))
        os.chmod(self.name(name), mode)
        os.chown(self.name(name), self.uid(account), self.uid(account))

    @staticmethod
    def environment(peers):
        libraries = os.path.join(os.path.abspath(peers), "usr/lib/postfix")
        return os.environ | {"LD_LIBRARY_PATH": libraries}

    @staticmethod
    def end(process, how=signal.SIGTERM):
        """The process and its children, which are one session."""
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, how)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def private(place, command, mounts=()):
    """The command line that runs this one with the accounts of the place, and with each of
    (folder of here, folder there) mounted. The process keeps its id."""
    mounts = [(place.name("passwd"), "/etc/passwd"), (place.name("group"), "/etc/group"), *mounts]
    script = "".join(f"mount --bind '{here}' '{there}' && " for here, there in mounts)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script + 'exec "$@"',
            "private", *command]
