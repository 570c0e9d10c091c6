#!/usr/bin/env python3
"""plumb beside its rivals, in turns: measures, keeps every sample, and makes the tables of docs/performance.md.

    R='llama.cpp=llama-bench -m {model} -t {threads} -p {prompts} -n {gens} -d {depth} -r {repetitions} -o json'
    python3 tools/performance.py run -m A.gguf -m B.gguf --tests tg64,pp512,tg32@d2048 --threads 1,2 --rival "$R" --results r.jsonl
    python3 tools/performance.py table r.jsonl                                # prints the tables
    python3 tools/performance.py table r.jsonl --write docs/performance.md    # puts them between its markers
    python3 tools/performance.py cost r.jsonl                                 # what n tokens at once cost over one

run: for every model, number of threads and depth, and for every round, each engine runs the tests once, the first one last in every
second round; so that whatever changes on the machine hits all of them. plumb measures the machine's limits in the same run. A round
is written to the results file when all engines have finished it, one line per engine and test: llama-bench's fields, plumb's own, and
`engine`, `round`, `model`, `command`. A second run with the same file goes on where the first ended, and skips what has its rounds.

An engine that fails is left out of the rest of that group, and the exit code is 1.

A rival is NAME=COMMAND with {model} {threads} {depth} {repetitions} in it and either {tests} ("tg64,pp512") or {prompts} and {gens}
("512" and "64", "0" for none). It prints llama-bench's JSON or JSON lines (n_prompt, n_gen, n_depth, samples_ts or avg_ts), or lines
such as {"test": "tg64", "depth": 0, "median": 31.5} (and "reps", the single rates); other lines are ignored. Several rivals are allowed.

cost: reads results of `run --tests pp1-16 --plumb-options=--all-logits`, or of `plumb bench -p 1-16 -n 0 --all-logits -o json`. Rounds
of the first see the same machine with every number of tokens.

table --targets FILE judges the cells by a JSON list of {"model": "*q4_0*", "test": "tg64", "threads": 2, "over": "limit", "least": 0.95}
(model and test are patterns, threads may be left out); tools/performance_targets.json is one. `over` is a rival; "limit"; or "added
reads": the least time that the additional reads of a test at a depth take at the limit, over the time that it takes more than the same
test at depth 0.

Needs Python 3.8, nothing else. Its tests: tests/tools/performance_test.py.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import time

BEGIN, END = "<!-- performance.py: begin -->", "<!-- performance.py: end -->"
PLUMB = "plumb"
NO_CURVE = "expected prompts of several lengths, one token among them (run --tests pp1-16), got none"


class Problem(Exception):
    """What the user has to mend."""


class Failed(Exception):
    """What some engines could not do, while the others went on."""


# Tests: (n_prompt, n_gen, n_depth).

def parse_test(text):
    found = re.fullmatch(r"(pp|tg)(\d+)(?:\s*@\s*d(\d+))?", text.strip())
    if not found or int(found[2]) == 0:
        raise Problem(f"expected a test such as tg64, pp512 or tg32@d2048, got {text!r}")
    n, depth = int(found[2]), int(found[3] or 0)
    return (n, 0, depth) if found[1] == "pp" else (0, n, depth)


def parse_tests(text):
    """"tg64,pp1-16@d512": ranges too."""
    tests = []
    for part in text.split(","):
        span = re.fullmatch(r"\s*(pp|tg)(\d+)-(\d+)(.*)", part)
        if span and not 0 < int(span[2]) <= int(span[3]) <= int(span[2]) + 4096:
            raise Problem(f"expected a range such as pp1-16, got {part!r}")
        tests += [parse_test(f"{span[1]}{n}{span[4]}") for n in range(int(span[2]), int(span[3]) + 1)] if span else [parse_test(part)]
    return tests


def test_name(test):
    n_prompt, n_gen, depth = test
    name = "+".join([f"pp{n_prompt}"] * (n_prompt > 0) + [f"tg{n_gen}"] * (n_gen > 0))
    return name + (f"@d{depth}" if depth else "")


# Records of any program: dictionaries with llama-bench's fields.

def json_objects(text):
    """The records of a JSON array, or of the lines that begin with '{'."""
    array = re.search(r"^\[\s*\{.*\}\s*\]", text, re.DOTALL | re.MULTILINE)
    if array:
        return json.loads(array[0])
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def parse_records(text, what):
    """Each with test, rates (tokens per second) and the record itself as it was printed."""
    try:
        objects = json_objects(text)
    except ValueError as e:
        raise Problem(f"{what}: not JSON: {e}") from None
    return [record for record in (as_record(o, what) for o in objects) if record]


def as_record(o, what):
    if "n_prompt" in o and "n_gen" in o:
        test = (o["n_prompt"], o["n_gen"], o.get("n_depth", 0))
        rates = o.get("samples_ts") or [o.get("avg_ts")]
    elif "test" in o and "median" in o:
        n_prompt, n_gen, depth = parse_test(o["test"])
        test, rates = (n_prompt, n_gen, o.get("depth", depth)), o.get("reps") or [o["median"]]
    else:
        return None
    if not all(isinstance(r, (int, float)) and r > 0 for r in rates):
        raise Problem(f"{what}: {test_name(test)}: expected rates above 0, got {rates}")
    return {"test": test, "rates": rates, "fields": o}


def engine_of(record):
    return record["fields"].get("engine", "other")


def model_of(record):
    return record["fields"].get("model") or pathlib.Path(record["fields"].get("model_filename", "?")).stem


# Measuring.

class Engine:
    def __init__(self, name, template):
        self.name, self.template = name, template
        if not ("{tests}" in template or ("{prompts}" in template and "{gens}" in template)) or "{model}" not in template:
            raise Problem(f"--rival {name}: expected {{model}} and {{tests}}, or {{prompts}} and {{gens}}, in its command")

    @staticmethod
    def rival(text):
        name, equals, template = text.partition("=")
        if not equals or not re.fullmatch(r"[\w. -]+", name) or name == PLUMB:
            raise Problem(f"--rival: expected NAME=COMMAND, got {text!r}")
        return Engine(name, template)

    def command(self, model, threads, tests, repetitions):
        numbers = lambda i: ",".join(str(t[i]) for t in tests if t[i]) or "0"
        fields = {"model": shlex.quote(str(model)), "threads": threads, "depth": tests[0][2], "repetitions": repetitions,
                  "prompts": numbers(0), "gens": numbers(1), "tests": ",".join(test_name((*t[:2], 0)) for t in tests)}
        return re.sub(r"\{(\w+)\}", lambda m: str(fields.get(m[1], m[0])), self.template)

    def public_template(self):
        """The command for readers elsewhere: programs and files without the folders of this machine."""
        return re.sub(r"(?<![\w.])(~|\.{0,2})(/[\w.@+-]+)+/(?=[\w.-])", "", self.template)

    def run(self, model, threads, tests, repetitions):
        command = self.command(model, threads, tests, repetitions)
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        if done.returncode:
            raise Problem(f"{self.name}: exit code {done.returncode}: {command}\n{done.stderr[-600:]}")
        found = {r["test"]: r for r in parse_records(done.stdout, self.name)}
        missing = [test_name(t) for t in tests if t not in found]
        if missing:
            raise Problem(f"{self.name}: no result for {', '.join(missing)}: {command}")
        return [found[t] for t in tests]


def result_line(engine, record, model, threads, round_number):
    n_prompt, n_gen, depth = record["test"]
    line = dict(record["fields"])
    for field in ("model_filename", "median", "reps", "test", "depth"):  # a path, and what stands below in one form
        line.pop(field, None)
    line.update(engine=engine.name, round=round_number, model=pathlib.Path(model).stem, n_threads=threads, n_prompt=n_prompt,
                n_gen=n_gen, n_depth=depth, samples_ts=record["rates"], command=engine.public_template(),
                when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    return line


def cell_of(line):
    return line["model"], line["n_threads"], (line["n_prompt"], line["n_gen"], line["n_depth"])


def rounds_of(lines):
    """cell -> round -> engine -> line"""
    cells = {}
    for line in lines:
        cells.setdefault(cell_of(line), {}).setdefault(line["round"], {})[line["engine"]] = line
    return cells


def read_results(path):
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(json.loads(line))
            cell_of(lines[-1]), lines[-1]["engine"], lines[-1]["round"], statistics.median(lines[-1]["samples_ts"])
        except (ValueError, KeyError, TypeError):
            if number == text.count("\n") + 1:  # a run that was killed while it wrote
                lines = lines[:number - 1]
                continue
            raise Problem(f"{path}:{number}: expected a line that `performance.py run` wrote") from None
    return lines


def complete_rounds(rounds, names):
    return sum(names <= set(engines) for engines in rounds.values())


class Runner:
    def __init__(self, engines, path, rounds, repetitions, say):
        self.engines, self.path, self.rounds, self.repetitions, self.say = engines, path, rounds, repetitions, say
        self.cells = rounds_of(read_results(path) if os.path.exists(path) else [])
        self.failures = []

    def missing(self, cell, engines):
        return self.rounds - complete_rounds(self.cells.get(cell, {}), {e.name for e in engines})

    def run_group(self, model, threads, tests):
        """Tests of one depth, which an engine runs in one go, until each has its rounds."""
        engines = list(self.engines)
        cell = lambda test: (pathlib.Path(model).stem, threads, test)
        while engines and engines[0].name == PLUMB:
            due = [t for t in tests if self.missing(cell(t), engines) > 0]
            if not due:
                return
            number = 1 + max((r for t in due for r in self.cells.get(cell(t), {})), default=0)
            lines = []
            for engine in engines if number % 2 else engines[::-1]:
                try:
                    records = engine.run(model, threads, due, self.repetitions)
                    lines += [result_line(engine, r, model, threads, number) for r in records]
                except Problem as e:
                    self.failures.append(str(e))
                    engines = [other for other in engines if other is not engine]
            self.append(lines)
            self.say(number, lines)

    def append(self, lines):
        whole = "".join(json.dumps(line) + "\n" for line in lines)
        with open(self.path, "a+b") as f:
            f.seek(0, os.SEEK_END)
            if f.tell() and (f.seek(-1, os.SEEK_END), f.read(1))[1] != b"\n":  # the rest of a killed run's line
                f.seek(0)
                f.truncate(f.read().rfind(b"\n") + 1)
            f.write(whole.encode())
        for cell, rounds in rounds_of(lines).items():
            for number, engines in rounds.items():
                self.cells.setdefault(cell, {}).setdefault(number, {}).update(engines)


def groups_by_depth(tests):
    groups = {}
    for test in dict.fromkeys(tests):
        groups.setdefault(test[2], []).append(test)
    return list(groups.values())


def say_round(number, lines):
    for line in lines:
        model, threads, test = cell_of(line)
        print(f"{model} t{threads} {test_name(test)} round {number} {line['engine']}: "
              f"{statistics.median(line['samples_ts']):.2f} tok/s", file=sys.stderr, flush=True)


def run_command(options):
    own = (f"{shlex.quote(options.plumb)} bench -m {{model}} -t {{threads}} -p {{prompts}} -n {{gens}} -d {{depth}} "
           f"-r {{repetitions}} -o json --wait")
    engines = [Engine(PLUMB, f"{own} {options.plumb_options}".strip()), *map(Engine.rival, options.rival)]
    if len({e.name for e in engines}) < len(engines):
        raise Problem("--rival: expected different names")
    tests = parse_tests(options.tests)
    runner = Runner(engines, options.results, options.rounds, options.repetitions, say_round)
    stems = [pathlib.Path(m).stem for m in options.model]
    if len(set(stems)) < len(stems):
        raise Problem("-m: expected files with different names")
    for model in options.model:
        for threads in options.threads:
            for group in groups_by_depth(tests):
                runner.run_group(model, threads, group)
    if runner.failures:
        raise Failed("\n".join(runner.failures))


# Tables.

def number_text(x):
    return f"{x:.0f}" if x >= 1000 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def spread(values, text):
    middle = text(statistics.median(values))
    low, high = text(min(values)), text(max(values))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def rate(line):
    return statistics.median(line["samples_ts"])


def row_of(cell, rounds, rivals):
    model, threads, _ = cell
    mine = [engines[PLUMB] for engines in rounds.values() if PLUMB in engines]
    shares = [line["share_of_limit"] for line in mine if line.get("share_of_limit")]
    row = [model, str(threads), spread([rate(line) for line in mine], number_text),
           spread(shares, lambda x: f"{100 * x:.0f} %") if shares else "-"]
    for name in rivals:
        pairs = [(rate(e[PLUMB]), rate(e[name])) for e in rounds.values() if PLUMB in e and name in e]
        row += [number_text(statistics.median(b for _, b in pairs)),
                spread([a / b for a, b in pairs], lambda x: f"{x:.2f}")] if pairs else ["-", "-"]
    return row


def markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def section(test, cells, rivals):
    header = ["model", "threads", "plumb, tok/s", "of the limit"]
    for name in rivals:
        header += [f"{name}, tok/s", f"plumb / {name}"]
    rows = [row_of(cell, rounds, rivals) for cell, rounds in cells.items() if cell[2] == test]
    counts = [len(rounds) for cell, rounds in cells.items() if cell[2] == test]
    n = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    limit = "multiply-adds" if test[0] else "memory reads"
    return f"### {test_name(test)}\n\nRounds: {n}. Limit: {limit}.\n\n{markdown(header, rows)}"


def facts(lines):
    """What was measured with what, for the lines above the tables."""
    distinct = lambda values: ", ".join(dict.fromkeys(str(v) for v in values if v))
    mine = [line for line in lines if line["engine"] == PLUMB]
    days = sorted(line["when"][:10] for line in lines if line.get("when"))
    out = []
    if days:
        out.append("Measured " + (days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"))
    for text, field in (("processor", "cpu_info"), ("plumb", "build_commit")):
        found = distinct(line.get(field) for line in mine)
        out += [f"{text} {found}"] if found else []
    first = (", ".join(out) + ".") if out else ""
    others = [line["other_processes_share"] for line in mine if line.get("other_processes_share") is not None]
    if others:
        first += (f" While plumb ran, other processes took {100 * min(others):.0f} % to {100 * max(others):.0f} % of the processors "
                  f"(median {100 * statistics.median(others):.0f} %).")
    first += "\n\n" if first else ""
    commands = dict.fromkeys((line["engine"], line["command"]) for line in lines if line.get("command"))
    return first + "".join(f"    {name}: {command}\n" for name, command in commands) + "\n"


def tables(lines):
    if not any(line["engine"] == PLUMB for line in lines):
        raise Problem("expected results of plumb, got none")
    rivals = list(dict.fromkeys(line["engine"] for line in lines if line["engine"] != PLUMB))
    cells = {cell: rounds for cell, rounds in rounds_of(lines).items() if any(PLUMB in e for e in rounds.values())}
    tests = dict.fromkeys(cell[2] for cell in cells)
    return facts(lines) + "\n".join(section(test, cells, rivals) for test in tests)


class Target:
    def __init__(self, fields, what):
        try:
            self.model, self.test, self.over = str(fields["model"]), str(fields["test"]), str(fields["over"])
            self.threads, self.least = fields.get("threads"), float(fields["least"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Problem(f"{what}: expected a list of objects with model, test, over and least, got {fields!r}") from None

    def matches(self, cell):
        model, threads, test = cell
        return (fnmatch.fnmatchcase(model.lower(), self.model.lower()) and fnmatch.fnmatchcase(test_name(test), self.test)
                and ("@" in self.test) == (test[2] > 0) and self.threads in (None, threads))

    def reached(self, cell, cells):
        """One value for each round that says something."""
        rounds = cells[cell]
        if self.over == "added reads":
            model, threads, (n_prompt, n_gen, _) = cell
            return added_reads(rounds, cells.get((model, threads, (n_prompt, n_gen, 0)), {}))
        if self.over == "limit":
            return [e[PLUMB]["share_of_limit"] for e in rounds.values() if PLUMB in e and e[PLUMB].get("share_of_limit")]
        return [rate(e[PLUMB]) / rate(e[self.over]) for e in rounds.values() if PLUMB in e and self.over in e]

    def row(self, cell, values):
        percent = lambda x: f"{100 * x:.1f} %"
        times = lambda x: f"{x:.2f} times"
        text = percent if self.over in ("limit", "added reads") else times
        return [cell[0], str(cell[1]), test_name(cell[2]), f"{text(self.least)} {self.over}", spread(values, text),
                "yes" if statistics.median(values) >= self.least else "**no**"]


def added_reads(rounds, shallow):
    """What depth should cost over what it costs, by the medians at depth 0."""
    mine = lambda some: [e[PLUMB] for e in some.values() if PLUMB in e and e[PLUMB].get("limit_gbps")]
    seconds = lambda line: 1 / rate(line)
    gigabytes = lambda line: line["gbps"] / rate(line)  # of a token
    if not mine(shallow):
        return []
    base_seconds, base_gigabytes = (statistics.median(map(f, mine(shallow))) for f in (seconds, gigabytes))
    values = []
    for line in mine(rounds):
        least, more = (gigabytes(line) - base_gigabytes) / line["limit_gbps"], seconds(line) - base_seconds
        values.append(least / more if more > least / 9 else 9.0)  # noise may hide the cost
    return values


def read_targets(path):
    try:
        fields = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None
    except ValueError as e:
        raise Problem(f"{path}: not JSON: {e}") from None
    return [Target(f, path) for f in (fields if isinstance(fields, list) else [fields])]


def target_section(targets, lines):
    rows = []
    cells = rounds_of(lines)
    for cell in cells:
        for target in targets:
            values = target.reached(cell, cells) if target.matches(cell) else []
            rows += [target.row(cell, values)] if values else []
    met = sum(row[-1] == "yes" for row in rows)
    return (f"\n### Targets\n\n{met} of {len(rows)} met by the median.\n\n"
            + markdown(["model", "threads", "test", "at least", "reached", "met"], rows)) if rows else ""


def write_between_markers(path, text):
    page = pathlib.Path(path).read_text(encoding="utf-8")
    begin, end = page.find(BEGIN), page.find(END)
    if not 0 <= begin < end:
        raise Problem(f"{path}: expected the lines {BEGIN} and {END}")
    page = f"{page[:begin]}{BEGIN}\n\n{text}\n{page[end:]}"
    pathlib.Path(path).write_text(page, encoding="utf-8")


def table_command(options):
    lines = [line for path in options.results for line in read_results(path)]
    text = tables(lines) + (target_section(read_targets(options.targets), lines) if options.targets else "")
    if options.write:
        write_between_markers(options.write, text)
    else:
        print(text, end="")


# What n tokens cost over one.

def costs(records):
    """(model, engine, threads, depth) -> {n: seconds for n tokens at once}, of those that have n = 1."""
    times = {}
    for r in records:
        n_prompt, n_gen, depth = r["test"]
        if n_gen:
            continue
        key = (model_of(r), engine_of(r), r["fields"].get("n_threads", 0), depth)
        times.setdefault(key, {}).setdefault(n_prompt, []).extend(n_prompt / x for x in r["rates"])
    return {key: {n: statistics.median(s) for n, s in sorted(by_n.items())} for key, by_n in times.items() if 1 in by_n}


def cost_tables(records):
    curves = costs(records)
    if not curves:
        raise Problem(NO_CURVE)
    parts = []
    for (model, engine, threads, depth), seconds in curves.items():
        rows = [[str(n), f"{1000 * s:.2f}", f"{s / seconds[1]:.2f}", number_text(n / s)] for n, s in seconds.items()]
        parts.append(f"{model}, {engine}, {threads} threads, depth {depth}\n\n"
                     + markdown(["tokens at once", "ms", "cost over one", "tok/s"], rows))
    return "\n".join(parts)


def read_records(paths):
    records = []
    for path in paths:
        try:
            records += parse_records(pathlib.Path(path).read_text(encoding="utf-8"), path)
        except OSError as e:
            raise Problem(f"{path}: {e.strerror}") from None
    return records


def cost_command(options):
    print(cost_tables(read_records(options.results)), end="")


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def positives(text):
    return [positive(part) for part in text.split(",")]


def parse_options(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, or go on measuring")
    run.add_argument("-m", "--model", action="append", required=True, help="a GGUF file; repeatable")
    run.add_argument("--tests", default="tg64,pp512", help="such as tg64,pp512,pp1-16@d512 (default: %(default)s)")
    run.add_argument("--threads", type=positives, default=[1, 2], help="(default: 1,2)")
    run.add_argument("--rounds", type=positive, default=5, help="(default: %(default)s)")
    run.add_argument("--repetitions", type=positive, default=1, help="of each test in a round (default: %(default)s)")
    run.add_argument("--rival", action="append", default=[], help="NAME=COMMAND; repeatable")
    run.add_argument("--plumb", default="build/release/apps/plumb/plumb", help="(default: %(default)s)")
    run.add_argument("--plumb-options", default="", help="more for `plumb bench`, such as '--cpu avx2'")
    run.add_argument("--results", required=True, help="a file of JSON lines, made or gone on with")
    run.set_defaults(do=run_command)
    table = commands.add_parser("table", help="Markdown tables of results")
    table.add_argument("results", nargs="+")
    table.add_argument("--write", metavar="PAGE", help="put them between the markers of a Markdown file")
    table.add_argument("--targets", metavar="FILE", help="judge the cells by these")
    table.set_defaults(do=table_command)
    cost = commands.add_parser("cost", help="what n tokens at once cost over one")
    cost.add_argument("results", nargs="+", help="of `plumb bench -o json`, or of `run`")
    cost.set_defaults(do=cost_command)
    return parser.parse_args(words)


def main(words):
    options = parse_options(words)
    try:
        options.do(options)
    except (Problem, Failed) as e:
        print(f"performance.py: {e}", file=sys.stderr)
        return 2 if isinstance(e, Problem) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
