#!/usr/bin/env python3
"""Does every relative link of the Markdown files lead to a file? Prints those that do not; run by the tests.

    python3 tools/check_links.py      # Python 3.8, nothing else
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def broken_links(page):
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for target in LINK.findall(line):
            if "://" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(ROOT)}:{number}: no such file: {target}"


pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tools/*.md"), *ROOT.glob("tests/**/*.md")]
broken = [line for page in pages for line in broken_links(page)]
sys.exit("\n".join(broken) if broken else 0)
