# SPDX-License-Identifier: ISC
"""What the lints share: the files, C without its comments and strings, findings and the end.

A finding reads "file:line: what; do this". Files are named from the top of the source tree.
"""

import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("TOP_SRCDIR", Path(__file__).resolve().parents[2]))

_findings = []


def files(*folders, suffixes=(".c", ".h")):
    """Paths below the folders with one of the suffixes, as strings from the top, sorted."""
    return sorted(str(path.relative_to(TOP)) for folder in folders
                  for path in (TOP / folder).rglob("*")
                  if path.suffix in suffixes and path.is_file())


def read(name):
    return (TOP / name).read_text(encoding="utf-8")


_NOT_CODE = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
                       re.DOTALL | re.VERBOSE)


def code(name):
    """The file's text with comments and literals blanked; line numbers stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return _NOT_CODE.sub(blank, read(name))


def finding(name, line, what, cure):
    _findings.append((name, line, f"{name}:{line}: {what}; {cure}"))


def end():
    """Prints the findings and ends with the status that make check understands."""
    for _, _, text in sorted(set(_findings)):
        print(text)
    sys.exit(1 if _findings else 0)
