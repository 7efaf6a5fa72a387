# SPDX-License-Identifier: ISC
"""A private Exim on loopback, run from the tree that fetch-peers unpacked: a smarthost with TLS and
a login, pipelining and CHUNKING.

    with Exim(peers, certificate=pem, key=key, users={"me": "secret"}) as exim:
        ... exim.port, exim.messages(), exim.arrivals(), exim.log() ...

It keeps what it takes in its queue, where messages() finds it: nothing is delivered onward. Needs
root, for its account (see private.py); nothing is installed.
"""

import os
import re
import signal
import subprocess

from penstock import wait_until
from postfix import answers, free_port
from private import PrivateDirectory, private

ACCOUNT = "Debian-exim"

CONFIGURATION = """\
primary_hostname = exim.example.net
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
pid_file_path = {dir}/pid
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
host_lookup =
rfc1413_query_timeout = 0s
queue_only = true
split_spool_directory = false
spool_wireformat = false
message_logs = false
log_selector = +smtp_connection +pipelining +received_recipients +smtp_mailauth
smtp_accept_max = 100
smtp_enforce_sync = true
accept_8bitmime = true
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = {dir}/certificate
tls_privatekey = {dir}/key
acl_smtp_mail = mail
acl_smtp_rcpt = recipient
acl_smtp_data = content
{settings}
begin acl
mail:
  deny    message = 5.7.0 TLS first
          !encrypted = *
  deny    message = 5.7.0 log in first
          !authenticated = *
  accept
recipient:
  deny    message = 5.1.1 nobody here
          local_parts = nobody
  accept
content:
  defer   message = 4.3.0 not yet
          condition = ${{if exists{{{dir}/closed}}}}
  accept
begin routers
everything:
  driver = accept
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
begin authenticators
"""

PLAIN = """\
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""
LOGIN = """\
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""
CRAM_MD5 = """\
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
"""
MECHANISMS = {"PLAIN": PLAIN, "LOGIN": LOGIN, "CRAM-MD5": CRAM_MD5}


class Exim:
    """CHUNKING and PIPELINING are on, as is usual. login: the only user and password, which are plain letters; mechanisms: those offered;
    settings: further lines of the configuration, as a dictionary."""

    def __init__(self, peers, certificate, key, login, mechanisms=tuple(MECHANISMS), settings=None):
        self.port = free_port()
        self.process = None
        self.place = PrivateDirectory("exim-", [ACCOUNT])
        self.dir = self.place.path
        self.program = os.path.join(os.path.abspath(peers), "exim/usr/sbin/exim4")
        self.peers = peers
        self.place.give("certificate", certificate, ACCOUNT)
        self.place.give("key", key, ACCOUNT)
        self.place.make("spool", ACCOUNT)
        os.chown(self.dir, self.place.uid(ACCOUNT), -1)
        further = "".join(f"{name} = {value}\n" for name, value in (settings or {}).items())
        user, password = login
        self.place.write("configuration", CONFIGURATION.format(
            dir=self.dir, port=self.port, settings=further) + "".join(
                MECHANISMS[name].format(user=user, password=password) for name in mechanisms))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self.place.end(self.process)
        self.place.remove()

    def start(self):
        """Also after kill(), with the same port and queue."""
        command = [self.program, "-C", self.place.name("configuration"), "-bdf"]
        with open(self.place.name("output"), "ab") as output:
            self.process = subprocess.Popen(
                private(self.place, command), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, env=self.place.environment(self.peers))
        wait_until(lambda: answers(self.port) or self.process.poll() is not None, "Exim answers")
        assert self.process.poll() is None, f"Exim does not start:\n{self.log()}"

    def kill(self):
        """All of it, in the midst of whatever it does."""
        self.place.end(self.process, signal.SIGKILL)

    def close(self):
        """From now on all content is answered with 451, until open()."""
        self.place.write("closed", "")

    def open(self):
        os.unlink(os.path.join(self.dir, "closed"))

    def log(self):
        return self.place.read("output") + self.place.read("mainlog") + self.place.read("paniclog")

    def arrivals(self):
        """The log lines of what was accepted: X= is TLS, A= the login, K that BDAT brought it, L.
        that it was pipelined."""
        return [line for line in self.log().splitlines() if " <= " in line]

    def connections(self):
        """How many there were since it answered for the first time."""
        return self.log().count("(TCP/IP connection count") - 1

    def messages(self):
        """What is in the queue, with LF: the fields as they came, Exim's own without, and the body."""
        queue = os.path.join(self.dir, "spool/input")
        return [self._message(os.path.join(queue, name[:-2])) for name in os.listdir(queue)
                if name.endswith("-H")]

    @staticmethod
    def _message(stem):
        with open(stem + "-H", "rb") as file:
            header = file.read()
        with open(stem + "-D", "rb") as file:
            body = file.read().split(b"\n", 1)[1]
        # Behind an empty line each field is "045F From: ...": length, kind, space, text.
        header = header[header.index(b"\n\n") + 2:]
        fields = []
        while header:
            digits = re.match(rb"\d+", header)[0]
            start = len(digits) + 2
            end = start + int(digits)
            fields.append(header[start:end])
            header = header[end:]
        return b"".join(fields[1:]) + b"\n" + body   # the first is Exim's Received
