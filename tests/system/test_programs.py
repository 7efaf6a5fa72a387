# SPDX-License-Identifier: ISC
"""The programs as such: they start, and say who they are."""

import subprocess

import pytest


@pytest.mark.threads
@pytest.mark.parametrize("program", ["penstockd", "penstock"])
def test_version(program, build):
    output = subprocess.run([build / "src" / program, "--version"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    assert output.startswith("penstock 0.")
