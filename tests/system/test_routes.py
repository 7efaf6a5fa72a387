# SPDX-License-Identifier: ISC
"""Which mail goes where: routes on what the mail says, over several smarthosts."""

import pytest

from meddle import Meddle
from penstock import wait_until
from smarthost import Fault, Smarthost


@pytest.fixture
def hosts():
    """Three plain smarthosts, the providers p0, p1 and p2; the first takes content by BDAT."""
    with Smarthost(extensions=Smarthost.EXTENSIONS + ("CHUNKING",)) as one, \
            Smarthost() as two, Smarthost() as three:
        yield [one, two, three]


def routes(daemon_start, directory, hosts, text, options=None, environment=None):
    """A daemon with these routes; options: of each provider, by its place."""
    providers = "".join(
        f'provider "p{n}" {{ url = "smtp+notls://127.0.0.1:{host.port}"\n{(options or {}).get(n, "")} }}\n'
        for n, host in enumerate(hosts))
    config = (f'hostname = "relay.test"\nspool {{ path = "{directory}/spool" }}\n'
              f'control {{ socket = "{directory}/control.sock" }}\nlisten "127.0.0.1:0" {{ }}\n'
              f'{providers}{text}\n')
    return daemon_start(config=config, environment=environment)


def rewrite(daemon, old, new):
    """Other rules, for the next start."""
    with open(daemon.directory + "/penstock.conf", encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(daemon.directory + "/penstock.conf", "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


def send(daemon, content, sender="a@example.com", to=("b@example.org",)):
    with daemon.smtp() as client:
        client.sendmail(sender, list(to), content)


def release_all(daemon):
    """What is being moved at this moment is not released by it."""
    def are_gone():
        for entry in daemon.cli_json("queue"):
            daemon.cli("release", entry["id"], check=False)
        return daemon.waiting() == 0
    wait_until(are_gone, "all have left")


def subjects(host):
    return sorted(line[9:].decode() for message in host.messages
                  for line in message.content.split(b"\r\n") if line.startswith(b"Subject: "))


def test_a_route_on_the_header(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts,
                    'route "bulk" { header = { "X-Tag: bulk*", "List-Id: *" } via = { "p1" } }\n'
                    'route "rest" { via = { "p0" } }')
    send(daemon, "Subject: one\r\nX-TAG:\r\n Bulk-7\r\n\r\nhi\r\n")
    send(daemon, "Subject: two\r\n\r\nX-Tag: bulk\r\n")
    send(daemon, "Subject: three\r\nList-Id: <x>\r\n\r\n" + "long line\r\n" * 50000)
    send(daemon, "Subject: four\r\n\r\n" + "long line\r\n" * 50000)
    daemon.drained()
    assert subjects(hosts[1]) == ["one", "three"]
    assert subjects(hosts[0]) == ["four", "two"]


def test_what_waits_moves_into_an_inbox(start, tmp_path, hosts):
    hosts[0].faults.append(Fault("CONNECT", "421 4.3.2 not now"))
    daemon = routes(start, tmp_path, hosts, 'route "all" { via = { "p0" } retry = { "1s" } }')
    large = "long line\r\n" * 50000
    for n in range(20):
        send(daemon, f"Subject: {n}\r\n\r\n" + (large if n == 7 else "hi\r\n"),
             to=["in@example.org", "out@example.org"] if n % 2 else ["in@example.org"])
    assert daemon.waiting() == 20
    rewrite(daemon, 'route "all"', 'route "in" { recipient = { "in@*" } via = { "inbox" } }\nroute "all"')
    hosts[0].faults.clear()
    daemon.restart()
    wait_until(lambda: daemon.cli_json("status")["spool"]["inbox"] == 20, "all are in the inbox")
    daemon.drained()
    assert sorted(subjects(hosts[0]), key=int) == [str(n) for n in range(1, 20, 2)]
    assert {r for m in hosts[0].messages for r in m.recipients} == {"out@example.org"}
    daemon.kill()
    daemon.start()
    spool = daemon.cli_json("status")["spool"]
    assert (spool["inbox"], spool["messages"]) == (20, 20)
    assert spool["octets"] < 2 * len(large)


def test_rules_on_the_listener_hold_for_what_waits(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts, 'route "all" { via = { "p0" } hold = true }')
    send(daemon, "Subject: one\r\n\r\nhi\r\n")
    rewrite(daemon, 'route "all"', 'route "tcp" { listener = { "127.0.0.1:*" } via = { "p1" } }\nroute "all"')
    daemon.restart()
    wait_until(lambda: daemon.has_line("delivery rerouted"), "it is moved")
    release_all(daemon)
    assert subjects(hosts[1]) == ["one"] and hosts[0].messages == []


def test_shares_by_weight(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts,
                    'route "all" { via = { "p0:3", "p1:1", "p2:2" } balance = "weight" }')
    with daemon.smtp() as client:
        for n in range(600):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
    daemon.drained()
    assert [len(host.messages) for host in hosts] == [300, 100, 200]
    hosts[1].stop()
    with daemon.smtp() as client:
        for n in range(50):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: more {n}\r\n\r\nhi\r\n")
    daemon.drained()
    assert len(hosts[0].messages) + len(hosts[2].messages) == 550


def test_the_slow_one_gets_less(start, tmp_path, hosts):
    hosts[2].faults.append(Fault("DOT", delay=0.2))
    daemon = routes(start, tmp_path, hosts, 'route "all" { balance = "least-busy" }',
                    {n: "connections = 2" for n in range(3)})
    with daemon.smtp() as client:
        for n in range(300):
            client.sendmail("a@example.com", ["b@example.org"], f"Subject: {n}\r\n\r\nhi\r\n")
    daemon.drained()
    assert sum(len(host.messages) for host in hosts) == 300
    assert 0 < len(hosts[2].messages) < min(len(hosts[0].messages), len(hosts[1].messages))


LETTER = ("Subject: {0}\r\nFrom: \"Bo, the\"\r\n <{0}@{1}>\r\nSender: s@{1}\r\nX-Odd:  two\t\r\n\r\n"
          "From: in the body\r\n" + "a long line of text\r\n" * 20000)


def test_senders_that_a_provider_does_not_take(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts, 'route "all" { via = { "p0", "p1" } }',
                    {0: 'from-allowed = { "*@example.com" }',
                     1: 'from-allowed = { "*@example.net" }'})
    send(daemon, LETTER.format("ours", "example.com"), "a@example.com")
    send(daemon, LETTER.format("other", "example.net"), "a@example.net")
    daemon.drained()
    assert [subjects(host) for host in hosts] == [["ours"], ["other"], []]
    send(daemon, LETTER.format("mixed", "example.net"), "a@example.com")
    wait_until(lambda: daemon.has_line("delivery failed .*no provider of the route takes"), "it fails")
    # The report is of MAILER-DAEMON@relay.test, whom neither takes.
    daemon.drained()
    assert sum(len(host.messages) for host in hosts) == 2


def test_senders_are_rewritten_for_their_provider_only(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts,
                    'route "one" { recipient = { "one@*" } via = { "p0" } }\n'
                    'route "two" { recipient = { "two@*" } via = { "p1" } }\n'
                    'route "three" { via = { "p2" } }',
                    {0: 'rewrite-from = "app@example.com"',
                     2: 'from-allowed = { "*@example.org" } rewrite-from = "app@example.org"'})
    letter = LETTER.format("bo", "example.org")
    send(daemon, letter, "bounce+7@example.org", ["one@x.example", "two@x.example", "three@x.example"])
    send(daemon, "just text\r\n", "r@example.org", ["one@x.example"])
    daemon.drained()
    rewritten, plain, allowed = hosts[0].messages[0], hosts[1].messages[0], hosts[2].messages[0]
    assert rewritten.sender == "app@example.com"
    assert plain.sender == allowed.sender == "bounce+7@example.org"
    assert plain.content.endswith(letter.encode()) and allowed.content.endswith(letter.encode())
    head, _, body = rewritten.content.partition(b"\r\n\r\n")
    assert b'Subject: bo\r\nFrom: "Bo, the"\r\n <app@example.com>\r\n' \
           b'Reply-To: "Bo, the"\r\n <bo@example.org>\r\nX-Odd:  two\t' in head
    assert head.startswith(b"Received:") and b"Sender:" not in head
    assert body == letter.encode().partition(b"\r\n\r\n")[2]
    text = hosts[0].messages[1]
    assert text.sender == "app@example.com" and text.content.endswith(b"\r\n\r\njust text\r\n")
    assert b"\r\nFrom: app@example.com\r\nReply-To: r@example.org\r\n" in text.content


def test_a_provider_warms_up(start, build, tmp_path, hosts):
    meddle = Meddle(build, tmp_path)
    daemon = routes(start, tmp_path, hosts, 'route "all" { via = { "p0" } }',
                    {0: 'warm-up = { "5/d", "doubling" }'}, meddle.environment)
    for n in range(12):
        send(daemon, f"Subject: {n}\r\n\r\nhi\r\n")
    wait_until(lambda: daemon.waiting() == 7, "five have left")
    daemon.restart()
    for n in range(5):
        send(daemon, f"Subject: more {n}\r\n\r\nhi\r\n")
    provider = daemon.cli_json("status")["providers"][0]
    assert (provider["warm_up"], provider["warm_up_day"]) == ("5/d", 1)
    assert b"warming up with 5/d on day 1" in daemon.cli("status").stdout
    assert daemon.waiting() == 12 and len(hosts[0].messages) == 5
    daemon.stop()
    meddle.step(86400 + 600)
    daemon.start()
    wait_until(lambda: daemon.waiting() == 2, "ten more on the second day")
    assert daemon.cli_json("status")["providers"][0]["warm_up"] == "10/d"
    assert len(hosts[0].messages) == 15


def test_a_copy_stays_in_the_inbox(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts,
                    'inbox "qa" { }\nprovider "box" { url = "inbox:qa" }\n'
                    'route "a" { recipient = { "a@*" } via = { "p0" } copy = "box" }\n'
                    'route "b" { recipient = { "b@*" } via = { "p1" } copy = "inbox" }\n'
                    'route "c" { via = { "p2" } copy = "inbox:qa" }')
    send(daemon, "Subject: one\r\n\r\nhi\r\n", to=["a@example.org", "b@example.org", "c@example.org"])
    assert daemon.cli_json("status")["spool"]["inbox"] == 2
    send(daemon, "Subject: large\r\n\r\n" + "long line\r\n" * 50000, to=["a@example.org"])
    assert daemon.cli_json("status")["spool"]["inbox"] == 3
    daemon.drained()
    assert [subjects(host) for host in hosts] == [["large", "one"], ["one"], ["one"]]
    daemon.kill()
    daemon.start()
    spool = daemon.cli_json("status")["spool"]
    assert spool["inbox"] == 3 and spool["messages"] == 2


def test_changed_rules_on_the_header_hold_for_what_waits(start, tmp_path, hosts):
    daemon = routes(start, tmp_path, hosts, 'route "all" { via = { "p0" } hold = true }')
    for n in range(10):
        send(daemon, f"Subject: {n}\r\nX-Tag: {'odd' if n % 2 else 'even'}\r\n\r\nhi\r\n")
    assert daemon.waiting() == 10
    rewrite(daemon, 'route "all"', 'route "odd" { header = { "X-Tag: odd" } via = { "p1" } }\nroute "all"')
    daemon.restart()
    wait_until(lambda: daemon.log().count("delivery rerouted") == 5, "the odd ones are moved")
    release_all(daemon)
    assert subjects(hosts[1]) == ["1", "3", "5", "7", "9"]
    assert subjects(hosts[0]) == ["0", "2", "4", "6", "8"]
