# SPDX-License-Identifier: ISC
"""Requests that wait for a message."""

import json
import threading

import pytest

from web import Web, deliver


@pytest.fixture
def daemon(catch):
    return catch()


class Waiting(threading.Thread):
    """A request that waits; `answer` when it is joined."""

    def __init__(self, web, path):
        super().__init__()
        self.web, self.path, self.answer = web, path, None
        self.start()

    def run(self):
        self.answer = self.web.ask("GET", self.path)

    def messages(self):
        self.join()
        assert self.answer.status == 200, self.answer
        return [message["Subject"] for message in json.loads(self.answer.body)["messages"]]


@pytest.mark.threads
def test_it_ends_with_the_message(daemon):
    web = Web(daemon)
    waiting = Waiting(web, "/api/v1/wait?query=subject:wanted&timeout=60s")
    other = Waiting(web, "/api/v1/wait?query=subject:second&timeout=60s&count=2")
    deliver(daemon, "unasked")
    deliver(daemon, "wanted")
    deliver(daemon, "the second one")
    assert waiting.messages() == ["wanted"]
    deliver(daemon, "another second one")
    assert other.messages() == ["another second one", "the second one"]


def test_what_is_there_counts(daemon):
    web = Web(daemon)
    deliver(daemon, "wanted")
    assert Waiting(web, "/api/v1/wait?query=wanted&timeout=60s").messages() == ["wanted"]
    assert Waiting(web, "/api/v1/wait?query=&timeout=60s").messages() == ["wanted"]


def test_its_time_is_over(daemon):
    answer = Web(daemon).ask("GET", "/api/v1/wait?query=never&timeout=200ms")
    assert (answer.status, answer.body) == (404, b"no message matched in time")


@pytest.mark.parametrize("query", ["timeout=soon", "timeout=-1s"])
def test_it_has_to_be_understood(daemon, query):
    assert Web(daemon).ask("GET", f"/api/v1/wait?{query}").status == 400


def test_many_wait(catch):
    daemon = catch()
    web = Web(daemon)
    waiting = [Waiting(web, "/api/v1/wait?query=subject:needle&timeout=300s") for _ in range(20)]
    deliver(daemon, "hay")
    deliver(daemon, "a needle")
    assert all(one.messages() == ["a needle"] for one in waiting)
