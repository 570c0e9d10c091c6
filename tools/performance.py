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
test at depth 0; "pp512 multiply-adds": the multiply-adds per second of that test over those of pp512, attention's included, which is
the rate after subtracting what attention adds. cost --targets judges {"model", "threads", "cost": 4, "most": 1.3}: what four tokens at
once may cost over one, both by the medians and by the least times.

Needs Python 3.8, nothing else. Its tests: tests/tools/performance_test.py.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import time

from performance_results import (PLUMB, Problem, cell_of, complete_rounds, cost_tables, parse_records, parse_tests, read_records,
                                 read_results, read_targets, require_writable, rounds_of, tables, target_section, test_name, write_between_markers)


class Failed(Exception):
    """What some engines could not do, while the others went on."""


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
        if not lines:  # no engine could
            return
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
    require_writable(options.results)
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


def table_command(options):
    lines = [line for path in options.results for line in read_results(path)]
    text = tables(lines) + (target_section(read_targets(options.targets), lines) if options.targets else "")
    if options.write:
        write_between_markers(options.write, text)
    else:
        print(text, end="")


def cost_command(options):
    print(cost_tables(read_records(options.results), read_targets(options.targets) if options.targets else []), end="")


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
    cost.add_argument("--targets", metavar="FILE", help="judge the curves by these")
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
