#!/usr/bin/env python3
"""Is the documentation in step? Every relative link of the Markdown files leads to a file, and every tool has its line in
tools/README.md. Prints what is wrong; run by the tests.

    python3 tools/check_docs.py      # Python 3.8, nothing else
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


def unlisted_tools():
    listed = (ROOT / "tools/README.md").read_text(encoding="utf-8")
    for tool in sorted(ROOT.glob("tools/*.*")):
        if f"`{tool.name}`" not in listed and tool.name != "README.md":
            yield f"tools/README.md: no line for {tool.name}"


pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tools/*.md"), *ROOT.glob("tests/**/*.md")]
wrong = [line for page in pages for line in broken_links(page)] + list(unlisted_tools())
sys.exit("\n".join(wrong) if wrong else 0)
