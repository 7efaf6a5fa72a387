# SPDX-License-Identifier: ISC
"""Mailpit's API v1 as its clients know it: every path, field and quirk."""

import email.message
import hashlib
import http.client
import json
import re
import socket
import threading
import urllib.parse

import pytest

from penstock import wait_until


class Api:
    def __init__(self, daemon, prefix=""):
        self.daemon, self.prefix = daemon, prefix

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.http_port, timeout=30)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, f"{self.prefix}/{path}", body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def get(self, path):
        status, headers, data = self.ask("GET", path)
        assert status == 200, (path, status, data)
        assert headers["Content-Type"] == "application/json"
        return json.loads(data)

    def text(self, path, method="GET", body=None):
        status, _, data = self.ask(method, path, body)
        return status, data.decode()

    def ok(self, method, path, body=None):
        status, headers, data = self.ask(method, path, body)
        assert (status, data) == (200, b"ok"), (path, status, data)
        assert headers["Content-Type"] == "text/plain"

    def ids(self, query=""):
        return [message["ID"] for message in self.get(f"api/v1/messages{query}")["messages"]]


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


def rich(subject="Hello", **fields):
    message = email.message.EmailMessage()
    message["From"] = "Ann <ann@example.com>"
    message["To"] = "Bob <bob@example.org>, carl@example.org"
    message["Cc"] = "dora@example.org"
    message["Reply-To"] = "reply@example.com"
    message["Subject"] = subject
    message["Message-ID"] = f"<{urllib.parse.quote(subject)}@example.com>"
    message["Date"] = "Fri, 20 Nov 2026 10:00:00 +0100"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("Your code is 482913.\nSee https://example.com/reset?x=1\n")
    message.add_alternative("<html><body><p>Hello <b>you</b></p><img src=\"cid:pic@1\"><IMG SRC='CID:pic@1'>"
                            "<a href=\"https://example.com\">x</a><img src=cid:other></body></html>", subtype="html")
    message.get_payload()[1].add_related(PICTURE, "image", "png", cid="<pic@1>", filename="dot.png", disposition="inline")
    message.add_attachment(b"a,b\r\n1,2\r\n", "text", "csv", filename="t\u00e4ble 1.csv")
    message.add_attachment(bytes(5000), "application", "octet-stream", filename="zero.bin")
    return message.as_bytes()


def plain(subject, body="hello\r\n"):
    return f"From: a@example.com\r\nTo: b@example.org\r\nSubject: {subject}\r\n\r\n{body}".encode()


def send(daemon, *letters, recipients=("bob@example.org", "carl@example.org", "dora@example.org", "eve@example.org")):
    with daemon.smtp() as client:
        for letter in letters:
            client.sendmail("bounce@example.com", recipients, letter)


@pytest.fixture
def api(catch):
    return Api(catch())


ADDRESS = {"Name": str, "Address": str}
SUMMARY = {"ID": str, "MessageID": str, "Read": bool, "From": ADDRESS, "To": [ADDRESS], "Cc": [ADDRESS],
           "Bcc": [ADDRESS], "ReplyTo": [ADDRESS], "Subject": str, "Created": str, "Username": str, "Tags": [str],
           "Size": int, "Attachments": int, "Snippet": str}
LIST = {"total": int, "unread": int, "count": int, "messages_count": int, "messages_unread": int, "start": int,
        "tags": [str], "messages": [SUMMARY]}
PART = {"PartID": str, "FileName": str, "ContentType": str, "ContentID": str, "Size": int,
        "Checksums": {"MD5": str, "SHA1": str, "SHA256": str}}
MESSAGE = {"ID": str, "MessageID": str, "From": ADDRESS, "To": [ADDRESS], "Cc": [ADDRESS], "Bcc": [ADDRESS],
           "ReplyTo": [ADDRESS], "ReturnPath": str, "Subject": str,
           "ListUnsubscribe": {"Header": str, "Links": [str], "Errors": str, "HeaderPost": str}, "Date": str,
           "Tags": [str], "Username": str, "Text": str, "HTML": str, "Size": int, "Inline": [PART], "Attachments": [PART]}
INFO = {"Version": str, "LatestVersion": str, "Database": str, "DatabaseSize": int, "Messages": int, "Unread": int,
        "Tags": dict, "RuntimeStats": {"Uptime": int, "Memory": int, "MessagesDeleted": int, "SMTPAccepted": int,
                                       "SMTPAcceptedSize": int, "SMTPRejected": int, "SMTPIgnored": int}}
WEBUI = {"Label": str, "MessageRelay": {"Enabled": bool, "SMTPServer": str, "ReturnPath": str, "AllowedRecipients": str,
                                        "BlockedRecipients": str, "OverrideFrom": str, "PreserveMessageIDs": bool},
         "SpamAssassin": bool, "ChaosEnabled": bool, "DuplicatesIgnored": bool, "HideDeleteAllButton": bool,
         "SMTP": {"Address": str, "Port": int}}


def check_shape(value, shape, where="it"):
    """Everything of the shape is there, and of its kind: lists are never null."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        for name, inner in shape.items():
            assert name in value, f"{where} has no {name}"
            check_shape(value[name], inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for item in value:
            check_shape(item, shape[0], f"{where}[]")
    else:
        assert type(value) is shape, f"{where} is {value!r}"


@pytest.mark.threads
@pytest.mark.parametrize("full", [False, True])
def test_shapes(api, full):
    if full:
        send(api.daemon, rich(X_Tags="one, two"), plain("second"), b"\r\nno header\r\n")
    for path, shape in [("api/v1/messages", LIST), ("api/v1/search?query=hello", LIST),
                        ("api/v1/search?query=is:nothing", LIST), ("api/v1/info", INFO),
                        ("api/v1/webui", WEBUI), ("api/v1/tags", [str]),
                        ("api/v1/inboxes", [{"Name": str, "Messages": int, "Unread": int}])]:
        check_shape(api.get(path), shape, path)
    for message in api.ids():
        check_shape(api.get(f"api/v1/message/{message}"), MESSAGE)
        check_shape(api.get(f"api/v1/message/{message}/dialogue"), {"Lines": [{"Time": str, "From": str, "Text": str}]})
        assert all(isinstance(value, list) for value in api.get(f"api/v1/message/{message}/headers").values())
    assert len(api.ids()) == (3 if full else 0)


def test_a_message(api):
    send(api.daemon, rich(X_Tags="one, two"))
    listed, = api.get("api/v1/messages")["messages"]
    assert listed["MessageID"] == "Hello@example.com"
    assert listed["From"] == {"Name": "Ann", "Address": "ann@example.com"}
    assert listed["To"] == [{"Name": "Bob", "Address": "bob@example.org"}, {"Name": "", "Address": "carl@example.org"}]
    assert listed["Bcc"] == [{"Name": "", "Address": "eve@example.org"}]        # named in no field
    assert listed["ReplyTo"] == [{"Name": "", "Address": "reply@example.com"}]
    assert listed["Attachments"] == 2 and listed["Tags"] == ["one", "two"] and listed["Read"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", listed["Created"])
    message = api.get(f"api/v1/message/{listed['ID']}")
    assert message["ReturnPath"] == "bounce@example.com"
    assert message["Date"] == "2026-11-20T10:00:00+01:00"
    assert "482913" in message["Text"] and "<b>you</b>" in message["HTML"]
    assert [part["FileName"] for part in message["Attachments"]] == ["t\u00e4ble 1.csv", "zero.bin"]
    inline, = message["Inline"]
    assert (inline["FileName"], inline["ContentID"], inline["ContentType"]) == ("dot.png", "pic@1", "image/png")
    assert inline["Size"] == len(PICTURE)
    assert inline["Checksums"]["SHA256"] == hashlib.sha256(PICTURE).hexdigest()
    headers = api.get(f"api/v1/message/{listed['ID']}/headers")
    assert headers["Message-Id"] == ["<Hello@example.com>"] and headers["X-Tags"] == ["one, two"]
    for part in [*message["Attachments"], inline]:
        status, answer, data = api.ask("GET", f"api/v1/message/{listed['ID']}/part/{part['PartID']}")
        assert status == 200 and len(data) == part["Size"]
        assert hashlib.md5(data).hexdigest() == part["Checksums"]["MD5"]
        assert answer["Content-Type"].partition(";")[0] == part["ContentType"]
        assert f'filename="{urllib.parse.quote(part["FileName"])}"' in answer["Content-Disposition"]
    status, answer, raw = api.ask("GET", f"api/v1/message/{listed['ID']}/raw")
    assert answer["Content-Type"] == "text/plain; charset=utf-8" and b"Subject: Hello\r\n" in raw
    assert "Content-Disposition" not in answer
    _, answer, _ = api.ask("GET", f"api/v1/message/{listed['ID']}/raw?dl=1")
    assert answer["Content-Disposition"] == f'attachment; filename="{listed["ID"]}.eml"'


def test_a_thumb_is_a_picture(api):
    send(api.daemon, rich())
    message = api.get("api/v1/message/latest")
    for part in [*message["Attachments"], *message["Inline"]]:
        status, headers, data = api.ask("GET", f"api/v1/message/latest/part/{part['PartID']}/thumb")
        assert status == 200 and headers["Content-Type"].startswith("image/") and data
    assert api.text("api/v1/message/latest/part/77/thumb")[0] == 400


def test_views(api):
    assert api.text("view/latest.html") == (404, "Message not found")
    assert api.text("view/latest.txt") == (404, "Message not found")
    send(api.daemon, rich())
    name, = api.ids()
    status, headers, html = api.ask("GET", f"view/{name}.html")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert html.count(f"/api/v1/message/{name}/part/1.2.2".encode()) == 2
    assert b"cid:other" in html and b"cid:pic" not in html.lower()
    _, _, html = api.ask("GET", f"view/{name}.html?embed=1")
    assert b'<a target="_blank" rel="noreferrer noopener" href=' in html
    for source in re.findall(rb'src=["\'](/api[^"\']*)', html.lower()):
        status, _, data = api.ask("GET", source.decode()[1:].replace(name.lower(), name))
        assert status == 200 and data == PICTURE
    assert "482913" in api.text(f"view/{name}.txt")[1]
    status, headers, _ = api.ask("GET", "view/latest")
    assert (status, headers["Location"]) == (302, f"/view/{name}")
    send(api.daemon, plain("text only"))
    assert api.text("view/latest.html") == (404, "This message does not contain a HTML part")
    assert api.text("view/latest.txt") == (200, "hello\r\n")
    _, headers, _ = api.ask("GET", "view/latest?query=subject:Hello")
    assert headers["Location"] == f"/view/{name}"
    _, headers, _ = api.ask("GET", "view/latest?query=subject:nothing")
    assert headers["Location"] == "/"


@pytest.mark.parametrize("count", [2, 1000000])
def test_names_of_parts_in_names_of_parts(api, count):
    send(api.daemon, b"Subject: nest\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
         b"--b\r\nContent-Type: text/html\r\n\r\n<p>" + b"cid:" * count + b"one cid:two>\r\n"
         b"--b\r\nContent-Type: image/png\r\nContent-ID: <one>\r\n\r\nx\r\n--b--\r\n")
    status, text = api.text("view/latest.html")
    assert status == 200
    assert "cid:" * (count - 1) in text and text.count("cid:") == count and " cid:two" in text
    assert "part/" in text


@pytest.mark.parametrize("path, marks", [
    ("api/v1/message/{}", True), ("view/{}.html", True), ("view/{}.txt", True), ("api/v1/message/{}/link-check", True),
    ("api/v1/message/latest", True), ("view/latest.txt", True),
    ("api/v1/message/{}/raw", False), ("api/v1/message/{}/headers", False), ("api/v1/message/{}/part/2", False),
    ("api/v1/message/{}/html-check", False), ("api/v1/message/{}/dialogue", False), ("api/v1/messages", False),
    ("api/v1/search?query=hello", False), ("view/latest", False),
])
def test_what_marks_as_read(api, path, marks):
    send(api.daemon, rich())
    name, = api.ids()
    api.ask("GET", path.format(name))
    assert api.get("api/v1/messages")["unread"] == (0 if marks else 1)
    assert api.get("api/v1/messages")["messages"][0]["Read"] is marks


def test_pages(api):
    send(api.daemon, *[plain(f"n{i}") for i in range(120)])
    everything = api.ids("?limit=0")
    assert len(everything) == 120 and len(set(everything)) == 120
    assert api.get(f"api/v1/message/{everything[0]}")["Subject"] == "n119"
    for query, expected in [("", everything[:50]), ("?limit=3", everything[:3]), ("?start=117", everything[117:]),
                            ("?start=10&limit=2", everything[10:12]), ("?start=120", []), ("?start=500&limit=5", []),
                            ("?limit=x", everything[:50]), ("?limit=-1", everything[:50]), ("?start=-1&limit=1", everything[:1]),
                            ("?limit=1000", everything), ("?limit=99999999999999999999", everything[:50])]:
        answer = api.get(f"api/v1/messages{query}")
        assert [message["ID"] for message in answer["messages"]] == expected, query
        assert answer["count"] == len(expected) and answer["total"] == answer["messages_count"] == 120
    assert api.get("api/v1/messages?start=7")["start"] == 7
    found = api.get("api/v1/search?query=subject:n11&start=1&limit=2")
    assert [message["Subject"] for message in found["messages"]] == ["n118", "n117"]
    assert (found["count"], found["messages_count"], found["messages_unread"], found["start"]) == (2, 11, 10, 1)      # one was read
    assert api.get("api/v1/search?query=subject:n11&limit=0")["messages"] == []      # as Mailpit


def test_a_long_list_is_whole(api):
    send(api.daemon, *[plain(f"n{i}") for i in range(400)])
    for path in "api/v1/messages?limit=0", "api/v1/messages?limit=300", "api/v1/search?query=hello&limit=400":
        answer = api.get(path)
        check_shape(answer, LIST)
        assert answer["count"] == len(answer["messages"]) >= 300


def test_a_list_whose_rest_is_deleted_meanwhile_ends(api):
    to = ", ".join(f"somebody-of-a-long-name-{i}@example.org" for i in range(600))
    send(api.daemon, *[plain(f"n{i}").replace(b"\r\n\r\n", f"\r\nCc: {to}\r\n\r\n".encode(), 1) for i in range(450)])
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", api.daemon.http_port))
        client.sendall(f"GET {api.prefix}/api/v1/messages?limit=0&before=2222-01-01 HTTP/1.0\r\n"
                       "Host: localhost\r\n\r\n".encode())
        answer = client.recv(4096)
        api.ok("DELETE", "api/v1/messages")
        answer += b"".join(iter(lambda: client.recv(65536), b""))
    listed = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    # How much had left when the rest went is the kernel's: what counts is that the answer ends, whole.
    assert 0 < listed["count"] == len(listed["messages"]) <= 450


def test_before(api):
    send(api.daemon, plain("one"))
    first = api.get("api/v1/messages")["messages"][0]

    def another():      # in a millisecond of its own
        api.ok("DELETE", "api/v1/search?query=subject:two")
        send(api.daemon, plain("two"))
        return api.get("api/v1/messages")["messages"][0]

    second = wait_until(lambda: (found := another())["Created"][:23] > first["Created"][:23] and found, "later")
    assert api.ids("?before=" + second["Created"]) == [first["ID"]]
    assert api.ids("?before=1999-01-01") == []
    assert len(api.ids("?before=nonsense")) == 2        # passed over, as Mailpit does
    found = api.get(f"api/v1/search?query=hello&before={second['Created']}")
    assert [message["ID"] for message in found["messages"]] == [first["ID"]]


def test_latest(api):
    for path in "api/v1/message/latest", "api/v1/message/latest/raw", "api/v1/message/latest/headers":
        assert api.text(path) == (404, "Message not found")
    send(api.daemon, plain("one"), plain("two"))
    assert api.get("api/v1/message/latest")["Subject"] == "two"
    assert api.get("api/v1/message/latest?query=subject:one")["Subject"] == "one"
    assert api.text("api/v1/message/latest?query=subject:three") == (404, "Message not found")
    assert api.get("api/v1/message/latest/headers?query=subject:one")["Subject"] == ["one"]


@pytest.mark.parametrize("method, path, body, status, text", [
    ("GET", "api/v1/message/unknown", None, 404, "404 page not found"),
    ("GET", "api/v1/message/0123456789ABC", None, 404, "404 page not found"),
    ("GET", "api/v1/message/0123456789ABC/raw", None, 404, "404 page not found"),
    ("GET", "api/v1/message/0123456789ABC/headers", None, 404, "404 page not found"),
    ("GET", "api/v1/message/latest/part/9", None, 404, "404 page not found"),
    ("GET", "view/0123456789ABC.html", None, 404, "Message not found"),
    ("GET", "view/0123456789ABC.txt", None, 404, "Message not found"),
    ("GET", "api/v1/search", None, 400, "Error: no search query"),
    ("GET", "api/v1/search?query=%20", None, 400, "Error: no search query"),
    ("DELETE", "api/v1/search", None, 400, "Error: no search query"),
    ("DELETE", "api/v1/search?query=", None, 400, "Error: no search query"),
    ("DELETE", "api/v1/search?query=before:yesteday", None, 400, "Error: the search asks for nothing, and would find every message"),
    ("DELETE", "api/v1/search?query=subject:", None, 400, "Error: the search asks for nothing, and would find every message"),
    ("PUT", "api/v1/messages", {"IDs": ["x"], "Search": "y"}, 400,
     "You may specify either IDs or a search query, not both"),
    ("PUT", "api/v1/messages", None, 400, "EOF"),
    ("PUT", "api/v1/tags", None, 400, "EOF"),
    ("PUT", "api/v1/tags/none", {"Name": "x"}, 400, "tag not found: none"),
    ("PUT", "api/v1/tags/none", {"Name": "***"}, 400, "invalid tag name: ***"),
    ("DELETE", "api/v1/tags/none", None, 400, "tag not found: none"),
    ("GET", "api/v1/message/latest/html-check", None, 400, "message does not contain HTML"),
    ("GET", "api/v1/message/latest/sa-check", None, 404, "404 page not found"),
    ("GET", "api/v1/nothing", None, 404, "404 page not found"),
    ("POST", "api/v1/messages", None, 405, "Method Not Allowed\n"),
    ("GET", "inbox/none/api/v1/messages", None, 404, "404 page not found"),
])
def test_errors(api, method, path, body, status, text):
    send(api.daemon, plain("one"))
    assert api.text(path, method, body) == (status, text)
    assert len(api.ids()) == 1


def test_read_marks(api):
    send(api.daemon, plain("one"), plain("two"), plain("three"))
    three, two, one = api.ids()

    def unread():
        return [message["ID"] for message in api.get("api/v1/messages")["messages"] if not message["Read"]]

    api.ok("PUT", "api/v1/messages", {"IDs": [one, "unknown", "0123456789ABC"], "Read": True})
    assert unread() == [three, two]
    api.ok("PUT", "api/v1/messages", {"Search": "subject:two", "Read": True})
    assert unread() == [three]
    api.ok("PUT", "api/v1/messages", {"Read": True})
    assert unread() == []
    api.ok("PUT", "api/v1/messages", {"ids": [two], "read": False})      # whatever the case of keys
    assert unread() == [two]
    api.ok("PUT", "api/v1/messages", {})
    assert unread() == [three, two, one]
    api.ok("PUT", "api/v1/messages", {"IDs": ["unknown"], "Read": True})
    assert unread() == [three, two, one]
    api.ok("PUT", "api/v1/messages", {"Search": "subject:none", "Read": True})
    assert unread() == [three, two, one]
    assert api.get("api/v1/search?query=is:unread")["messages_count"] == 3


@pytest.mark.parametrize("body, left", [
    (None, 0), ("", 0), ("  \r\n", 0), ({}, 0), ({"IDs": []}, 0), ({"IDs": None}, 0), ({"Other": ["x"]}, 0),
    ({"IDs": ["ONE"]}, 2), ({"ids": ["ONE"]}, 2), ({"iDs": ["ONE", "TWO"]}, 1), ({"IDs": ["unknown"]}, 3),
    ({"IDs": ["ONE", "ONE", "unknown", "0123456789ABC"]}, 2),
])
def test_deleting(api, body, left):
    send(api.daemon, plain("one"), plain("two"), plain("three"))
    _, two, one = api.ids()
    text = json.dumps(body).replace("ONE", one).replace("TWO", two) if isinstance(body, dict) else body
    api.ok("DELETE", "api/v1/messages", text)
    assert len(api.ids()) == left
    assert api.get("api/v1/info")["RuntimeStats"]["MessagesDeleted"] == 3 - left


def test_deleting_what_is_found(api):
    send(api.daemon, plain("one"), plain("two"), plain("three"))
    api.ok("DELETE", "api/v1/search?query=subject:t")
    assert [message["Subject"] for message in api.get("api/v1/messages")["messages"]] == ["one"]
    api.ok("DELETE", "api/v1/search?query=subject:t")


def test_tags(api):
    send(api.daemon, plain("one"), plain("two"))
    two, one = api.ids()
    assert api.get("api/v1/tags") == []
    api.ok("PUT", "api/v1/tags", {"IDs": [one, two], "Tags": ["Red", "red", " b  c ", ""]})
    assert api.get("api/v1/tags") == ["Red", "b c"]
    api.ok("PUT", "api/v1/tags", {"ids": [one], "tags": ["RED", "new"]})
    assert api.get("api/v1/tags") == ["Red", "b c", "new"]      # as it is in use
    assert api.get(f"api/v1/message/{one}")["Tags"] == ["Red", "new"]
    assert api.get("api/v1/search?query=tag:new")["messages_count"] == 1
    assert api.get("api/v1/info")["Tags"] == {"Red": 2, "b c": 1, "new": 1}
    api.ok("PUT", "api/v1/tags/new", {"Name": "newer"})
    api.ok("PUT", "api/v1/tags/b%20c", {"name": "d"})
    assert api.get("api/v1/tags") == ["Red", "d", "newer"]
    assert api.text("api/v1/tags/d", "PUT", {"Name": "red"}) == (400, "tag already exists: red")
    api.ok("DELETE", "api/v1/tags/Red")
    assert api.get("api/v1/tags") == ["d", "newer"]
    api.ok("PUT", "api/v1/tags", {"IDs": [one, two], "Tags": []})
    assert api.get("api/v1/tags") == []
    api.ok("PUT", "api/v1/tags", {"IDs": [], "Tags": ["x"]})
    assert api.get("api/v1/tags") == []


def test_methods_without_a_body(api):
    send(api.daemon, plain("one"))
    for path in "api/v1/messages", "api/v1/message/latest", "api/v1/message/latest/raw", "livez", "api/v1/info":
        length = api.ask("GET", path)[1]["Content-Length"]
        status, headers, data = api.ask("HEAD", path)
        assert status == 200 and data == b""
        if path != "api/v1/info":
            assert headers["Content-Length"] == length, path
    for path in "api/v1/messages", "api/v1/anything", "api/v1/":
        status, _, data = api.ask("OPTIONS", path)
        assert status == 200 and data == b""
    assert api.ask("GET", "livez")[::2] == (200, b"") and api.ask("GET", "readyz")[::2] == (200, b"")


def test_what_was_accepted_is_seen(api):
    """When the client has its 250, every call sees the message."""
    errors = []

    def client(number):
        with api.daemon.smtp() as session:
            for i in range(20):
                subject = f"c{number}x{i}y"
                session.sendmail("a@example.com", ["b@example.org"], plain(subject))
                if api.get(f"api/v1/search?query=subject:{subject}")["messages_count"] != 1:
                    errors.append(subject)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert api.get("api/v1/messages")["total"] == 80


def test_a_connection_is_kept(api):
    send(api.daemon, rich())
    connection = http.client.HTTPConnection("127.0.0.1", api.daemon.http_port, timeout=30)
    connection.connect()
    socket = connection.sock
    for path in ["api/v1/messages", "api/v1/message/latest", "api/v1/message/latest/part/2", "api/v1/message/latest/raw",
                 "view/latest.html", "nothing", "livez"] * 3:
        connection.request("GET", f"/{path}")
        connection.getresponse().read()
        assert connection.sock is socket, path
    connection.close()


def test_inboxes_of_their_own(start, tmp_path):
    daemon = start(config=(f'spool {{ path = "{tmp_path}/spool" }}\ncontrol {{ socket = "{tmp_path}/control.sock" }}\n'
                           'listen "127.0.0.1:0" { }\nhttp { listen = { "127.0.0.1:0" } }\ninbox "shop" { }\n'
                           'provider "shop" { url = "inbox:shop" }\n'
                           'route "shop" { recipient = { "*@shop.test" } via = { "shop" } }\n'
                           'route "rest" { via = { "inbox" } }\n'))
    send(daemon, plain("for the shop"), recipients=["x@shop.test"])
    send(daemon, plain("for all"), plain("another"), recipients=["y@example.org"])
    everything, shop = Api(daemon), Api(daemon, "/inbox/shop")
    assert len(everything.ids()) == 2 and len(Api(daemon, "/inbox/default").ids()) == 2
    name, = shop.ids()
    assert shop.get("api/v1/message/latest")["Subject"] == "for the shop"
    assert everything.text(f"api/v1/message/{name}")[0] == 404
    assert {(inbox["Name"], inbox["Messages"]) for inbox in everything.get("api/v1/inboxes")} == \
        {("default", 2), ("shop", 1)}
    shop.ok("DELETE", "api/v1/messages")
    assert shop.ids() == [] and len(everything.ids()) == 2


def test_the_document_describes_the_api(api):
    document = api.get("api/v1/swagger.json")
    assert document["swagger"] == "2.0" and "basePath" not in document
    send(api.daemon, rich())
    for path, methods in document["paths"].items():
        place = path[1:].replace("{ID}", "latest").replace("{PartID}", "2").replace("{Tag}", "x")
        if path in ("/api/events", "/api/v1/wait"):
            continue
        for method in methods:
            if method == "get":
                place += "?query=hello" if path == "/api/v1/search" else ""
                status, headers, _ = api.ask("GET", place)
                allowed = {int(code) for code in methods[method]["responses"]}
                assert status in allowed, (path, status)
        allow = api.ask("OPTIONS", place)[1]["Allow"]
        assert {word.strip().lower() for word in allow.split(",")} >= set(methods), path

    def references(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from [inner] if name == "$ref" else references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(document):
        _, kind, name = reference.split("/")
        assert name in document[kind]
    for shape, name in [(SUMMARY, "MessageSummary"), (LIST, "MessagesSummary"), (MESSAGE, "Message"), (PART, "Part"),
                        (INFO, "Information"), (WEBUI, "Configuration")]:
        assert shape.keys() <= document["definitions"][name]["properties"].keys()


def test_the_document_says_where_the_api_begins(catch):
    daemon = catch("--http-base-path", "/mail/")
    assert Api(daemon, "/mail").get("api/v1/swagger.json")["basePath"] == "/mail"
    assert Api(daemon, "/mail/inbox/default").get("api/v1/swagger.json")["basePath"] == "/mail/inbox/default"
