# SPDX-License-Identifier: ISC
"""The server's side of the mechanisms of AUTH, for smarthost.py.

Each is called with the initial response (None: there was none), a function that says a challenge and
returns the answer (octets both), and the smarthost; it returns the user's name, or None: refused.
"""

import base64
import hashlib
import hmac
import json
import os

ROUNDS = 4096


def plain(initial, ask, host):
    _, user, password = (ask(b"") if initial is None else initial).split(b"\0")
    return user.decode() if host.users.get(user.decode()) == password.decode() else None


def login(initial, ask, host):
    user = ask(b"Username:") if initial is None else initial
    password = ask(b"Password:")
    return user.decode() if host.users.get(user.decode()) == password.decode() else None


def cram_md5(initial, ask, host):
    challenge = b"<" + os.urandom(8).hex().encode() + b"@smarthost.test>"
    user, _, proof = ask(challenge).decode().rpartition(" ")
    password = host.users.get(user)
    if password is None:
        return None
    right = hmac.new(password.encode(), challenge, "md5").hexdigest()
    return user if hmac.compare_digest(right, proof) else None


def digest(key, text):
    return hmac.new(key, text, "sha256").digest()


def scram_sha_256(initial, ask, host):
    """host.scram_lies: says a wrong proof of its own; host.scram_rounds: the rounds it asks for."""
    bare = initial.partition(b",,")[2]
    user = bare.split(b",")[0][2:].replace(b"=2C", b",").replace(b"=3D", b"=").decode()
    nonce = bare.split(b",r=")[1] + base64.b64encode(os.urandom(12))
    salt = os.urandom(16)
    rounds = getattr(host, "scram_rounds", ROUNDS)
    first = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), rounds)
    final = ask(first)
    without, _, proof = final.partition(b",p=")
    salted = hashlib.pbkdf2_hmac("sha256", host.users.get(user, "?").encode(), salt, rounds)
    message = b",".join([bare, first, without])
    key = digest(salted, b"Client Key")
    signature = digest(hashlib.sha256(key).digest(), message)
    if without != b"c=biws,r=" + nonce or \
            bytes(a ^ b for a, b in zip(key, signature)) != base64.b64decode(proof):
        return None
    said = digest(digest(salted, b"Server Key"), message)
    if getattr(host, "scram_lies", False):
        said = said[::-1]
    ask(b"v=" + base64.b64encode(said))
    return user


def token(user, fields, ask, host):
    """host.tokens: those that are good; a refusal is told in JSON first (RFC 7628 3.2.2)."""
    given = dict(field.split(b"=", 1) for field in fields if b"=" in field).get(b"auth", b"").decode()
    if given.removeprefix("Bearer ") in host.tokens and given.startswith("Bearer "):
        return user
    host.token_errors.append(ask(json.dumps({"status": "401", "schemes": "bearer"}).encode()))
    return None


def xoauth2(initial, ask, host):
    fields = (ask(b"") if initial is None else initial).split(b"\1")
    assert fields[0].startswith(b"user=") and fields[-2:] == [b"", b""], fields
    return token(fields[0][5:].decode(), fields[1:], ask, host)


def oauthbearer(initial, ask, host):
    fields = (ask(b"") if initial is None else initial).split(b"\1")
    assert fields[0].startswith(b"n,a=") and fields[-2:] == [b"", b""], fields
    return token(fields[0][4:].rstrip(b",").decode(), fields[1:], ask, host)


MECHANISMS = {"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5, "SCRAM-SHA-256": scram_sha_256,
              "XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}
