# SPDX-License-Identifier: ISC
"""The daemon among other processes: its start and end, its user, disk and descriptors."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from penstock import Penstockd, wait_until
from smarthost import Fault, Smarthost
from wire import Wire

HELD = 'route "all" { via = { "sink" } hold = true }'


def send(daemon, count=1, octets=10):
    with daemon.smtp() as client:
        for n in range(count):
            client.sendmail("a@example.com", [f"b{n}@example.org"],
                            "Subject: x\r\n\r\n" + ("x" * 78 + "\r\n") * (octets // 80 + 1))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_idle(daemon, seconds=1.0):
    """Whether it uses less than a tenth of a core for a while: it does not spin."""
    before = cpu_seconds(daemon.process)
    time.sleep(seconds)
    return cpu_seconds(daemon.process) - before < seconds / 10


def fails(build, directory, **options):
    """What a penstockd says that does not start."""
    daemon = Penstockd(build, directory, **options)
    with pytest.raises(AssertionError, match="penstockd ended with") as error:
        daemon.start()
    assert daemon.process.returncode in (69, 78)
    return str(error.value)


# ---- the end -------------------------------------------------------------------------------


@pytest.mark.threads
def test_sigterm_tells_idle_sessions_and_lets_a_message_finish(start, sink):
    daemon = start()
    with Wire(daemon.port) as idle, Wire(daemon.port) as busy:
        idle.greet()
        busy.greet()
        busy.open()
        busy.send("Subject: the last one\r\n\r\n")
        daemon.process.send_signal(signal.SIGTERM)
        assert idle.reply().startswith("421 4.3.2")
        assert idle.closed()
        busy.send("hi\r\n.\r\n")
        assert busy.reply().startswith("250 2.0.0 queued")
        assert busy.reply().startswith("421 4.3.2")
        assert daemon.process.wait(timeout=30) == 0
    daemon.start()
    wait_until(lambda: sink.messages, "the message")


def test_a_message_that_never_ends_does_not_keep_it(start):
    daemon = start()
    daemon.stop()
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "relay.test"\nstop-timeout = "1s"')
    daemon.start()
    with Wire(daemon.port) as wire:
        wire.greet()
        wire.open()
        wire.send("Subject: unfinished\r\n")
        daemon.stop()
    daemon.start()
    assert daemon.cli_json("status")["spool"]["messages"] == 0


def rewrite(daemon, old, new):
    """Changes the configuration for the next start."""
    path = os.path.join(daemon.directory, "penstock.conf")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


def test_sigterm_ends_what_is_being_relayed_in_order(start, sink):
    daemon = start(provider="connections = 2")
    sink.faults = [Fault("DOT", delay=0.02)]
    send(daemon, 60)
    wait_until(lambda: len(sink.messages) > 3, "some are through")
    daemon.stop()
    arrived = len(sink.messages)
    assert arrived < 60
    assert all(session.ended == "QUIT" for session in sink.sessions if session.ended)
    sink.faults = []
    daemon.start()
    assert "indeterminate" not in daemon.log()
    wait_until(lambda: len(sink.messages) >= 60, "all")
    daemon.drained()
    assert sorted(m.recipients[0] for m in sink.messages) == sorted(f"b{n}@example.org" for n in range(60))


def test_a_smarthost_that_never_answers_does_not_keep_it(start, sink):
    sink.faults = [Fault("DOT", delay=3600, times=1)]
    daemon = start(extra='route "all" { via = { "sink" } retry = { "1s" } }')
    daemon.stop()
    rewrite(daemon, 'hostname = "relay.test"', 'hostname = "relay.test"\nstop-timeout = "1s"')
    daemon.start()
    send(daemon)
    wait_until(lambda: sink.faults[0].happened, "the content is there")
    daemon.stop()
    assert "indeterminate" in daemon.log()
    daemon.start()
    wait_until(lambda: sink.messages, "the message")


def test_sigint_stops_it_too(start):
    daemon = start()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(timeout=30) == 0
    assert daemon.lines[-1].endswith("stopped")


def test_a_load_at_the_end_loses_nothing(start, sink):
    daemon = start()
    accepted = []

    def client(n):
        try:
            with Wire(daemon.port) as wire:
                wire.greet()
                while True:
                    reply = wire.mail(sender=f"a{n}@example.com")
                    if not reply.startswith("250"):
                        return
                    accepted.append(reply.split()[-1])
        except (OSError, AssertionError):
            pass    # 421 in the middle of the dialogue
    clients = [threading.Thread(target=client, args=(n,)) for n in range(5)]
    for thread in clients:
        thread.start()
    wait_until(lambda: len(accepted) > 200, "the load is under way")
    daemon.stop()
    for thread in clients:
        thread.join(timeout=30)
    daemon.start()
    assert "indeterminate" not in daemon.log()
    daemon.drained()
    arrived = [re.search(rb"\sid (\w{13})", m.content)[1].decode() for m in sink.messages]
    assert sorted(arrived) == sorted(accepted)


# ---- what is not to be shared ---------------------------------------------------------------


def test_a_second_daemon_on_the_same_spool_is_refused(build, start, tmp_path):
    daemon = start()
    (tmp_path / "second").mkdir()
    config = (f'spool {{ path = "{daemon.spool}" }}\ncontrol {{ socket = "{tmp_path}/second/s" }}\n'
              'listen "127.0.0.1:0" { }\nprovider "sink" { url = "smtp+notls://127.0.0.1:1" }\n')
    said = fails(build, tmp_path / "second", config=config)
    assert f"spool {daemon.spool} is in use by pid {daemon.process.pid}" in said
    send(daemon)


def test_a_second_daemon_with_the_same_configuration_is_refused(build, start, tmp_path, sink):
    daemon = start()
    second = Penstockd(build, tmp_path, relay_to=sink.port)
    second.log_path = str(tmp_path / "second.log")
    with pytest.raises(AssertionError, match="in use"):
        second.start()
    assert daemon.cli_json("status")["mode"] == "relay"
    assert daemon.cli("send", "--to", "b@example.org").returncode == 0


def test_the_spool_of_the_other_mode_is_refused(build, start, catch, tmp_path):
    start().stop()
    catching = Penstockd(build, tmp_path, arguments=["--catch", "--smtp", "127.0.0.1:0", "--spool",
                                                     str(tmp_path / "spool")])
    with pytest.raises(AssertionError, match="belongs to a relay, --catch cannot use it"):
        catching.start()


def test_sockets_that_a_crash_left_are_replaced_and_files_are_not(build, start, tmp_path):
    daemon = start()
    daemon.kill()
    assert os.path.exists(daemon.control)
    daemon.start()
    daemon.stop()
    assert not os.path.exists(daemon.control) and not os.path.exists(tmp_path / "smtp.sock")
    (tmp_path / "control.sock").write_text("precious")
    with pytest.raises(AssertionError, match="is not a socket"):
        daemon.start()
    assert (tmp_path / "control.sock").read_text() == "precious"


# ---- its user ----------------------------------------------------------------------------------


@pytest.fixture
def public(tmp_path_factory):
    """A directory that every user may look into, with programs to run."""
    path = f"/tmp/penstock-public-{os.getpid()}"
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.root
def test_it_binds_as_root_and_then_is_somebody_else(start, build, public, sink):
    daemon = start(extra='user = "nobody"', directory=public)
    nobody = pwd.getpwnam("nobody")
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        text = status.read()
    assert re.search(r"^Uid:" + f"\t{nobody.pw_uid}" * 4 + "$", text, re.MULTILINE)
    assert re.search(r"^Gid:" + f"\t{nobody.pw_gid}" * 4 + "$", text, re.MULTILINE)
    assert re.search(r"^CapEff:\s0+$", text, re.MULTILINE)
    assert os.stat(daemon.spool).st_uid == nobody.pw_uid
    assert os.stat(f"{public}/smtp.sock").st_mode & 0o777 == 0o666
    send(daemon)
    wait_until(lambda: sink.messages, "the message")
    daemon.restart()
    send(daemon)
    wait_until(lambda: len(sink.messages) == 2, "the message")


@pytest.mark.root
def test_a_spool_that_the_user_cannot_write_is_refused(build, public, sink):
    os.mkdir(f"{public}/spool", 0o755)
    said = fails(build, public, relay_to=sink.port, extra='user = "nobody"')
    assert f"spool {public}/spool belongs to uid 0" in said


def test_a_place_for_the_spool_that_cannot_be_is_refused(build, tmp_path, sink):
    (tmp_path / "spool").write_text("a file")
    assert "not a directory" in fails(build, tmp_path, relay_to=sink.port)


def test_a_spool_that_others_can_write_is_refused(build, tmp_path, sink):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool").chmod(0o777)
    assert "can be written by others" in fails(build, tmp_path, relay_to=sink.port)


def test_the_spool_is_nobody_elses_to_read(start):
    daemon = start()
    send(daemon)
    assert os.stat(daemon.spool).st_mode & 0o777 == 0o700
    for name in os.listdir(daemon.spool):
        assert os.stat(os.path.join(daemon.spool, name)).st_mode & 0o77 == 0, name


# ---- the disk ------------------------------------------------------------------------------------


def fill(daemon, octets=200_000):
    """Sends until it is refused; returns how many were accepted."""
    accepted = 0
    with Wire(daemon.port) as wire:
        wire.greet()
        while accepted < 1000:
            reply = wire.say("MAIL FROM:<a@example.com>")
            if reply.startswith("250"):
                assert wire.say(f"RCPT TO:<b{accepted}@example.org>").startswith("250")
                assert wire.say("DATA").startswith("354")
                wire.send("Subject: x\r\n\r\n" + ("x" * 78 + "\r\n") * (octets // 80) + ".\r\n")
                reply = wire.reply()
            if not reply.startswith("250"):
                assert reply.startswith("452 4.3.1"), reply
                return accepted
            accepted += 1
    raise AssertionError("it never was full")


def goes_on_after(daemon, sink, accepted):
    """What is stored leaves, which makes room; what was accepted arrives."""
    for message in daemon.cli_json("queue"):
        daemon.cli("release", message["id"])
    wait_until(lambda: len(sink.messages) >= accepted, "all that was accepted")
    daemon.drained()
    assert sorted(m.recipients[0] for m in sink.messages) == sorted(
        f"b{n}@example.org" for n in range(accepted))
    wait_until(lambda: accepts(daemon), "new mail is accepted")


def accepts(daemon):
    with Wire(daemon.port) as wire:
        wire.greet()
        reply = wire.say("MAIL FROM:<a@example.com>")
        if not reply.startswith("250"):
            return False
        wire.say("RCPT TO:<again@example.org>")
        wire.say("DATA")
        return wire.say("Subject: x\r\n\r\nhi\r\n.").startswith("250")


def test_a_full_quota_puts_off_new_mail_and_loses_none(start, sink):
    daemon = start(extra=HELD)
    daemon.stop()
    rewrite(daemon, "spool {", 'spool { max-size = "4MiB" ')
    daemon.start()
    accepted = fill(daemon)
    assert 5 < accepted < 25
    goes_on_after(daemon, sink, accepted)


@pytest.mark.root
def test_a_full_disk_puts_off_new_mail_and_loses_none(start, sink, tmp_path):
    """A real one: 24 MiB of tmpfs."""
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", spool], check=True)
    try:
        daemon = start(extra=HELD)
        accepted = fill(daemon)
        assert 20 < accepted < 130
        assert daemon.has_line("spool disk full")
        assert is_idle(daemon)
        daemon.kill()
        daemon.start()
        counts = daemon.cli_json("status")["spool"]
        assert counts["messages"] >= accepted
        for message in daemon.cli_json("queue"):
            daemon.cli("release", message["id"])
        daemon.drained()
        assert {f"b{n}@example.org" for n in range(accepted)} <= {
            m.recipients[0] for m in sink.messages}
        wait_until(lambda: accepts(daemon), "new mail is accepted")
        daemon.stop()
    finally:
        subprocess.run(["umount", "--lazy", spool], check=True)


def test_a_file_that_may_not_grow_puts_off_new_mail_and_loses_none(start, sink):
    """As on a full disk, for every user: a limit on the size of files."""
    limit = 48 * 1024 * 1024
    daemon = start(extra=HELD, prefix=["prlimit", f"--fsize={limit}:unlimited"])
    accepted = fill(daemon)
    assert 10 < accepted < 250
    assert is_idle(daemon)
    # Once more room is there it goes on by itself.
    subprocess.run(["prlimit", "--pid", str(daemon.process.pid), "--fsize=unlimited"], check=True)
    wait_until(lambda: accepts(daemon), "new mail is accepted")
    daemon.kill()
    daemon.start()
    assert daemon.cli_json("status")["spool"]["messages"] >= accepted


# ---- descriptors -----------------------------------------------------------------------------------


@pytest.mark.threads
def test_too_few_descriptors_are_waited_for_without_spinning(start, sink):
    daemon = start(prefix=["prlimit", "--nofile=100"])
    wires = []
    try:
        for _ in range(150):
            wires.append(Wire(daemon.port))
        wait_until(lambda: daemon.has_line("accepting waits"), "it is said")
        assert is_idle(daemon)
        assert daemon.log().count("accepting waits") == 1
    finally:
        for wire in wires:
            wire.vanish()
    wait_until(lambda: accepts(daemon), "new mail is accepted")
    wait_until(lambda: sink.messages, "the message")


def test_a_limit_too_low_for_its_connections_is_said(start):
    daemon = start(prefix=["prlimit", "--nofile=500"])
    assert daemon.has_line("descriptors limited wanted=10[0-9]{3} have=500")


# ---- rest -------------------------------------------------------------------------------------------


def test_it_sleeps_when_there_is_nothing_to_do(start, sink):
    daemon = start()
    send(daemon, 5)
    wait_until(lambda: len(sink.messages) == 5, "five")
    daemon.drained()

    def wakeups():
        total = 0
        for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
            with open(f"/proc/{daemon.process.pid}/task/{task}/status", encoding="ascii") as status:
                total += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status.read())[1])
        return total
    before = wakeups()
    time.sleep(1)
    assert wakeups() - before < 20


def test_a_smarthost_that_refuses_connections_is_not_asked_in_a_loop(start, sink):
    sink.stop()
    daemon = start()
    send(daemon, 50)
    wait_until(lambda: daemon.has_line("provider set aside"), "it is set aside")
    assert is_idle(daemon)
    assert daemon.log().count("connection closed") + daemon.log().count("connection failed") < 20


@pytest.mark.memory
def test_a_smarthost_that_talks_without_end_is_left(start):
    """Rubbish without a line end, as fast as it can."""
    with Smarthost(faults=[Fault("CONNECT", b"x" * 50_000_000)]) as host:
        daemon = start(relay_to=host.port)
        send(daemon)
        wait_until(lambda: daemon.has_line("provider set aside"), "it is set aside")
        assert daemon.anonymous_memory() < 64 * 1024
        assert is_idle(daemon)
        assert daemon.waiting() == 1
