# SPDX-License-Identifier: ISC
"""A fake identity provider: OAuth2's token endpoint and a browser's way through its consent page.

    with Identity() as identity:
        identity.refresh = {"refresh-token-1"}        # good refresh tokens
        identity.faults.append(Trouble(status=500))   # what goes wrong next
        ... ask identity.token_url ...
        identity.asked                                 # the forms, in order

Tokens are "access-N-canary"; `good` holds those that are good, for a smarthost.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit


class Trouble:
    """Said once instead of the ordinary answer. body: text; delay: seconds before it."""

    def __init__(self, status=200, body="", delay=0):
        self.status, self.body, self.delay = status, body, delay


INVALID_GRANT = Trouble(400, json.dumps({"error": "invalid_grant",
                                         "error_description": "Token has been expired or revoked."}))


class Identity:
    """life: expires_in of its tokens (None: not said); secret: the client's, None: not wanted."""

    def __init__(self, life=3600, secret="client-secret-canary", extra=None):
        self.life, self.secret, self.extra = life, secret, extra or {}
        self.refresh, self.codes, self.faults = set(), {}, []
        self.asked, self.good = [], set()
        self.delay = 0
        self._lock = threading.Lock()

    def __enter__(self):
        identity = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(*identity.token({k: v[0] for k, v in parse_qs(form).items()}))

            def answer(self, status, body):
                octets = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                try:
                    self.wfile.write(octets)
                except OSError:
                    pass    # the client had enough

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.token_url, self.authorize_url = self.url + "/token", self.url + "/authorize"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()

    def token(self, form):
        with self._lock:
            self.asked.append(form)
            fault = self.faults.pop(0) if self.faults else None
        if fault or self.delay:
            time.sleep(fault.delay if fault else self.delay)
        if fault and (fault.status != 200 or fault.body):
            return fault.status, fault.body
        with self._lock:
            return self.grant(form)

    def grant(self, form):
        if self.secret is not None and form.get("client_secret") != self.secret \
                and "assertion" not in form:
            return 401, json.dumps({"error": "invalid_client"})
        kind = form["grant_type"]
        if kind == "refresh_token" and form["refresh_token"] not in self.refresh:
            return INVALID_GRANT.status, INVALID_GRANT.body
        if kind == "authorization_code" and not self.is_code_good(form):
            return INVALID_GRANT.status, INVALID_GRANT.body
        answer = {"access_token": f"access-{len(self.good) + 1}-canary", "token_type": "Bearer"}
        self.good.add(answer["access_token"])
        if self.life is not None:
            answer["expires_in"] = self.life
        if kind == "authorization_code":
            answer["refresh_token"] = f"refresh-{len(self.good)}-canary"
            self.refresh.add(answer["refresh_token"])
        return 200, json.dumps(answer | self.extra)

    def is_code_good(self, form):
        query = self.codes.pop(form["code"], None)
        if query is None or query["redirect_uri"] != form["redirect_uri"]:
            return False
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        return base64.urlsafe_b64encode(challenge).decode().rstrip("=") == query["code_challenge"]

    def consent(self, url, **changes):
        """What a browser is sent to after the owner agreed to `url`; changes: other parameters."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(self.authorize_url), url
        assert query["response_type"] == "code" and query["code_challenge_method"] == "S256", query
        code = f"code-{len(self.codes) + 1}-canary"
        self.codes[code] = query
        answer = {"code": code, "state": query["state"]} | changes
        return query["redirect_uri"] + "/?" + urlencode({k: v for k, v in answer.items() if v})
