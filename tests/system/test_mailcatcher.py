# SPDX-License-Identifier: ISC
"""The API of MailCatcher, as its clients (Codeception, Capybara) use it."""

import base64
import json

import pytest

from web import Web, deliver

PICTURE = b"\x89PNG\r\n\x1a\nnot really"
MIXED = ("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=bb\r\n", (
    "--bb\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain text\r\n"
    "--bb\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>bold</b><img src=\"cid:pic@x\">\r\n"
    "--bb\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Disposition: attachment; filename=p.png\r\n"
    f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(PICTURE).decode()}\r\n--bb--\r\n"))


@pytest.fixture
def daemon(catch):
    return catch()


@pytest.mark.threads
def test_the_list_is_the_oldest_first(daemon):
    web = Web(daemon)
    assert web.json("GET", "/messages") == []
    for i in range(250):
        deliver(daemon, f"number {i}", to=["bob@example.org", "eve@example.org"])
    messages = web.json("GET", "/messages")
    assert [message["id"] for message in messages] == list(range(1, 251))
    assert messages[7]["subject"] == "number 7" and messages[7]["sender"] == "<ann@example.com>"
    assert messages[7]["recipients"] == ["<bob@example.org>", "<eve@example.org>"]
    assert isinstance(messages[7]["size"], str) and int(messages[7]["size"]) > 50
    assert messages[7]["created_at"].endswith("+00:00")


def test_one_message(daemon):
    web = Web(daemon)
    deliver(daemon, "mixed", fields=MIXED[0], body=MIXED[1])
    message = web.json("GET", "/messages/1.json")
    assert message["formats"] == ["source", "html", "plain"] and message["type"] == "multipart/mixed"
    part, = message["attachments"]
    assert part == {"cid": "pic@x", "type": "image/png", "filename": "p.png", "size": len(PICTURE)}
    assert web.ask("GET", "/messages/1/parts/pic@x").body == PICTURE
    assert web.ask("GET", "/messages/1/parts/pic%40x").body == PICTURE
    assert web.ask("GET", "/messages/1.plain").body.strip() == b"plain text"
    html = web.ask("GET", "/messages/1.html")
    assert b"<b>bold</b>" in html.body and b"cid:" not in html.body
    assert "sandbox" in html.headers["Content-Security-Policy"]
    link = html.body.split(b'src="')[1].split(b'"')[0].decode()
    assert web.ask("GET", link).body == PICTURE
    source = web.ask("GET", "/messages/1.source")
    assert source.headers["Content-Type"].startswith("text/plain") and b"Subject: mixed" in source.body
    eml = web.ask("GET", "/messages/1.eml")
    assert eml.headers["Content-Type"] == "message/rfc822" and eml.body == source.body


@pytest.mark.parametrize("name", ["2.json", "0.json", "-1.json", "1", "1.", "1.exe", "x.json", "1x.json", "latest.json",
                                  "99999999999999999999.json", "1.json/parts", "1/parts/none", "%2e%2e/1.json"])
def test_what_is_not_there(daemon, name):
    deliver(daemon)
    assert Web(daemon).ask("GET", f"/messages/{name}").status == 404


def test_deleting(daemon):
    web = Web(daemon)
    for i in range(3):
        deliver(daemon, str(i))
    assert web.ask("DELETE", "/messages/2").status == 204
    assert web.ask("DELETE", "/messages/2").status == 404
    assert [message["id"] for message in web.json("GET", "/messages")] == [1, 3]
    assert web.ask("DELETE", "/messages").status == 204
    assert web.json("GET", "/messages") == []
    deliver(daemon)     # numbers are never given twice
    assert [message["id"] for message in web.json("GET", "/messages")] == [4]


def test_nobody_quits_the_daemon(daemon):
    assert Web(daemon).ask("DELETE", "/").status == 403
    assert Web(daemon).ask("GET", "/livez").status == 200


def test_events(daemon):
    web = Web(daemon)
    with web.socket("/messages") as events:
        deliver(daemon, "told")
        added = events.event("add", "type")["message"]
        assert added == web.json("GET", "/messages")[0] and added["subject"] == "told"
        web.ask("DELETE", "/messages/1")
        assert events.event("remove", "type") == {"type": "remove", "id": 1}
        web.ask("DELETE", "/messages")
        assert events.event("clear", "type") == {"type": "clear"}
        assert json.dumps(added)
