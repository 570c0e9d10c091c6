#!/usr/bin/env python3
"""Makes the expected texts of the chat-template tests with Python's jinja2, set up by transformers itself.

Needs what template_reference.py needs. Reads tests/data/templates/conversations.json and snippets.json (our own texts) and the
templates of ../shared/fixtures/templates (other people's: read, not copied). Writes beside them
    expected/NAME.json       per fixture template: one line per conversation
    snippets_expected.json   one line per snippet
where {"text": ...} is a rendered text, {"raises": ...} the message of raise_exception, {"fails": ...} any other error (its
message is for the reader: plumb words it in its own way).
    python3 tools/make_template_expectations.py [--templates ../shared/fixtures/templates]
"""

import argparse
import json
import pathlib

from template_reference import reference

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "templates"


def outcome(result):
    if "text" in result:
        return result
    return {"raises" if result["kind"] == "TemplateError" else "fails": result["error"]}


def write_lines(path, items):
    path.write_text("[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in items) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--templates", type=pathlib.Path, default=DATA.parents[2].parent / "shared/fixtures/templates")
    options = parser.parse_args()
    conversations = json.loads((DATA / "conversations.json").read_text())
    (DATA / "expected").mkdir(exist_ok=True)
    for path in sorted(options.templates.glob("*.jinja")):
        source = path.read_bytes().decode()
        expected = [{"conversation": c["name"], **outcome(reference(source, c["context"]))} for c in conversations]
        write_lines(DATA / "expected" / f"{path.stem}.json", expected)
    snippets = json.loads((DATA / "snippets.json").read_text())
    write_lines(DATA / "snippets_expected.json", [outcome(reference(s, snippets["context"])) for s in snippets["templates"]])


if __name__ == "__main__":
    main()
