# SPDX-License-Identifier: ISC
"""The API of MailHog, as its clients (npm's mailhog, cypress-mailhog) use it."""

import base64

import pytest

from test_mailcatcher import MIXED, PICTURE
from web import Web, deliver


@pytest.fixture
def daemon(catch):
    return catch()


@pytest.mark.threads
def test_lists(daemon):
    web = Web(daemon)
    assert web.json("GET", "/api/v2/messages") == {"total": 0, "count": 0, "start": 0, "items": []}
    for i in range(260):
        deliver(daemon, f"number {i}")
    answer = web.json("GET", "/api/v2/messages")
    assert (answer["total"], answer["count"], answer["start"]) == (260, 50, 0)
    assert answer["items"][0]["Content"]["Headers"]["Subject"] == ["number 259"]
    assert web.json("GET", "/api/v2/messages?limit=1000")["count"] == 250
    answer = web.json("GET", "/api/v2/messages?start=258&limit=10")
    assert [item["Content"]["Headers"]["Subject"] for item in answer["items"]] == [["number 1"], ["number 0"]]
    assert (answer["total"], answer["count"], answer["start"]) == (260, 2, 258)


def test_one_message(daemon):
    web = Web(daemon)
    deliver(daemon, "mixed", to=["bob@example.org", "eve@example.org"], fields=MIXED[0], body=MIXED[1])
    message, = web.json("GET", "/api/v2/messages")["items"]
    assert message["From"] == {"Relays": None, "Mailbox": "ann", "Domain": "example.com", "Params": ""}
    assert [to["Mailbox"] for to in message["To"]] == ["bob", "eve"]
    assert message["Raw"]["From"] == "ann@example.com" and message["Raw"]["Helo"] == "client.test"
    assert message["Raw"]["Data"].endswith(message["Content"]["Body"]) and message["Content"]["MIME"] is None
    plain, html, picture = message["MIME"]["Parts"]
    assert plain["Body"] == "plain text" and "<b>bold</b>" in html["Body"]
    assert picture["Headers"]["Content-ID"] == ["<pic@x>"] and base64.b64decode(picture["Body"]) == PICTURE
    name = message["ID"]
    assert web.json("GET", f"/api/v1/messages/{name}") == message
    download = web.ask("GET", f"/api/v1/messages/{name}/download")
    assert download.headers["Content-Disposition"] == f'attachment; filename="{name}.eml"'
    assert download.body.decode() == message["Raw"]["Data"]
    part = web.ask("GET", f"/api/v1/messages/{name}/mime/part/2/download")
    assert part.body == PICTURE and part.headers["Content-Disposition"].startswith("attachment")
    assert web.ask("GET", f"/api/v1/messages/{name}/mime/part/3/download").status == 404
    assert web.ask("GET", "/api/v1/messages/0000000000000").status == 404


def test_search(daemon):
    web = Web(daemon)
    deliver(daemon, "one", sender="ann@example.com", to=["bob@example.org"])
    deliver(daemon, "two", sender="carl@example.net", to=["ann@example.com"], body="needle\r\n")

    def subjects(kind, query):
        answer = web.json("GET", f"/api/v2/search?kind={kind}&query={query}")
        assert answer["total"] == answer["count"] == len(answer["items"])
        return [item["Content"]["Headers"]["Subject"][0] for item in answer["items"]]
    assert subjects("from", "ann@example.com") == ["one"]
    assert subjects("to", "ann@example.com") == ["two"]
    assert subjects("containing", "needle") == ["two"]
    assert subjects("containing", "nothing") == []
    for query in "kind=from", "query=x", "kind=subject&query=x":
        assert web.ask("GET", f"/api/v2/search?{query}").status == 400


def test_deleting_and_what_is_not_there(daemon):
    web = Web(daemon)
    deliver(daemon)
    deliver(daemon)
    assert web.ask("DELETE", f"/api/v1/messages/{web.ids()[0]}").status == 200
    assert len(web.ids()) == 1
    assert web.ask("DELETE", "/api/v1/messages").status == 200
    assert web.ids() == []
    for method in "GET", "POST", "PUT", "DELETE":
        assert web.ask(method, "/api/v2/jim").status == 404
    assert web.json("GET", "/api/v2/outgoing-smtp") == {}


def test_events(daemon):
    web = Web(daemon)
    with web.stream("/api/v1/events") as events, web.socket("/api/v2/websocket") as socket:
        deliver(daemon, "told")
        message = events.next_event()
        assert message == web.json("GET", "/api/v2/messages")["items"][0] == socket.next_event()


def test_what_has_no_end_of_parts(daemon):
    web = Web(daemon)
    nested = "".join(f"--b{i}\r\nContent-Type: multipart/mixed; boundary=b{i + 1}\r\n\r\n" for i in range(100))
    deliver(daemon, "deep", fields="Content-Type: multipart/mixed; boundary=b0\r\n", body=nested)
    deliver(daemon, "many", fields="Content-Type: multipart/mixed; boundary=b\r\n", body="--b\r\n\r\nx\r\n" * 5000)
    many, deep = web.json("GET", "/api/v2/messages")["items"]
    assert len(many["MIME"]["Parts"]) == 200 and deep["MIME"]["Parts"]
