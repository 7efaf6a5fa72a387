# SPDX-License-Identifier: ISC
"""The control socket against clients that are broken, slow, greedy or hostile: each is answered or
sent away, the others go on, the daemon stays and does not grow."""

import concurrent.futures
import json
import os
import socket
import threading

import pytest

from penstock import wait_until

TIMEOUT = 30        # seconds
GROWTH_MAX = 8192   # KiB of anonymous memory that a flood may leave; buffers and the allocator's slack
UNKNOWN = "0123456789ABC"


def connect(daemon):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(TIMEOUT)
    client.connect(daemon.control)
    return client


def read_all(client):
    """All that comes until the daemon closes."""
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def ask(daemon, data):
    """The answer to a request that asks to be closed behind."""
    with connect(daemon) as client:
        client.sendall(data)
        return read_all(client)


def throw(daemon, data):
    """What comes back for data with nothing behind it."""
    with connect(daemon) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass        # sent away in the middle
        return read_all(client)


def get(path, method="GET", headers=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").encode()


def code_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


def is_well(daemon):
    return daemon.process.poll() is None and daemon.cli_json("status")["mode"] == "relay"


@pytest.fixture
def daemon(start):
    return start(extra='route "all" { via = { "sink" } hold = true }')


def send(daemon, letter="Subject: x\r\n\r\nhi\r\n", recipients=("b@example.org",)):
    with daemon.smtp() as client:
        client.ehlo()
        client.mail("a@example.com")
        for recipient in recipients:
            client.rcpt(recipient)
        code, reply = client.data(letter)
        assert code == 250
    return reply.decode().rpartition(" ")[2]


@pytest.mark.threads
@pytest.mark.parametrize("data", [
    b"", b"\r\n", b"\0" * 1000, b"\xff" * 5000, b"GET\r\n\r\n", b"GET /relay/v1/status\r\n\r\n",
    b"GET /relay/v1/status HTTP/9.9\r\n\r\n", b"EHLO there\r\nMAIL FROM:<a@b>\r\n",
    b"GET /relay/v1/status HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /relay/v1/status HTTP/1.1\r\n folded first\r\n\r\n",
    b"POST /relay/v1/stop HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /relay/v1/stop HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /relay/v1/stop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /relay/v1/stop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\1" * 500,      # a TLS client
], ids=range(15))
def test_rubbish_is_refused(daemon, data):
    answer = throw(daemon, data)
    assert code_of(answer) in (None, 400, 404, 413, 501, 505), answer
    assert is_well(daemon)


@pytest.mark.parametrize("method, path, code", [
    ("PUT", "/relay/v1/status", 405), ("HEAD", "/relay/v1/status", 200), ("BREW", "/relay/v1/status", 501),
    ("OPTIONS", "*", 400), ("TRACE", "/relay/v1/status", 501),
    ("POST", "/relay/v1/status", 405), ("DELETE", "/relay/v1/queue", 405), ("GET", "/relay/v1/stop", 404),
    ("POST", f"/relay/v1/messages/{UNKNOWN}", 405), ("GET", f"/relay/v1/messages/{UNKNOWN}/retry", 404),
    ("DELETE", f"/relay/v1/messages/{UNKNOWN}/content", 405),
])
def test_a_wrong_method_changes_nothing(daemon, method, path, code):
    assert code_of(ask(daemon, get(path, method))) == code
    assert is_well(daemon)


@pytest.mark.parametrize("path", [
    "/relay/v1/../v1/status", "/relay/v1//status", "/relay/v1/./status", "/relay%2fv1/status",
    "//relay/v1/status", "/relay/v1/status/", "/relay/v1/status%00", "/relay/v1/messages/",
    "/relay/v1/messages/%2e%2e/status", "/relay/v1/messages/" + UNKNOWN + "%00",
    "/relay/v1/messages/" + "\u00e9" * 13, "/relay/v1/messages/?", "/relay/v1/messages/" + "U" * 13,
])
def test_path_tricks_lead_nowhere(daemon, path):
    assert code_of(ask(daemon, get(path))) in (400, 404)
    assert is_well(daemon)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=1x", "after=x",
                                   "after=" + "0" * 14, "limit=%31%00", "&&&", "=", "limit"])
def test_queries_are_checked(daemon, query):
    answer = ask(daemon, get(f"/relay/v1/queue?{query}"))
    assert code_of(answer) in (200, 400)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])
    assert is_well(daemon)


def test_a_filter_is_only_text(daemon):
    name = send(daemon)
    for text, found in (("%25s%25n", 0), ("B%40EXAMPLE", 1), ("%ff", 0), ("x" * 8000, 0), ("", 1)):
        answer = ask(daemon, get(f"/relay/v1/queue?filter={text}"))
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["messages"]) == found, text
    assert daemon.cli_json("show", name)["id"] == name


@pytest.mark.parametrize("data", [
    b"GET /relay/v1/status HTTP/1.1\r\nX-A: " + b"x" * 100_000 + b"\r\n\r\n",
    b"GET /relay/v1/status HTTP/1.1\r\n" + b"X-A: x\r\n" * 10_000 + b"\r\n",
    b"GET /relay/v1/" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"X" * 200_000,
], ids=["a long field", "many fields", "a long path", "no line"])
def test_huge_heads_are_cut_off(daemon, data):
    assert code_of(throw(daemon, data)) in (None, 400, 413)
    assert is_well(daemon)


def test_a_huge_body_is_cut_off(daemon):
    answer = throw(daemon, get("/relay/v1/stop", "POST", "Content-Length: 100000000\r\n") + b"x" * 2_000_000)
    assert code_of(answer) in (None, 400, 413)
    assert is_well(daemon)


@pytest.mark.memory
def test_many_refused_requests_leave_no_memory(daemon):
    """Each is more than a head may be; what they leave is compared after the first hundred."""
    head = b"GET /relay/v1/status HTTP/1.1\r\nX-A: " + b"x" * 1_000_000
    for _ in range(100):
        throw(daemon, head)
    before = daemon.anonymous_memory()
    for _ in range(300):
        throw(daemon, head)
    assert daemon.anonymous_memory() - before < GROWTH_MAX


@pytest.mark.threads
def test_pipelined_requests_are_answered_in_order(daemon):
    name = send(daemon)
    paths = ["/relay/v1/status", "/relay/v1/queue", f"/relay/v1/messages/{name}", "/relay/v1/nothing"] * 25
    with connect(daemon) as client:
        client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths))
        lines = client.makefile("rb")
        for path in paths:
            status = lines.readline()
            length = 0
            while (line := lines.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = json.loads(lines.read(length))
            assert status.startswith(b"HTTP/1.1 404" if path == "/relay/v1/nothing" else b"HTTP/1.1 200")
            assert {"/relay/v1/status": "mode", "/relay/v1/queue": "messages", "/relay/v1/nothing": "error"}.get(
                path, "id") in answer


@pytest.mark.threads
def test_a_slow_client_holds_nobody_up(daemon):
    with connect(daemon) as slow:
        slow.sendall(b"GET /relay/v1/sta")
        assert is_well(daemon)
        slow.sendall(b"tus HTTP/1.0\r\n\r\n")
        assert code_of(read_all(slow)) == 200


@pytest.mark.threads
def test_clients_that_go_away_are_forgotten(daemon):
    """With a question half asked, with the dispatcher asked, with a message half read."""
    name = send(daemon, "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 50_000)
    questions = [b"GET /relay/v1/status HTTP", get("/relay/v1/status"),
                 get(f"/relay/v1/messages/{name}/retry", "POST"),
                 get(f"/relay/v1/messages/{name}/content")]
    for _ in range(50):
        for question in questions:
            with connect(daemon) as client:
                client.sendall(question)
    with connect(daemon) as client:
        client.sendall(questions[-1])
        client.recv(1000)
    assert is_well(daemon)

    def sockets():
        fds = f"/proc/{daemon.process.pid}/fd"
        return sum(os.readlink(f"{fds}/{fd}").startswith("socket:") for fd in os.listdir(fds)
                   if os.path.lexists(f"{fds}/{fd}"))
    wait_until(lambda: sockets() < 20, "all of them closed")


@pytest.mark.memory
def test_a_reader_that_stalls_costs_no_memory(daemon):
    """Neither what it does not read nor what it sends meanwhile is kept."""
    size = 20_000_000
    name = send(daemon, "Subject: large\r\n\r\n" + ("x" * 998 + "\r\n") * (size // 1000))
    ask(daemon, get("/relay/v1/status"))
    before = daemon.anonymous_memory()
    clients = [connect(daemon) for _ in range(20)]
    for client in clients:
        client.sendall(get(f"/relay/v1/messages/{name}/content"))
        client.recv(10)
        client.setblocking(False)
        for _ in range(100):
            try:
                client.send(b"x" * 65536)
            except BlockingIOError:
                break
    assert is_well(daemon)
    assert daemon.anonymous_memory() - before < 20 * 512 + GROWTH_MAX
    clients[0].settimeout(TIMEOUT)
    assert len(read_all(clients[0])) > size
    for client in clients:
        client.close()
    assert is_well(daemon)


def test_a_message_that_is_removed_while_it_is_read_is_seen_as_cut(daemon):
    name = send(daemon, "Subject: large\r\n\r\n" + ("x" * 998 + "\r\n") * 20_000)
    with connect(daemon) as client:
        client.sendall(get(f"/relay/v1/messages/{name}/content"))
        head = client.recv(1000)
        daemon.cli("remove", name)
        wait_until(lambda: daemon.cli_json("status")["spool"]["messages"] == 0, "it is gone")
        rest = read_all(client)
    promised = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    assert promised > 20_000_000 > len(head) + len(rest)


def test_the_queue_comes_in_pages_that_fit(daemon):
    """A mail to many is no long answer: pages end after so many recipients."""
    many = [f"recipient{n}@example.org" for n in range(1000)]
    names = [send(daemon, recipients=many) for _ in range(25)]
    seen, after, pages = [], "", 0
    while after is not None:
        answer = ask(daemon, get(f"/relay/v1/queue?limit=1000{after and '&after=' + after}"))
        page = json.loads(answer.partition(b"\r\n\r\n")[2])
        seen += [message["id"] for message in page["messages"]]
        assert len(page["messages"]) <= 10
        after = page.get("next")
        pages += 1
    assert seen == names and pages >= 3
    assert [message["id"] for message in daemon.cli_json("queue")] == names


def test_everything_at_once_and_stopped_meanwhile(daemon):
    """Asking from many sides while it stops: it ends in order, whatever was on its way."""
    names = [send(daemon) for _ in range(20)]
    stop = threading.Event()

    def pester(n):
        while not stop.is_set():
            try:
                ask(daemon, get("/relay/v1/status"))
                ask(daemon, get(f"/relay/v1/messages/{names[n]}/" + ("hold", "retry")[n % 2], "POST"))
                ask(daemon, get(f"/relay/v1/messages/{names[n]}/content"))
            except (ConnectionRefusedError, FileNotFoundError):
                return
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        asked = [pool.submit(pester, n) for n in range(len(names))]
        for _ in range(20):
            assert is_well(daemon)
        daemon.stop()
        stop.set()
        for future in asked:
            future.result()
    assert not os.path.exists(daemon.control)
