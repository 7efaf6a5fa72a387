# SPDX-License-Identifier: ISC
"""The web against the pages and programs of strangers: rebinding, cross-site requests, smuggling,
tricks with paths and headers, and clients that want too much."""

import base64
import concurrent.futures
import http.client
import json
import re
import socket
import ssl

import pytest

from penstock import wait_until

TIMEOUT = 20


def letter(subject="hello", body="hello\r\n", headers=""):
    return f"From: a@example.com\r\nTo: b@example.org\r\nSubject: {subject}\r\n{headers}\r\n{body}"


def send(daemon, text, sender="a@example.com", recipients=("b@example.org",)):
    with daemon.smtp() as client:
        client.sendmail(sender, recipients, text)


def connect(daemon, address="127.0.0.1"):
    client = socket.create_connection((address, daemon.http_port), timeout=TIMEOUT)
    return client


def read_all(client):
    data = b""
    try:
        while piece := client.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def throw(daemon, data):
    """All that comes back for data."""
    with connect(daemon) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass        # sent away in the middle
        return read_all(client)


def ask(daemon, path="/api/v1/messages", method="GET", host="localhost", headers="", body=b""):
    """(status, headers in lower case, body)"""
    lines = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n"
    if host is not None:
        lines += f"Host: {host.replace('PORT', str(daemon.http_port))}\r\n"
    if body:
        lines += f"Content-Length: {len(body)}\r\n"
    answer = throw(daemon, (lines + headers.replace("PORT", str(daemon.http_port)) + "\r\n").encode() + body)
    return parse(answer)


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), []).append(value.strip())
    assert lines[0].startswith("HTTP/1."), answer
    return int(lines[0].split(" ")[1]), fields, body


def count(daemon):
    return json.loads(ask(daemon)[2])["total"]


def is_well(daemon):
    return daemon.process.poll() is None and ask(daemon, "/livez")[0] == 200


PATHS = ["/", "/livez", "/readyz", "/api/v1/messages", "/api/v1/message/latest", "/view/latest.html",
         "/api/events", "/%61pi/events", "/api/%65vents", "/api/v1/info", "/metrics", "/nothing",
         "/inbox/default/api/v1/messages", "/relay/v1/status", "/api/v1/message/latest/raw"]


@pytest.mark.parametrize("host", ["evil.test", "evil.test:PORT", "localhost.evil.test", "127.0.0.1.evil.test:PORT"])
def test_a_rebound_name_is_refused_everywhere(catch, host):
    daemon = catch()
    send(daemon, letter())
    for path in PATHS:
        status, fields, body = ask(daemon, path, host=host)
        assert status == 403, path
        assert b"hello" not in body and "access-control-allow-origin" not in fields
    status, _, _ = ask(daemon, "/api/v1/messages", "DELETE", host=host)
    assert status == 403 and count(daemon) == 1


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:PORT", 200), ("127.0.0.1:PORT", 200), ("[::1]:PORT", 200), ("x.localhost", 200),
    ("mail.test", 403), (None, 400), ("", 400), ("a b", 400),
])
def test_hosts(catch, host, status):
    assert ask(catch(), host=host)[0] == status


def test_allowed_hosts(catch):
    daemon = catch("--http-allow-host", "mail.test", "--http-allow-host", "proxy.test")
    assert ask(daemon, host="MAIL.test")[0] == 200
    assert ask(daemon, host="proxy.test:99", headers="Origin: https://mail.test\r\n")[0] == 200
    assert ask(daemon, host="other.test")[0] == 403


@pytest.mark.parametrize("headers", ["Host: localhost\r\nHost: evil.test\r\n", "Host: evil.test\r\nHost: localhost\r\n"])
def test_two_hosts(catch, headers):
    assert ask(catch(), host=None, headers=headers)[0] == 400


def test_a_whole_url_is_looked_at(catch):
    daemon = catch()
    assert ask(daemon, "http://localhost/api/v1/messages")[0] == 200
    assert ask(daemon, "http://evil.test/api/v1/messages")[0] == 403
    assert ask(daemon, "http://localhost/api/v1/messages", host="evil.test")[0] == 403


ORIGINS = ["http://evil.test", "http://evil.test:PORT", "http://localhost:1", "https://localhost.evil.test:PORT",
           "http://localhost:PORT@evil.test", "null", "file://", "", "http://127.0.0.1:PORT", "http://LOCALHOST.:1",
           "http://loc\u00e4lhost:PORT"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_stranger_s_page_changes_nothing(catch, origin):
    """Requests that a browser sends without asking first: of a form, an image, a WebSocket."""
    daemon = catch()
    send(daemon, letter())
    host = "localhost:PORT"
    for method, path, kind, body in [
            ("POST", "/api/v1/messages", "text/plain", b'{"IDs":[]}'),
            ("DELETE", "/api/v1/messages", "text/plain", b""),
            ("DELETE", "/api/v1/search?query=hello", "text/plain", b""),
            ("PUT", "/api/v1/messages", "text/plain", b'{"Read":true}'),
            ("PUT", "/api/v1/tags/x", "application/x-www-form-urlencoded", b'{"Name":"y"}'),
            ("POST", "/api/v1/send", "multipart/form-data", b'{"From":{"Email":"a@b.c"},"To":[{"Email":"x@y.z"}]}'),
            ("GET", "/api/v1/message/latest", "text/plain", b"")]:
        status, fields, answer = ask(daemon, path, method, host,
                                     f"Origin: {origin}\r\nContent-Type: {kind}\r\n", body)
        assert status == 403, (method, path)
        assert "access-control-allow-origin" not in fields and b"hello" not in answer
    upgrade = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    for path in ["/api/events", "/%61pi/events", "/api/%65%76ents", "/inbox/default/api/events"]:
        status, _, _ = ask(daemon, path, host=host, headers=f"Origin: {origin}\r\n{upgrade}")
        assert status == 403, path
    assert count(daemon) == 1
    assert json.loads(ask(daemon)[2])["unread"] == 1


def test_its_own_page_may(catch):
    daemon = catch()
    for host in "localhost:PORT", "127.0.0.1:PORT":
        status, fields, _ = ask(daemon, host=host, headers=f"Origin: http://{host}\r\n")
        assert status == 200
        assert fields["access-control-allow-origin"] == [f"http://{host}".replace("PORT", str(daemon.http_port))]


def test_what_a_stranger_s_page_shows_in_place(catch):
    daemon = catch()
    send(daemon, letter())
    cross = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"
    assert ask(daemon, "/api/v1/message/latest", headers=cross)[0] == 403
    assert ask(daemon, "/api/v1/message/latest/raw?key=" + "0" * 32, headers=cross)[0] == 403
    assert ask(daemon, "/", headers="Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n")[0] == 200


def test_the_key_of_a_mail_s_pictures(catch):
    """Its page has no origin; with its key it may ask for its own parts, and nothing else."""
    daemon = catch()
    picture = ("--b\r\nContent-Type: text/html\r\n\r\n<img src='cid:x@y'>\r\n--b\r\nContent-Type: image/png\r\n"
               "Content-ID: <x@y>\r\nContent-Disposition: inline; filename=x.png\r\n\r\nabc\r\n--b--\r\n")
    for subject in "one", "two":
        send(daemon, letter(subject, picture, "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n"))
    urls = [re.search(rb"src='([^']*)'", ask(daemon, f"/view/latest.html?query=subject:{subject}")[2])[1].decode()
            for subject in ("one", "two")]
    path, key = urls[0].split("?")
    for stranger in ("Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"):
        status, fields, body = ask(daemon, urls[0], headers=stranger)
        assert (status, body) == (200, b"abc")
        assert fields["cross-origin-resource-policy"] == ["cross-origin"] and "access-control-allow-origin" not in fields
        for other in [urls[1].split("?")[0], path.replace("/part/2", "/raw"), path.replace("/part/2", ""),
                      "/api/v1/messages", "/api/v1/message/latest/part/2", "/view/latest.html", "/",
                      path.replace("/api/", "/api/v1/message/x/part/../../../../../api/")]:
            assert ask(daemon, f"{other}?{key}", headers=stranger)[0] == 403, other
        assert ask(daemon, f"{path}?{key[:-1]}", headers=stranger)[0] == 403
        assert ask(daemon, urls[0], "DELETE", headers=stranger)[0] == 403
    assert ask(daemon, urls[0], headers="Origin: http://evil.test\r\n")[0] == 403


def test_every_answer_guards(catch):
    daemon = catch()
    send(daemon, letter())
    for path in [*PATHS, "/api/v1/message/latest/part/1", "/view/latest.txt"]:
        status, fields, _ = ask(daemon, path)
        if status == 302:
            continue
        assert fields["x-content-type-options"] == ["nosniff"], path
        assert fields["referrer-policy"] == ["no-referrer"], path
        policy, = fields["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-eval" not in policy, path
        assert "frame-ancestors 'none'" in policy or "frame-ancestors 'self'" in policy, path


HOSTILE = ("<html><body><script>alert(1)</script><svg/onload=alert(2)><base href='http://evil.test/'>"
           "<meta http-equiv=refresh content='0;url=http://evil.test'><img src='http://evil.test/i.png'>"
           "<form action='/api/v1/messages'><a href='javascript:alert(3)'>x</a></body></html>\r\n")


def test_mail_s_html_has_no_rights(catch):
    daemon = catch()
    send(daemon, letter(body=HOSTILE, headers="Content-Type: text/html; charset=utf-7\r\n"))
    _, fields, body = ask(daemon, "/view/latest.html")
    policy, = fields["content-security-policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy and "allow-same-origin" not in policy and "script-src" not in policy
    assert "http:" not in policy and "form-action 'none'" in policy and "base-uri 'none'" in policy
    assert fields["content-type"] == ["text/html; charset=utf-8"]
    assert b"evil.test/i.png" in body
    _, fields, _ = ask(daemon, "/view/latest.html?remote=1")
    policy, = fields["content-security-policy"]
    assert re.search(r"img-src [^;]*https:", policy) and "sandbox" in policy and "script-src" not in policy


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml",
                                  "application/javascript", "application/pdf", "text/html\t;x", "TEXT/HTML",
                                  "x", "text/plain\r\n\tX: y", "application/x-shockwave-flash"])
def test_parts_are_not_pages(catch, kind):
    daemon = catch()
    send(daemon, letter(body="--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\n"
                             f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename=\"a.html\"\r\n\r\n"
                             "<script>alert(1)</script>\r\n--b--\r\n",
                        headers="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"))
    status, fields, _ = ask(daemon, "/api/v1/message/latest/part/2")
    assert status == 200
    assert fields["x-content-type-options"] == ["nosniff"]
    assert "sandbox" in fields["content-security-policy"][0]
    if fields["content-type"][0].partition(";")[0] != "text/plain":
        assert fields["content-disposition"][0].startswith("attachment;")


NAMES = ["../../etc/passwd", "/etc/passwd", 'a"b', "a\\b", "a;b", "%0d%0aX-Evil:1", "a" * 5000, "..", "\u00e4\u202e",
         "=?utf-8?q?a=0D=0AX-Evil:_1?=", "<script>", "C:\\x", "=?utf-8?q?=00nul?="]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("field", ["filename", "cid"])
def test_names_of_parts_stay_names(catch, name, field):
    daemon = catch()
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    head = (f'Content-Disposition: attachment; filename="{quoted}"\r\n' if field == "filename"
            else f"Content-ID: <{name}>\r\n")
    body = ("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: image/png\r\n"
            f"{head}\r\nabc\r\n--b--\r\n")
    send(daemon, letter(body=body, headers="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n")
         .encode("utf-8"))
    status, fields, content = ask(daemon, "/api/v1/message/latest/part/2")
    assert status == 200 and content == b"abc"
    assert "x-evil" not in fields
    disposition, = fields["content-disposition"]
    assert re.fullmatch(r'(?:inline|attachment); filename="[A-Za-z0-9._~%-]*"', disposition)


@pytest.mark.parametrize("path", [
    "/../etc/passwd", "/page/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page/%2e%2e%2fapi", "/page/..%5cx",
    "/inbox/../api/v1/messages", "/inbox/default/../../x", "/inbox/%2e%2e/api/v1/messages", "/api/v1/message/..",
    "/api/v1/message/../messages", "/api/v1/message/%2e%2e%2fx/raw", "/view/..%2f..%2fx.html", "/%00", "/a%00",
    "//evil.test/", "/\\evil.test", "/api/v1/message/latest/part/..", "/api/v1/message/latest/part/%2e%2e%2f1",
    "/api//v1/messages", "/API/v1/messages", "/api/v1/messages/", "/page/", "/" + "a/" * 100, "/" + "a" * 8000,
])
def test_path_tricks_lead_nowhere(catch, path):
    daemon = catch()
    send(daemon, letter())
    status, _, body = ask(daemon, path)
    assert status in (400, 403, 404), (status, body[:100])
    assert b"root:" not in body


@pytest.mark.parametrize("query", ["view/latest?query=%0d%0aX-Evil:1", "search?query=%0d%0aX-Evil:%201", "view/x%0d%0aX-Evil:1",
                                   "api/v1/message/latest/raw?dl=1%0d%0aX-Evil:1"])
def test_answers_have_no_lines_of_the_asker(catch, query):
    daemon = catch()
    send(daemon, letter())
    _, fields, _ = ask(daemon, "/" + query)
    assert "x-evil" not in fields


POST = "POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\n"
GET = "GET /livez HTTP/1.1\r\nHost: localhost\r\n"
HIDDEN = "DELETE /api/v1/messages HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.threads
@pytest.mark.parametrize("data", [
    f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    f"{POST}Transfer-Encoding: gzip, chunked\r\nContent-Length: 0\r\n\r\n{HIDDEN}",
    f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    f"{POST}Transfer-Encoding: xchunked\r\n\r\n{HIDDEN}",
    f"{POST}Transfer-Encoding:\x0bchunked\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length: 0\r\nContent-Length: 50\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length: 0, 50\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length: +0\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length: 0x10\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length: -1\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length : 50\r\n\r\n{HIDDEN}",
    f"{POST}Content-Length:\r\n\r\n{HIDDEN}",
    f"HEAD /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    f"HEAD /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{HIDDEN}",
    f"{GET}X: y\r\n folded: z\r\nTransfer-Encoding\r\n: chunked\r\n\r\n{HIDDEN}",
    f"{GET}: empty\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    f"{GET}Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
], ids=range(17))
def test_no_request_hides_in_another(catch, data):
    """Where a proxy in front could see another end of a body, the connection ends with a refusal."""
    daemon = catch()
    send(daemon, letter())
    answer = throw(daemon, data.encode("latin-1"))
    assert answer == b"" or answer.count(b"HTTP/1.") == 1, answer
    if data.startswith(POST):
        assert answer == b"" or parse(answer)[0] in (400, 405, 413), answer
    assert count(daemon) == 1
    assert is_well(daemon)


def test_a_body_that_is_no_json_deletes_nothing(catch):
    daemon = catch()
    send(daemon, letter())
    for body in [b"x", b"{", b'{"IDs":', b'{"IDs":"all"}', b'{"IDs":[1]}', b'{"IDs":{}}', b"[]", b'"x"', b"1", b"null",
                 b"\xff", b'{"IDs":[]} x', b"IDs=", b"<x/>", b'{"IDs":[null]}', b"{'IDs':[]}"]:
        status, _, _ = ask(daemon, "/api/v1/messages", "DELETE", body=body)
        assert status == 400, body
    assert count(daemon) == 1


def test_body_bombs(catch):
    daemon = catch()
    many = b'{"IDs":[' + b'"a",' * 1_200_000 + b'"a"]}'
    deep = b"[" * 400_000
    assert ask(daemon, "/api/v1/messages", "DELETE", body=many)[0] == 400
    assert ask(daemon, "/api/v1/messages", "DELETE", body=deep)[0] == 400
    assert ask(daemon, "/api/v1/messages", "DELETE", body=b'{"IDs":["' + b"a" * 5_300_000 + b'"]}')[0] == 413
    assert ask(daemon, "/api/v1/messages", "PUT", headers="Content-Length: 999999999999\r\n")[0] == 413
    assert ask(daemon, headers="X: " + "y" * 20000 + "\r\n")[0] == 400
    assert is_well(daemon)


@pytest.mark.memory
def test_requests_together_are_bounded(catch):
    daemon = catch()
    before = daemon.anonymous_memory()
    clients = [connect(daemon) for _ in range(60)]
    head = b"POST /api/v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n"

    def pour(client):
        try:
            client.sendall(head)
            for _ in range(80):
                client.sendall(b"x" * 100_000)
        except OSError:
            pass

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(pour, clients))
    wait_until(lambda: daemon.has_line("web client dropped .*too much"), "some are sent away")
    assert daemon.anonymous_memory() - before < 250 * 1024      # of 480 MB
    for client in clients:
        client.close()
    assert is_well(daemon)


def test_connections_are_bounded_and_idle_ones_make_room(build, tmp_path, start):
    daemon = start(config=(f'spool {{ path = "{tmp_path}/spool" }}\ncontrol {{ socket = "{tmp_path}/control.sock" }}\n'
                           'listen "127.0.0.1:0" { }\nprovider "p" { url = "discard:" }\n'
                           'http { listen = { "127.0.0.1:0" }  max-connections = 5 }\n'))
    idle = [connect(daemon) for _ in range(20)]
    assert ask(daemon, "/livez")[0] == 200      # they give way, though not at once
    closed = sum(1 for client in idle if ended(client))
    assert closed >= 15
    for client in idle:
        client.close()


def ended(client):
    client.settimeout(0.5)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.threads
def test_many_at_once(catch):
    daemon = catch()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ask(daemon, "/livez")[0], range(500)))
    assert answers == [200] * 500


def test_clients_that_go_away(catch):
    daemon = catch()
    for i in range(20):
        send(daemon, letter(f"n{i}", "x" * 200_000))
    for data in [GET, GET + "\r\n", "GET /api/v1/messages?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 "GET /api/v1/search?query=x HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 "GET /api/v1/message/latest HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 "GET /api/v1/message/latest/raw HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 "GET /view/latest.html HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 "PUT /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"]:
        for _ in range(5):
            client = connect(daemon)
            client.sendall(data.encode())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()      # a reset
    assert is_well(daemon)
    assert count(daemon) == 20


def test_a_slow_client_holds_nobody_up(catch):
    daemon = catch()
    send(daemon, letter("x", "y" * 3_000_000))
    with connect(daemon) as slow, connect(daemon) as half:
        slow.sendall(b"GET /api/v1/message/latest/raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
        half.sendall(b"GET /api/v1/mess")
        assert is_well(daemon)
        half.sendall(b"ages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert parse(read_all(half))[0] == 200


def test_pipelined_requests_are_answered_in_order(catch):
    daemon = catch()
    send(daemon, letter())
    paths = ["/api/v1/tags", "/api/v1/search?query=hello", "/api/v1/message/latest", "/nothing"] * 10
    with connect(daemon) as client:
        client.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths).encode()
                       + b"GET /end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = read_all(client)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"200", b"200", b"404"] * 10 + [b"404"]


# ---- logins --------------------------------------------------------------------------------


def basic(login):
    return f"Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"


# "secret" by crypt(3) (SHA-512, few rounds) and {SHA}
HASH = "$6$rounds=1000$abcdefgh$"
SHA = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def test_basic_authentication(catch, tmp_path):
    crypt = pytest.importorskip("crypt")
    users = tmp_path / "users"
    users.write_text(f"plain:secret\nhashed:{crypt.crypt('secret', HASH)}\nsha:{SHA}\nempty:\n")
    daemon = catch("--http-auth-file", str(users))
    status, fields, _ = ask(daemon)
    assert status == 401 and fields["www-authenticate"][0].startswith("Basic ")
    for login, expected in [("plain:secret", 200), ("hashed:secret", 200), ("sha:secret", 200), ("plain:Secret", 401),
                            ("hashed:x", 401), ("sha:x", 401), ("nobody:secret", 401), ("plain:", 401),
                            ("plain", 401), (":", 401), ("plain:secret\n", 401), ("hashed:" + "x" * 600, 401)]:
        assert ask(daemon, headers=basic(login))[0] == expected, login
        assert ask(daemon, headers=basic(login))[0] == expected, login
    assert ask(daemon, headers="Authorization: Basic %%%\r\n")[0] == 401
    assert ask(daemon, "/")[0] == 401
    assert ask(daemon, "/livez")[0] == 200 and ask(daemon, "/readyz")[0] == 200
    users.write_text("other:new\n")
    assert ask(daemon, headers=basic("other:new"))[0] == 200
    assert ask(daemon, headers=basic("sha2:secret"))[0] == 401
    assert "secret" not in daemon.log()


def test_the_control_api_asks_for_its_token(catch, tmp_path):
    assert ask(catch(), "/relay/v1/status")[0] == 403


def test_the_token(catch, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    daemon = catch("--http-token-file", str(token))
    assert ask(daemon, "/relay/v1/status")[0] == 401
    assert ask(daemon, "/relay/v1/status", headers="Authorization: Bearer s3cres\r\n")[0] == 401
    assert ask(daemon, "/relay/v1/status", headers="Authorization: Bearer s3cret\r\n")[0] == 200
    assert ask(daemon, "/relay/v1/stop", "POST")[0] == 401
    assert is_well(daemon)


def test_a_base_path(catch):
    daemon = catch("--http-base-path", "dev/mail")
    send(daemon, letter())
    assert ask(daemon, "/api/v1/messages")[0] == 404
    assert ask(daemon, "/dev/mail/api/v1/messages")[0] == 200
    assert ask(daemon, "/dev/mail/inbox/default/api/v1/messages")[0] == 200
    assert ask(daemon, "/dev/mail/")[0] == 200
    status, fields, _ = ask(daemon, "/dev/mail")
    assert status == 302 and fields["location"] == ["/dev/mail/"]
    _, fields, _ = ask(daemon, "/dev/mail/view/latest")
    assert fields["location"][0].startswith("/dev/mail/view/")


# ---- TLS -------------------------------------------------------------------------------------


@pytest.mark.threads
def test_https(catch, certificates):
    daemon = catch("--http-certificate", str(certificates / "good.pem"), "--http-key", str(certificates / "good.key"))
    send(daemon, letter("large", "x" * 60 + "\r\n" + ("y" * 70 + "\r\n") * 30000))
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", daemon.http_port, context=context, timeout=TIMEOUT)
    for path, length in [("/livez", 0), ("/api/v1/message/latest/raw", 2_000_000), ("/api/v1/messages", 100)] * 3:
        connection.request("GET", path, headers={"Origin": f"https://127.0.0.1:{daemon.http_port}"})
        answer = connection.getresponse()
        assert answer.status == 200 and len(answer.read()) >= length
    connection.request("PUT", "/api/v1/messages", json.dumps({"IDs": ["x" * 2_000_000], "Read": True}))
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"ok")
    connection.close()
    assert b"HTTP/1" not in throw(daemon, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for rubbish in b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00" + b"\0" * 600, b"\xff" * 5000:
        throw(daemon, rubbish)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        def one(_):
            client = http.client.HTTPSConnection("127.0.0.1", daemon.http_port, context=context, timeout=TIMEOUT)
            client.request("GET", "/livez")
            status = client.getresponse().status
            client.close()
            return status
        assert list(pool.map(one, range(60))) == [200] * 60
