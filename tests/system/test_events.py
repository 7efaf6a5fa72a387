# SPDX-License-Identifier: ISC
"""What is told of an inbox while it happens: over WebSocket, and as server-sent events."""

import pytest

from penstock import wait_until
from web import Web, deliver


@pytest.fixture
def daemon(catch):
    return catch()


@pytest.fixture(params=["socket", "stream"])
def listener(request, daemon):
    with getattr(Web(daemon), request.param)() as events:
        yield events


@pytest.mark.threads
def test_a_message_is_told_when_it_is_there(daemon, listener):
    deliver(daemon, "first")
    event = listener.event("new")
    assert event["Data"]["Subject"] == "first" and event["Data"]["To"][0]["Address"] == "bob@example.org"
    assert event["Data"]["Read"] is False and event["Data"]["Snippet"] == "text"
    stats = listener.event("stats")["Data"]
    assert (stats["Total"], stats["Unread"]) == (1, 1) and stats["Version"]
    assert Web(daemon).ids() == [event["Data"]["ID"]]


def test_changes_are_told(daemon, listener):
    web = Web(daemon)
    deliver(daemon, "one")
    deliver(daemon, "two")
    name, other = listener.event("new")["Data"]["ID"], listener.event("new")["Data"]["ID"]
    web.ask("PUT", "/api/v1/messages", {"IDs": [name], "Read": True})
    assert listener.event("update")["Data"] == {"ID": name, "Read": True}
    web.ask("PUT", "/api/v1/tags", {"IDs": [name], "Tags": ["a", "b"]})
    assert listener.event("update")["Data"] == {"ID": name, "Tags": ["a", "b"]}
    web.json("GET", f"/api/v1/message/{other}")     # reading marks it
    assert listener.event("update")["Data"] == {"ID": other, "Read": True}
    web.ask("DELETE", "/api/v1/messages", {"ids": [name]})
    assert listener.event("delete")["Data"] == {"ID": name}
    web.ask("DELETE", "/api/v1/messages")
    assert listener.event("truncate")["Data"] is None
    wait_until(lambda: listener.event("stats")["Data"]["Total"] == 0, "the counts are told")


def test_a_refusal_is_told(daemon, listener):
    with daemon.smtp() as client:
        client.docmd("MAIL FROM:<a@example.com> NONSENSE=1")
    error = listener.event("error")["Data"]
    assert error["IP"] == "127.0.0.1" and error["Message"].startswith("5")


def test_retention_is_told(start):
    daemon = start(extra='inbox "default" { keep = 2 }\nroute "r" { via = { "inbox" } }\n'
                         'http { listen = { "127.0.0.1:0" } }\n')
    web = Web(daemon)
    with web.socket() as events:
        for subject in "one", "two", "three":
            deliver(daemon, subject)
        events.event("prune")
        assert len(web.ids()) == 2


def test_a_burst_is_told_as_one(daemon):
    with Web(daemon).socket() as events:
        with daemon.smtp() as client:
            for i in range(400):
                client.sendmail("a@example.com", ["b@example.org"], f"Subject: {i}\r\n\r\nx\r\n")
        kinds = []
        while True:
            event = events.next_event()
            kinds.append(event["Type"])
            if event["Type"] == "stats" and event["Data"]["Total"] == 400:
                break
        # All of them one by one, or less and a word that the list has to be read again.
        assert kinds.count("new") == 400 or "prune" in kinds


# ---- the WebSocket -----------------------------------------------------------------------


def test_pings_are_answered_and_the_end_is_agreed_on(daemon):
    with Web(daemon).socket() as events:
        events.send(9, b"are you there")
        assert events.frame() == (10, b"are you there")
        events.send(1, b"what nobody needs")
        events.send(8)
        assert events.frame() == (8, b"\x03\xe8")
        assert events.frame() is None


@pytest.mark.parametrize("first, payload, code", [
    (0x01, b"half a text", 1003), (0x80, b"the rest of one", 1003), (0x81, b"x" * 5000, 1009),
    (0x89, b"x" * 126, 1002), (0x83, b"", 1002), (0xc1, b"", 1002)])
def test_frames_that_may_not_be_end_it(daemon, first, payload, code):
    with Web(daemon).socket() as events:
        events.send(None, payload, first=first)
        assert events.frame() == (8, code.to_bytes(2, "big"))
        assert events.frame() is None
    assert Web(daemon).ask("GET", "/livez").status == 200


@pytest.mark.parametrize("headers, status", [
    ({"Sec_WebSocket_Version": "8"}, 426), ({"Sec_WebSocket_Key": "short"}, 400),
    ({"Sec_WebSocket_Key": None}, 400), ({"Upgrade": None}, 400), ({"Connection": "close"}, 400),
    ({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403)])
def test_handshakes_that_are_refused(daemon, headers, status):
    for path in "/api/events", "/%61pi/events", "/messages":
        if path == "/messages" and {"Upgrade", "Connection"} & set(headers):
            continue    # then it is a request for the list
        with Web(daemon).socket(path, **headers) as events:
            assert events.status == status, (path, events.head)


def test_who_does_not_listen_is_dropped(daemon):
    web = Web(daemon)
    deliver(daemon)
    name = web.ids()[0]
    tags = [f"{i} {'z' * 90}" for i in range(20)]
    with web.socket() as deaf, web.socket() as other:
        def is_dropped():
            for read in True, False:
                web.ask("PUT", "/api/v1/tags", {"IDs": [name], "Tags": tags if read else tags[:19]})
                other.event("update")
            # Its receive buffer is full long before; the end is behind that.
            return b" 01 " not in established(deaf)
        wait_until(is_dropped, "the deaf one is dropped", 120)
    assert daemon.anonymous_memory() < 64 * 1024 * 1024


def established(client):
    """The line of its peer's socket in the kernel's table; it goes when the daemon closes it."""
    ours = client.connection.getsockname()[1]
    with open("/proc/net/tcp", "rb") as table:
        for line in table:
            fields = line.split()
            if len(fields) > 3 and fields[2].endswith(b":%04X" % ours):
                return b" " + fields[3] + b" "
    return b""


def test_they_are_bounded_in_number(daemon):
    web = Web(daemon)
    open_ones = [web.socket() for _ in range(200)]
    with web.socket() as one_more:
        assert one_more.status == 503
    open_ones.pop().connection.close()

    def there_is_room():
        with web.socket() as again:
            return again.status == 101
    wait_until(there_is_room, "room again")
    for one in open_ones:
        one.connection.close()


def test_a_stop_says_good_bye(catch):
    daemon = catch()
    with Web(daemon).socket() as events, Web(daemon).stream() as stream:
        daemon.stop()
        assert events.frame() == (8, b"\x03\xe9")
        assert events.frame() is None
        assert stream.file.read().endswith(b"retry: 2000\n\n")
