# SPDX-License-Identifier: ISC
"""Starts that fail leave nothing behind, those that succeed are told to who waits for them."""

import os
import signal
import socket
import subprocess

import pytest

from penstock import wait_until


def config(directory, name, listen, spool=None):
    """A configuration of its own, with its sockets in directory/name-sockets."""
    path = directory / f"{name}.conf"
    path.write_text(f'hostname = "relay.test"\nspool {{ path = "{spool or directory / (name + ".spool")}" }}\n'
                    f'control {{ socket = "{directory / (name + "-sockets") / "control.sock"}" }}\n{listen}\n'
                    'provider "p" { url = "smtp+notls://127.0.0.1:9" }\n')
    return path


@pytest.mark.parametrize("options", [["-F"], []], ids=["foreground", "background"])
@pytest.mark.parametrize("name, word", [("busy", "in use by another program"),
                                        ("certificate", "certificate"), ("spool", "in use by pid")])
def test_a_start_that_fails_leaves_no_socket(build, start, tmp_path, name, word, options):
    running = start()
    (tmp_path / "junk.pem").write_text("junk\n")
    listen = {
        "busy": f'listen "127.0.0.1:0" {{ }}\nlisten "127.0.0.1:{running.port}" {{ }}',
        "certificate": f'listen "127.0.0.1:0" {{ tls = "starttls" certificate = "{tmp_path}/junk.pem" '
                       f'key = "{tmp_path}/junk.pem" }}',
        "spool": 'listen "127.0.0.1:0" { }',
    }[name]
    path = config(tmp_path, name, listen, running.spool if name == "spool" else None)
    done = subprocess.run([build / "src/penstockd", *options, "-f", path], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 69 and word in done.stderr, done
    assert list(tmp_path.glob(f"{name}-sockets/*")) == []
    assert os.path.exists(running.control) and running.waiting() == 0


def test_the_service_manager_is_told(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        daemon = start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        assert daemon.smtp().noop()[0] == 250
        daemon.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_service_manager_that_is_gone_is_no_trouble(start, tmp_path):
    daemon = start(environment={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    wait_until(lambda: daemon.has_line("cannot notify"), "it is said")
    assert daemon.smtp().noop()[0] == 250


def test_a_second_signal_does_not_wait_for_a_session(start):
    daemon = start()
    with daemon.smtp() as client:
        client.ehlo()
        client.mail("a@example.com")
        client.rcpt("b@example.org")
        client.docmd("DATA")        # in the middle of a message
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: daemon.has_line("stopping reason=signal"), "the first is heard")
        assert daemon.process.poll() is None
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=30) == 0
        client.close()
        client.sock = None
    assert daemon.has_line("asked again")
