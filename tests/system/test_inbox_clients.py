# SPDX-License-Identifier: ISC
"""The inbox by the clients that others wrote for Mailpit and MailHog; tests/clients/ drives them."""

import base64
import json
import os
import subprocess

from web import Web, deliver

CLIENTS = os.path.join(os.environ["TOP_SRCDIR"], "tests/clients")


def drive(script, daemon):
    """What the script says, parsed."""
    run = subprocess.run(["node", os.path.join(CLIENTS, script), os.environ["CLIENTS"], str(daemon.http_port)],
                         capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_mailpit_api(catch):
    daemon = catch("--chaos")
    said = drive("mailpit.mjs", daemon)
    name = said["sent"]["ID"]
    assert said["awaited"]["ID"] == name and said["awaited"]["Subject"] == "awaited"
    assert said["list"]["messages"][0]["ID"] == name and said["list"]["messages"][0]["Tags"] == ["one"]
    assert said["found"]["messages_count"] in (0, 1)
    assert said["message"]["Text"].strip() == "plain" and said["message"]["Inline"][0]["FileName"] == "p.png"
    assert said["headers"]["Subject"] == ["awaited"] and "Subject: awaited" in said["source"]
    assert said["picture"] == "picture" and "rich" in said["html"] and said["text"].strip() == "plain"
    for word in "unread", "tagged", "renamed", "dropped", "deletedBySearch", "deleted", "emptied":
        assert said[word] == "ok", (word, said[word])
    assert sorted(said["tags"]) == ["three", "two"] and said["tagsThen"] == ["four"]
    assert said["info"]["Messages"] == 1 and said["info"]["Tags"] == {"four": 1}
    assert said["configuration"]["MessageRelay"]["Enabled"] is False
    assert said["chaos"]["Sender"] == {"ErrorCode": 451, "Probability": 0} == said["chaosThen"]["Sender"]
    assert "400" in said["released"] and "400" in said["htmlCheck"] and "404" in said["gone"]
    assert (said["left"], said["none"]) == (1, 0)


def test_mailhog(catch, sink):
    daemon = catch("--relay", f"smtp+notls://127.0.0.1:{sink.port}")
    deliver(daemon, "=?utf-8?q?gr=C3=BC=C3=9Fe?=", fields=(
        "Date: Sun, 22 Nov 2026 01:02:03 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n"),
        body=("--m\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
              "gr=C3=BC=C3=9Fe\r\n--m\r\nContent-Type: text/html; charset=utf-8\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode("<b>ü</b>".encode()).decode() +
              "\r\n--m\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\nYSxiCg==\r\n--m--\r\n"))
    deliver(daemon, "other", to=["eve@example.org"], body="needle\r\n")
    said = drive("mailhog.cjs", daemon)
    assert said["subject"] == "grüße" and said["text"].strip() == "grüße" and said["html"] == "<b>ü</b>"
    assert said["from"] == "<ann@example.com>" and said["to"] == "bob@example.org"
    assert said["date"] == "2026-11-22T01:02:03.000Z"
    attachment, = said["attachments"]
    assert attachment == {"name": "a.csv", "type": "text/csv; name=a.csv", "encoding": "base64", "Body": "YSxiCg=="}
    assert said["messages"] == {"total": 2, "count": 2, "start": 0, "subjects": ["other", "grüße"]}
    assert (said["search"], said["containing"]) == (2, "other") and not said["nothing"]
    assert (said["released"], said["deleted"], said["left"], said["emptied"], said["none"]) == (200, 200, 1, 200, 0)
    sink.wait(lambda: sink.messages, "what was released")
    assert sink.messages[0].recipients == ["x@example.net"]


def test_the_calls_of_cypress_mailpit(catch):
    """Its commands are these requests, and take status 200 alone."""
    daemon = catch()
    web = Web(daemon)
    sent = web.json("POST", "/api/v1/send", {"From": {"Email": "a@example.com", "Name": "A"}, "To": [{"Email": "b@example.org"}],
                                             "Subject": "x", "Text": "text", "HTML": "<p>html</p>"})
    name = sent["ID"]
    assert web.json("GET", "/api/v1/messages?start=0&limit=50")["messages"][0]["ID"] == name
    assert web.json("GET", "/api/v1/search?query=subject:x&start=0&limit=50")["messages_count"] == 1
    assert web.json("GET", "/api/v1/message/latest")["ID"] == name
    assert web.ask("GET", f"/view/{name}.html").body == b"<p>html</p>"
    assert web.ask("GET", f"/view/{name}.txt").body.strip() == b"text"
    for method, path, body in [("PUT", "/api/v1/messages", {"IDs": [name], "Read": True}),
                               ("PUT", "/api/v1/messages", {"Read": False}),
                               ("DELETE", "/api/v1/search?query=nothing", None),
                               ("DELETE", "/api/v1/messages", {"IDs": [name]}), ("DELETE", "/api/v1/messages", None)]:
        answer = web.ask(method, path, body)
        assert (answer.status, answer.body) == (200, b"ok"), (method, path)
