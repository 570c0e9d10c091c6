#!/usr/bin/env python3
"""Differential test of plumb's template engine: random templates, rendered by jinja2 (as transformers sets it up) and by plumb's
worker. Prints every template on which they disagree, and how many agreed.

Needs what template_reference.py needs, and a built plumb.
    python3 tools/compare_templates.py [--program build/release/apps/plumb/plumb] [--seed 1] [--count 20000]
        [--kinds whitespace,expression,statement] [--speed FOLDER]
With --speed it compares nothing, but prints the median time of a render for every *.jinja of the folder, both ways.
A disagreement is: different texts; one renders and the other fails; or different messages of raise_exception. What is known to
differ is listed in docs/templates.md.
"""

import argparse
import json
import pathlib
import random
import re
import time

from template_reference import Worker, reference

ROOT = pathlib.Path(__file__).resolve().parent.parent

CONTEXT = {
    "d": {"a": 1, "b": "two", "n": None, "items": [3, 1], "x": {"y": [True, {"z": "deep"}]}},
    "l": [3, 1, 2],
    "s": "Hello, <World> & 'friends'\n é世",
    "words": ["b", "A", "c", "a"],
    "users": [{"name": "bo", "age": 5}, {"name": "al", "age": 3}, {"name": "Cy", "age": 3, "extra": None}],
    "f": 2.5,
    "i": 7,
    "t": True,
    "nothing": None,
    "empty": [],
}


class Expressions:
    """Random expressions, biased towards operands that fit."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def any(self, depth):
        return self.pick(self.number, self.string, self.list, self.mapping, self.boolean, self.number, self.string)(depth)

    def number(self, depth):
        r = self.rng
        if depth <= 0:
            return self.pick("i", "f", str(r.randint(0, 20)), "0", "1", "2.5", "0.1", "d.a", "l[0]", "1e3", "t")
        e, d = self.number, depth - 1
        return self.pick(
            lambda: f"({e(d)} {self.pick('+', '-', '*', '/', '//', '%')} {e(d)})",
            lambda: f"{e(d)} {self.pick('+', '-', '*')} {e(d)}",
            lambda: f"(-{e(d)})",
            lambda: f"({e(0)} ** {r.randint(0, 4)})",
            lambda: f"{self.pick(self.list, self.string, self.mapping)(d)} | length",
            lambda: f"({self.list(d)} | {self.pick('sum', 'min', 'max', 'first', 'last')})",
            lambda: f"({e(d)} | {self.pick('abs', 'int', 'float', 'round', 'round(1)')})",
            lambda: f"({self.string(d)} | {self.pick('int', 'float', 'int(3)', 'wordcount', 'length')})",
            lambda: f"{self.string(d)}.{self.pick('count', 'find', 'rfind')}({self.string(0)})",
            lambda: f"({e(d)} if {self.boolean(d)} else {e(d)})",
        )()

    def string(self, depth):
        r = self.rng
        if depth <= 0:
            return self.pick("s", "'abc'", "'a b'", "''", '"it\'s"', "'é世'", "d.b", "words[0]", "users[1].name", "' x '", "'<&>'", "'a,b'", "'1'")
        e, d = self.string, depth - 1
        return self.pick(
            lambda: f"({e(d)} + {e(d)})",
            lambda: f"({self.any(d)} ~ {self.any(d)})",
            lambda: f"({e(d)} * {r.randint(0, 3)})",
            lambda: f"{e(d)}[{r.randint(-3, 5)}:{r.randint(-3, 8)}]",
            lambda: f"{e(d)}[::{self.pick('1', '2', '-1', '-2')}]",
            lambda: f"{e(d)}[{r.randint(-4, 4)}]",
            lambda: f"{e(d)}.{self.pick('upper', 'lower', 'title', 'strip', 'lstrip', 'rstrip', 'capitalize', 'swapcase')}()",
            lambda: f"{e(d)}.replace({e(0)}, {e(0)})",
            lambda: f"{e(d)}.{self.pick('strip', 'lstrip', 'rstrip')}({e(0)})",
            lambda: f"({e(d)} | {self.pick('upper', 'lower', 'title', 'trim', 'capitalize', 'reverse', 'string', 'indent', 'escape', 'urlencode', 'safe', 'center(7)', 'truncate(5)', 'striptags', 'wordwrap(5)', 'default(1)', 'first', 'last')})",
            lambda: f"({self.any(d)} | {self.pick('tojson', 'string', 'tojson(indent=2)', 'upper', 'trim')})",
            lambda: f"({self.list(d)} | join({e(0)}))",
            lambda: f"({e(d)} if {self.boolean(d)} else {e(d)})",
            lambda: f"('%s-%r' % ({self.any(d)}, {self.any(d)}))",
            lambda: f"'{{}}:{{!r}}'.format({self.any(d)}, {self.any(d)})",
            lambda: f"{e(0)}.join({self.pick('words', 'd', e(d))})",
        )()

    def list(self, depth):
        r = self.rng
        if depth <= 0:
            return self.pick("l", "words", "empty", "[1, 2]", "(1, 'a')", "users", "[]", "d['items']", "range(4)", "[none, 0]")
        e, d = self.list, depth - 1
        return self.pick(
            lambda: f"[{', '.join(self.any(d) for _ in range(r.randint(0, 3)))}]",
            lambda: f"({self.any(d)}, {self.any(d)})",
            lambda: f"({e(d)} + {e(d)})",
            lambda: f"({e(d)} | list)",
            lambda: f"{e(d)}[{r.randint(-2, 3)}:]",
            lambda: f"({e(d)} | {self.pick('sort', 'reverse', 'unique', 'list')} | list)",
            lambda: f"({e(d)} | {self.pick('sort(reverse=true)', 'batch(2)', 'slice(2)', 'select', 'reject')} | list)",
            lambda: f"({e(d)} | map({self.pick(repr('string'), repr('upper'), repr('length'), repr('tojson'), repr('int'))}) | list)",
            lambda: f"({e(d)} | {self.pick('select', 'reject')}('{self.pick('odd', 'string', 'defined', 'none', 'mapping', 'number')}') | list)",
            lambda: f"(users | {self.pick('selectattr', 'rejectattr')}('{self.pick('age', 'name', 'extra')}'{self.pick('', ', ' + repr('defined'), ', ' + repr('equalto') + ', 3', ', ' + repr('gt') + ', 3')}) | map(attribute='{self.pick('name', 'age', 'extra')}') | list)",
            lambda: f"(users | groupby('{self.pick('age', 'name')}') | list)",
            lambda: f"{self.string(d)}.split({self.pick('', repr(','), repr(' '), 'none, 1')})",
            lambda: f"({self.string(d)} | list)",
            lambda: f"({self.mapping(d)} | {self.pick('list', 'dictsort', 'items | list', 'reverse | list')})",
            lambda: f"({self.mapping(d)}.{self.pick('keys', 'values', 'items')}() | list)",
        )()

    def mapping(self, depth):
        if depth <= 0:
            return self.pick("d", "{}", "{'k': 1}", "users[0]", "d.x")
        d = depth - 1
        return self.pick(
            lambda: f"{{'k': {self.any(d)}, 'é': {self.any(d)}}}",
            lambda: f"dict(a={self.any(d)})",
            lambda: f"dict({self.mapping(d)}, q={self.any(d)})",
            lambda: self.mapping(0),
        )()

    def boolean(self, depth):
        if depth <= 0:
            return self.pick("true", "false", "t", "missing", "nothing", "empty", "d", "i > 3", "'a' in s")
        d = depth - 1
        test = self.pick("defined", "none", "string", "number", "mapping", "sequence", "iterable", "boolean", "integer", "float", "callable", "true", "undefined", "lower", "upper")
        return self.pick(
            lambda: f"({self.any(d)} {self.pick('==', '!=')} {self.any(d)})",
            lambda: f"({self.number(d)} {self.pick('<', '<=', '>', '>=', '==')} {self.number(d)})",
            lambda: f"({self.string(d)} {self.pick('<', '>=', 'in', 'not in')} {self.string(d)})",
            lambda: f"({self.any(d)} in {self.list(d)})",
            lambda: f"({self.boolean(d)} {self.pick('and', 'or')} {self.boolean(d)})",
            lambda: f"(not {self.boolean(d)})",
            lambda: f"({self.any(d)} is {self.pick('', 'not ')}{test})",
            lambda: f"(missing.{'x'} is defined)",
            lambda: f"{self.string(d)}.{self.pick('startswith', 'endswith')}({self.string(0)})",
            lambda: f"{self.string(d)}.{self.pick('isdigit', 'isalpha', 'isupper', 'islower', 'isspace', 'istitle', 'isalnum')}()",
        )()


class Statements:
    """Random nests of statements over a handful of names, to compare scopes. Macros are defined up front, and `else` of loops
    holds no assignments: there minijinja's scopes differ (docs/templates.md)."""

    NAMES = ["a", "b", "c"]

    def __init__(self, rng):
        self.rng = rng

    def name(self):
        return self.rng.choice(self.NAMES)

    def show(self):
        return "[" + "".join(f"{{{{ {x} }}}}," for x in self.NAMES) + "]"

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.rng.randint(1, 3)))

    def statement(self, depth):
        r, n = self.rng, self.name
        leaf = [
            self.show,
            lambda: f"{{% set {n()} = {self.value()} %}}",
            lambda: f"{{% set {n()}, {n()} = {self.value()}, {self.value()} %}}",
            lambda: f"{{% set ns.v = {self.value()} %}}{{{{ ns.v }}}}",
            lambda: "{% if loop is defined %}{{ loop.index }}{{ loop.last }}{% endif %}",
            lambda: f"{{{{ m{r.randint(0, 1)}({self.value()}) }}}}",
        ]
        if depth <= 0:
            return r.choice(leaf)()
        b = lambda: self.body(depth - 1)
        items = lambda: r.choice(["[1, 2]", "l", "empty", "range(2)", "'xy'", "d"])
        jump = lambda: f"{{% if {self.condition()} %}}{r.choice(['{% continue %}', '{% break %}'])}{{% endif %}}"
        return r.choice(leaf + [
            lambda: f"{{% if {self.condition()} %}}{b()}{{% elif {self.condition()} %}}{b()}{{% else %}}{b()}{{% endif %}}",
            lambda: f"{{% if {self.condition()} %}}{b()}{{% endif %}}",
            lambda: f"{{% for {n()} in {items()} %}}{b()}{{% endfor %}}",
            lambda: f"{{% for {n()} in {items()} %}}{b()}{{% else %}}{self.show()}{{% endfor %}}",
            lambda: f"{{% for {n()} in [1, 2, 3] if {self.condition()} %}}{b()}{{% endfor %}}",
            lambda: f"{{% for {n()} in {items()} %}}{b()}{jump()}{b()}{{% endfor %}}",
            lambda: f"{{% for {n()} in {items()} %}}{{% with {n()} = 5 %}}{b()}{jump()}{{% endwith %}}{b()}{{% endfor %}}",
            lambda: f"{{% with {n()} = {self.value()} %}}{b()}{{% endwith %}}",
            lambda: f"{{% set {n()} %}}{b()}{{% endset %}}",
            lambda: f"{{% filter upper %}}{b()}{{% endfilter %}}",
        ])()

    def value(self):
        return self.rng.choice([self.name(), str(self.rng.randint(0, 9)), f"{self.name()} ~ '.'", "'q'", "i"])

    def condition(self):
        return self.rng.choice([self.name(), "true", "false", f"{self.name()} is defined", f"{self.name()} == 2", "missing"])

    def template(self):
        macros = "".join(f"{{% macro m{i}({self.name()}) %}}{self.show()}{self.body(1) if i else ''}{{% endmacro %}}" for i in (0, 1))
        return "{% set ns = namespace(v=0) %}" + macros + self.body(3)


class Whitespace:
    """Random text and tags with every whitespace control."""

    def __init__(self, rng):
        self.rng = rng

    def open(self):
        return self.rng.choice(["{%", "{%", "{%-", "{%+"])

    def close(self):
        return self.rng.choice(["%}", "%}", "-%}", "+%}"])

    def tag(self, text):
        return f"{self.open()} {text} {self.close()}"

    def text(self):
        pieces = ["\n", "\n", "  ", " ", "\t", "x", "y z", "\n\n", "\r\n", "\r", "  \n", "{", "}", "é", "\u00a0", "%"]
        return "".join(self.rng.choice(pieces) for _ in range(self.rng.randint(0, 4)))

    def part(self, depth):
        r = self.rng
        b = lambda: self.body(depth - 1)
        leaf = [
            self.text,
            lambda: r.choice(["{{", "{{-", "{{+"]) + " 'v' " + r.choice(["}}", "}}", "-}}"]),
            lambda: r.choice(["{#", "{#-", "{#+"]) + " " + self.text().replace("#", "") + r.choice(["#}", "-#}", "+#}"]),
            lambda: self.tag("set q = 1"),
            lambda: self.open() + " raw " + r.choice(["%}", "-%}"]) + self.text() + "{{ no }}" + self.text() + self.tag("endraw"),
        ]
        if depth <= 0:
            return r.choice(leaf)()
        return r.choice(leaf + [
            lambda: self.tag("if true") + b() + self.tag("endif"),
            lambda: self.tag("if false") + b() + self.tag("else") + b() + self.tag("endif"),
            lambda: self.tag("for k in [1, 2]") + b() + self.tag("endfor"),
            lambda: self.tag("generation") + b() + self.tag("endgeneration"),
            lambda: self.tag("set z") + b() + self.tag("endset") + "{{ z }}",
            lambda: self.tag("macro m()") + b() + self.tag("endmacro") + "{{ m() }}",
        ])()

    def body(self, depth):
        return "".join(self.part(depth) + self.text() for _ in range(self.rng.randint(1, 3)))

    def template(self):
        return self.body(2)


def differ(a, b):
    """Whether two results disagree; how a lazy sequence prints itself does not count."""
    clean = lambda text: re.sub(r"<\w+ object [^>]*at 0x[0-9a-f]+>|<generator object>", "<lazy>", text)
    if "text" in a and "text" in b:
        return clean(a["text"]) != clean(b["text"])
    return "text" in a or "text" in b or (a["kind"] == "TemplateError" and a["error"] != b["error"])


def median_ms(render):
    times = []
    for _ in range(21):
        start = time.perf_counter()
        render()
        times.append(time.perf_counter() - start)
    return sorted(times)[10] * 1000


def print_speed(folder, worker):
    """The conversation of several turns, from a worker that runs already; both include what Python does around them."""
    conversations = json.loads((ROOT / "tests/data/templates/conversations.json").read_text())
    context = next(c["context"] for c in conversations if c["name"] == "system_turns")
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_bytes().decode()
        plumb, jinja2 = median_ms(lambda: worker.render(source, context)), median_ms(lambda: reference(source, context))
        print(f"{path.stem:55} {len(source):6} bytes  plumb {plumb:6.2f} ms  jinja2 (compiled before) {jinja2:6.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/apps/plumb/plumb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--kinds", default="whitespace,expression,statement")
    parser.add_argument("--speed", type=pathlib.Path)
    options = parser.parse_args()
    worker = Worker(options.program)
    if options.speed:
        return print_speed(options.speed, worker)
    rng = random.Random(options.seed)
    expressions = Expressions(rng)
    makers = {
        "whitespace": Whitespace(rng).template,
        "expression": lambda: "{{ " + expressions.any(rng.randint(1, 3)) + " }}",
        "statement": Statements(rng).template,
    }
    for kind in options.kinds.split(","):
        rendered = wrong = 0
        for _ in range(options.count):
            source = makers[kind]()
            expected = reference(source, CONTEXT)
            got = worker.render(source, CONTEXT)
            rendered += "text" in expected
            if differ(expected, got):
                wrong += 1
                print(f"{kind}: {source!r}\n  jinja2 {str(expected)[:500]}\n  plumb  {str(got)[:500]}")
        print(f"{kind}: {options.count} templates, {rendered} rendered by jinja2, {wrong} disagreements")


if __name__ == "__main__":
    main()
