# SPDX-License-Identifier: ISC
"""A private Postfix on loopback, run from the tree that fetch-peers unpacked.

    with Postfix(peers, relayhost=sink_port) as postfix:
        ... postfix.port, postfix.log() ...

It serves two purposes: a smarthost that penstockd relays to, and the relay that benchmarks
measure beside ours. It has its own configuration, queue and log in a directory under /tmp,
listens on one high port of 127.0.0.1, and is stopped by its process id. Needs root, as Postfix
does; nothing is installed.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Accounts of every Debian: the queue's owner, and a group which no other account uses here.
MAIL_OWNER = "uucp"
SETGID_GROUP = "proxy"

START_SECONDS = 20

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n  -  n  60     1  pickup
cleanup   unix  n  -  n  -      0  cleanup
qmgr      unix  n  -  n  300    1  qmgr
tlsmgr    unix  -  -  n  1000?  1  tlsmgr
rewrite   unix  -  -  n  -      -  trivial-rewrite
bounce    unix  -  -  n  -      0  bounce
defer     unix  -  -  n  -      0  bounce
trace     unix  -  -  n  -      0  bounce
verify    unix  -  -  n  -      1  verify
flush     unix  n  -  n  1000?  0  flush
proxymap  unix  -  -  n  -      -  proxymap
smtp      unix  -  -  n  -      -  smtp
relay     unix  -  -  n  -      -  smtp
showq     unix  n  -  n  -      -  showq
error     unix  -  -  n  -      -  error
retry     unix  -  -  n  -      -  error
discard   unix  -  -  n  -      -  discard
anvil     unix  -  -  n  -      1  anvil
scache    unix  -  -  n  -      1  scache
tlsproxy  unix  -  -  n  -      0  tlsproxy
postlog   unix-dgram n - n -    1  postlogd
"""


class Postfix:
    """relayhost: port on 127.0.0.1 that all mail goes to; without it all mail is discarded.
    certificate, key: offer STARTTLS. relay_ca: relay over TLS only, verified against this file,
    with connections reused. settings: further lines of main.cf."""

    def __init__(self, peers, relayhost=None, certificate=None, key=None, relay_ca=None, settings=None):
        self.usr = os.path.join(os.path.abspath(peers), "usr")
        self.dir = tempfile.mkdtemp(prefix="postfix-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.process = None
        self._make_directories()
        self._write("master.cf", MASTER_CF.format(port=self.port))
        main = self._main_cf(relayhost, certificate, key, relay_ca) | (settings or {})
        self._write("main.cf", "".join(f"{name} = {value}\n" for name, value in main.items()))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *exception):
        self.stop()
        self.remove()

    def start(self):
        """Returns when the port answers with a banner."""
        environment = os.environ | {"LD_LIBRARY_PATH": os.path.join(self.usr, "lib/postfix")}
        self.process = subprocess.Popen(
            [os.path.join(self.usr, "lib/postfix/sbin/master"), "-c", self._path("etc")],
            env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"Postfix does not start:\n{self.log()}")
            time.sleep(0.05)

    def stop(self):
        """The master ends its whole process group with it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
        self.process = None

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        try:
            with open(self._path("log"), encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return "(no log)"

    def cpu_seconds(self):
        """What the master, its children of now, and those that ended have used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return ended + cpu_seconds(self.process.pid) + sum(
            cpu_seconds(child) for child in children(self.process.pid))

    def _path(self, name):
        return os.path.join(self.dir, name)

    def _write(self, name, text):
        with open(os.path.join(self.dir, "etc", name), "w", encoding="utf-8") as file:
            file.write(text)

    def _make_directories(self):
        """What `postfix post-install create-missing` would make, for our accounts."""
        owner = pwd.getpwnam(MAIL_OWNER).pw_uid
        group = grp.getgrnam(SETGID_GROUP).gr_gid
        os.mkdir(self._path("etc"))
        os.mkdir(self._path("queue"))
        os.mkdir(self._path("queue/pid"))
        plain = "active bounce corrupt defer deferred flush hold incoming private saved trace"
        for name, mode, gid in [("data", 0o700, -1), ("queue/maildrop", 0o730, group),
                                ("queue/public", 0o710, group)] + [
                                    (f"queue/{name}", 0o700, -1) for name in plain.split()]:
            os.mkdir(self._path(name))
            os.chown(self._path(name), owner, gid)
            os.chmod(self._path(name), mode)

    def _main_cf(self, relayhost, certificate, key, relay_ca):
        libraries = os.path.join(self.usr, "lib/postfix")
        main = {
            "compatibility_level": "3.6",
            "queue_directory": self._path("queue"),
            "data_directory": self._path("data"),
            "command_directory": os.path.join(self.usr, "sbin"),
            "daemon_directory": os.path.join(libraries, "sbin"),
            "shlib_directory": libraries,
            "meta_directory": self._path("etc"),
            "import_environment": f"MAIL_CONFIG LD_LIBRARY_PATH={libraries} TZ LANG=C",
            "mail_owner": MAIL_OWNER,
            "setgid_group": SETGID_GROUP,
            "maillog_file": self._path("log"),
            "maillog_file_prefixes": self.dir,
            "myhostname": "postfix.example.net",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_peername_lookup": "no",
            "disable_dns_lookups": "yes",
            "default_transport": "smtp" if relayhost else "discard:",
            "relayhost": f"[127.0.0.1]:{relayhost}" if relayhost else "",
        }
        if relayhost:
            main["smtp_connection_cache_destinations"] = main["relayhost"]
        if certificate:
            main |= {"smtpd_tls_cert_file": certificate, "smtpd_tls_key_file": key,
                     "smtpd_tls_security_level": "may", "smtpd_tls_received_header": "yes"}
        if relay_ca:
            main |= {"smtp_tls_security_level": "secure", "smtp_tls_CAfile": relay_ca,
                     "smtp_tls_secure_cert_match": "localhost",
                     "smtp_tls_connection_reuse": "yes"}
        return main


def children(parent):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry))
        except OSError:
            pass    # it ended meanwhile, and is counted by its parent
    return found


def cpu_seconds(pid):
    """Of all threads, by the scheduler's own nanoseconds: ticks miss short turns."""
    used = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as schedstat:
                used += int(schedstat.read().split()[0])
    except OSError:
        pass    # it ended meanwhile
    return used / 1e9


def free_port():
    """A port that the kernel finds free; Postfix cannot bind port 0 itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False
