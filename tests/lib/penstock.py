# SPDX-License-Identifier: ISC
"""A penstockd of a test: its own directory, ports the kernel chose, stopped by its process id.

    with Penstockd(build, tmp_path, relay_to=sink.port) as daemon:
        daemon.smtp() ... daemon.cli("queue", "--json") ...

`restart()` keeps the spool, so that crash tests are: kill(), restart(), look.
"""

import json
import os
import re
import signal
import smtplib
import subprocess
import threading
import time

PATIENCE = 30   # seconds until something that must happen is said to fail


def wait_until(condition, what, patience=PATIENCE):
    """Returns what condition() does as soon as that is true; a test never waits for a time."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {patience} s still not: {what}")
        time.sleep(0.01)


class Penstockd:
    """relay_to: port of a plain smarthost on 127.0.0.1; config: the whole configuration instead;
    arguments: a command line instead, such as ["--catch"]; options: further words for either;
    prefix: words before it, such as ["setpriv", ...]; program: a copy of penstockd; stdout: where
    that goes instead of `output`."""

    def __init__(self, build, directory, relay_to=None, config=None, arguments=None, options=(),
                 environment=None, listen="", provider="", extra="", prefix=(), program=None,
                 stdout=subprocess.PIPE):
        self.program = program or os.path.join(build, "src/penstockd")
        self.command = os.path.join(build, "src/penstock")
        self.directory = str(directory)
        self.control = os.path.join(self.directory, "control.sock")
        self.spool = os.path.join(self.directory, "spool")
        self.environment = environment
        self.stdout = stdout
        self.process = None
        self.killed = False     # by us
        self.output = []
        self.log_path = os.path.join(self.directory, "penstockd.log")
        self.log_from = 0   # where the log of this start begins
        if arguments is None:
            path = os.path.join(self.directory, "penstock.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(config or self._config(relay_to, listen, provider, extra))
            arguments = ["-F", "-f", path]
        else:
            arguments = [*arguments, "--socket", self.control]
        self.arguments = [*prefix, self.program, *arguments, *options]

    def _config(self, relay_to, listen, provider, extra):
        text = (f'hostname = "relay.test"\nspool {{ path = "{self.spool}" }}\n'
                f'control {{ socket = "{self.control}" }}\n'
                f'listen "127.0.0.1:0" {{ {listen} }}\n{extra}\n')
        if relay_to is not None:
            text += f'provider "sink" {{ url = "smtp+notls://127.0.0.1:{relay_to}"\n{provider} }}\n'
        return text

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.stop(check=exception[0] is None)
        assert self.killed or self.process.returncode >= 0, \
            f"penstockd was ended by signal {-self.process.returncode}:\n{self.log()}"

    def start(self):
        self.output = []
        self.killed = False
        if os.path.exists(self.log_path):
            self.log_from = os.path.getsize(self.log_path)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        if "--catch" in self.arguments and "--http" not in self.arguments:
            environment["PENSTOCK_HTTP"] = "127.0.0.1:0"    # several run at a time
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=self.stdout, stderr=log,
                text=True, errors="backslashreplace", env=environment | (self.environment or {}))
        self._reader = threading.Thread(
            target=self._read, args=(self.process.stdout or (), self.output), daemon=True)
        self._reader.start()
        wait_until(lambda: self.has_line(r"penstockd? (catches|relays)|\bready version=")
                   or self.process.poll() is not None, f"{self.arguments} ready")
        if self.process.poll() is not None:
            raise AssertionError(f"penstockd ended with {self.process.returncode}: {self.log()}")

    @staticmethod
    def _read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    @property
    def lines(self):
        """The log since the last start."""
        with open(self.log_path, encoding="utf-8", errors="backslashreplace") as log:
            log.seek(self.log_from)
            return log.read().splitlines()

    def has_line(self, pattern):
        return any(re.search(pattern, line) for line in self.lines)

    def log(self):
        return "\n".join(self.lines)

    @property
    def port(self):
        """Of the first TCP listener."""
        for line in self.lines:
            found = re.search(r"listening on=(?!unix)\S+ port=(\d+)|SMTP host \S+, port (\d+)", line)
            if found:
                return int(found[1] or found[2])
        raise AssertionError("no TCP listener in the log:\n" + self.log())

    @property
    def http_port(self):
        """Of the web's first listener."""
        for line in self.lines:
            found = re.search(r"web on=\S+ port=(\d+)", line)
            if found:
                return int(found[1])
        raise AssertionError("no web in the log:\n" + self.log())

    def smtp(self, timeout=PATIENCE, **options):
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=timeout,
                            **options)

    def cli(self, *words, check=True, data=None):
        """Runs penstock; returns its CompletedProcess."""
        done = subprocess.run([self.command, "--socket", self.control, *words], input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"penstock {words}: {done.returncode} {done.stderr}")
        return done

    def cli_json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def waiting(self):
        """Deliveries that are not final."""
        return self.cli_json("status")["spool"]["deliveries"]

    def drained(self, patience=PATIENCE):
        wait_until(lambda: self.waiting() == 0, "the queue is empty", patience)

    def anonymous_memory(self):
        """RssAnon in KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])

    def kill(self):
        self.killed = True
        self.process.kill()
        self._ended()

    def stop(self, check=True):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self._ended()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert not check or status == 0, f"penstockd ended with {status}:\n{self.log()}"

    def _ended(self):
        status = self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return status

    def restart(self):
        if self.process.poll() is None:
            self.stop()
        self.start()
