# SPDX-License-Identifier: ISC
"""Messages that come over HTTP, as Mailpit takes them."""

import base64
import email
import email.policy
import json

import pytest

from web import Web


@pytest.fixture
def daemon(catch):
    return catch()


def send(daemon, **message):
    return Web(daemon).ask("POST", "/api/v1/send", {"From": {"Email": "ann@example.com"}} | message)


def read(daemon, answer):
    assert answer.status == 200, answer
    raw = Web(daemon).ask("GET", f"/api/v1/message/{json.loads(answer.body)['ID']}/raw").body
    return email.message_from_bytes(raw, policy=email.policy.default)


@pytest.mark.threads
def test_what_is_sent_is_there_with_the_answer(daemon):
    picture = base64.b64encode(b"\x89PNG not really" * 20000).decode()
    answer = send(daemon, From={"Email": "ann@example.com", "Name": "Änn"}, To=[{"Email": "b@example.org", "Name": "B"}],
                  Cc=[{"Email": "c@example.org"}], Bcc=["d@example.org"], ReplyTo=[{"Email": "r@example.org"}],
                  Subject="Grüße", Text="plain\n.\ntext", HTML="<img src='cid:logo'>", Tags=["one", "two"],
                  Headers={"X-App": "yes"},
                  Attachments=[{"Content": "data:image/png;base64," + picture, "Filename": "p.png",
                                "ContentType": "image/png", "ContentID": "logo"},
                               {"Content": base64.b64encode(b"a,b\n").decode(), "Filename": "ä.csv"}])
    name = json.loads(answer.body)["ID"]
    message = Web(daemon).json("GET", f"/api/v1/message/{name}")
    assert message["Subject"] == "Grüße" and message["From"] == {"Name": "Änn", "Address": "ann@example.com"}
    assert [to["Address"] for to in message["Bcc"]] == ["d@example.org"]
    assert sorted(message["Tags"]) == ["one", "two"] and message["ReturnPath"] == "ann@example.com"
    assert [part["FileName"] for part in message["Inline"] + message["Attachments"]] == ["p.png", "ä.csv"]
    parsed = read(daemon, answer)
    assert parsed["X-App"] == "yes" and parsed["Bcc"] is None and parsed["Message-ID"] and parsed["Date"]
    assert parsed.get_body(("plain",)).get_content().splitlines() == ["plain", ".", "text"]


def test_keys_have_no_case(daemon):
    answer = Web(daemon).ask("POST", "/api/v1/send", {"from": {"email": "a@example.com"}, "TO": [{"EMAIL": "b@example.org"}],
                                                      "subject": "x", "text": "y"})
    assert read(daemon, answer)["To"] == "b@example.org"


@pytest.mark.parametrize("message, words", [
    ({"From": {}}, "Email is required"), ({"From": None}, "Email is required"),
    ({"From": {"Email": "no address"}}, "invalid From address"),
    ({"To": [{"Email": "nobody"}]}, "invalid To address"), ({"To": "b@example.org"}, "To: write a list"),
    ({"Cc": [{}]}, "invalid Cc address"), ({"Bcc": [1]}, "Bcc"), ({"Bcc": ["x\r\ny@example.org"]}, "invalid Bcc"),
    ({"ReplyTo": [{"Email": "<>"}]}, "invalid ReplyTo"), ({"Subject": 1}, "Subject: write a text"),
    ({"Attachments": [{"Content": "!!!", "Filename": "x"}]}, "base64 attachment"),
    ({"Headers": {"To": "x@example.org"}}, "To"), ({"Headers": {"Content-Type": "text/html"}}, "Content-Type"),
    ({"Headers": {"X-A\r\nBcc": "x"}}, "Headers"), ({"Headers": {"X-A": "x\r\nBcc: y@example.org"}}, "Headers"),
    ({"Headers": {"X A": "x"}}, "Headers"), ({"Headers": ["x"]}, "Headers"),
    ({"Subject": "x\r\nBcc: y@example.org"}, "Subject"), ({"Subject": "a\0b"}, "not JSON"),
    ({"From": {"Email": "a@example.com", "Name": "x\r\nBcc: y@example.org"}}, ""),
    ({"Tags": ["x\r\nBcc: y@example.org"]}, "")])
def test_what_is_wrong_is_said(daemon, message, words):
    answer = send(daemon, **({"To": [{"Email": "b@example.org"}]} | message))
    if answer.status == 200:    # taken without what would have become a line of its own
        assert words == "" and read(daemon, answer)["Bcc"] is None
        return
    assert answer.status == 400 and words in json.loads(answer.body)["Error"], answer


@pytest.mark.parametrize("body", ["", "{", "[]", "nonsense", '"text"', "null"])
def test_what_is_no_json_is_refused(daemon, body):
    answer = Web(daemon).ask("POST", "/api/v1/send", body, Content_Type="application/json")
    assert answer.status == 400
    assert Web(daemon).ids() == []


def test_what_is_too_large_is_refused(daemon):
    assert send(daemon, To=[{"Email": "b@example.org"}], Text="x" * (51 * 1024 * 1024)).status == 413
    assert Web(daemon).ids() == []


def test_nobody_else_sends_for_a_browser(daemon):
    body = json.dumps({"From": {"Email": "a@example.com"}})
    assert Web(daemon).ask("POST", "/api/v1/send", body, Origin="http://evil.example").status == 403
    assert Web(daemon).ids() == []
