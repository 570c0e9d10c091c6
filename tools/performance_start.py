#!/usr/bin/env python3
"""What plumb costs before it is fast: peak memory, load, the first token, quality. Measures, keeps every sample, makes the table of
docs/performance.md.

    python3 tools/performance_start.py run -m SmolLM2-135M-Instruct.Q4_1.gguf -m llama-1b-q4_0.gguf --results start.jsonl
    python3 tools/performance_start.py run -m SmolLM2-135M-Instruct.Q4_1.gguf --kld text.txt --results start.jsonl
    python3 tools/performance_start.py table start.jsonl [--model NAME ...]

run, for each file and round, from a warm file cache:
    peak memory   the largest resident size of `plumb bench -p 512` over what `plumb info -c 512` counts: weights, cache, scratch
    load          the time of `plumb bench -p 1` less that of its test, over the time to copy the file once with as many threads
    first token   the whole process `plumb run -p Hello -n 1`; files without a tokenizer have none
    KLD           with --kld TEXT, once: `plumb ppl -f TEXT --chunks 1 --base-backend reference`, mean (minutes on large models)
table: medians and ranges beside the targets; models named by --model have a row even where nothing was measured.

Needs Python 3.8, nothing else. Its tests: tests/tools/performance_test.py.
"""
import argparse
import json
import mmap
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

from performance_results import Problem, is_number, markdown, measured, read_text, require_writable, spread

# A program started by vfork is told its parent's largest size as its own; one started by fork is not.
subprocess._USE_VFORK = False

# field, heading, unit, the most that is aimed at
CELLS = [("peak_over_counted", "peak memory over weights, cache and scratch", "times", 1.10),
         ("load_over_copy", "load over copying the file once", "times", 1.5),
         ("first_token_seconds", "first token, whole process", "s", 0.25),
         ("kld_mean", "mean KLD from the exact reference", "", None)]
ONLY_SMOLLM2 = {"first_token_seconds"}  # whose target is that model's
NOT_YET = "not measured yet"


def timed(words):
    """Seconds, largest resident bytes, standard output."""
    start = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        drain = threading.Thread(target=lambda: setattr(process, "words", process.stderr.read()))
        drain.start()
        out = process.stdout.read()
        drain.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status) if hasattr(os, "waitstatus_to_exitcode") else status >> 8
    seconds = time.monotonic() - start
    if process.returncode:
        raise Problem(f"{' '.join(words)}: exit code {process.returncode}: {process.words[-300:].decode(errors='replace').strip()}")
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), out


def copy_seconds(path, n_threads):
    """Into memory that is new, a part for each thread."""
    size = os.path.getsize(path)
    start = time.monotonic()
    with open(path, "rb") as f, mmap.mmap(-1, max(1, size)) as memory:
        view = memoryview(memory)
        def part(i):
            begin, end = size * i // n_threads, size * (i + 1) // n_threads
            while begin < end:
                n = os.preadv(f.fileno(), [view[begin:min(end, begin + (1 << 24))]], begin)
                if n <= 0:
                    return
                begin += n
        threads = [threading.Thread(target=part, args=(i,)) for i in range(n_threads)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seconds = time.monotonic() - start
        view.release()
    return seconds


def measure(plumb, model, n_threads):
    bench = [plumb, "bench", "-m", str(model), "-t", str(n_threads), "-n", "0", "-r", "1", "--no-warmup", "--no-limit", "-o", "json",
             "--wait"]
    copied = copy_seconds(model, n_threads)
    seconds, _, out = timed([*bench, "-p", "1"])
    record = json.loads(out)[0]
    loaded = seconds - record["samples_ns"][0] / 1e9
    _, peak, _ = timed([*bench, "-p", "512"])
    memory = json.loads(timed([plumb, "info", "-m", str(model), "-c", "512", "--json"])[2])["memory"]
    line = {"model": pathlib.Path(model).stem, "threads": n_threads, "peak_bytes": peak, "counted_bytes": memory["total"],
            "peak_over_counted": peak / memory["total"], "load_seconds": loaded, "copy_seconds": copied,
            "load_over_copy": loaded / copied, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **{f: record[f] for f in ("cpu_info", "build_commit") if f in record}}
    try:
        line["first_token_seconds"] = timed([plumb, "run", "-m", str(model), "-t", str(n_threads), "-p", "Hello", "-n", "1", "--no-stats"])[0]
    except Problem:
        pass  # no tokenizer
    return line


def kld(plumb, model, n_threads, text):
    out = timed([plumb, "ppl", "-m", str(model), "-t", str(n_threads), "-f", text, "--chunks", "1", "--base-backend", "reference", "--json",
                 "--wait"])[2]
    return {"model": pathlib.Path(model).stem, "threads": n_threads, "kld_mean": json.loads(out)["kld_mean"]}


def run_command(options):
    require_writable(options.results)
    for _ in range(options.rounds):
        for model in options.model:
            keep(options.results, measure(options.plumb, model, options.threads))
    for model in options.model if options.kld else []:
        keep(options.results, kld(options.plumb, model, options.threads, options.kld))


def keep(path, line):
    with open(path, "a", encoding="utf-8") as f:
        f.write(json.dumps(line) + "\n")


def read_lines(path):
    lines = []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        try:
            line = json.loads(text)
            good = isinstance(line["model"], str) and isinstance(line["threads"], int)
            good = good and all(is_number(line[f]) for f, *_ in CELLS if f in line)
            good = good and all(isinstance(line[f], str) for f in ("when", "cpu_info", "build_commit") if f in line)
        except (ValueError, KeyError, TypeError, RecursionError):
            good = False
        if not good:
            raise Problem(f"{path}:{number}: expected a line that `performance_start.py run` wrote")
        lines.append(line)
    return lines


def table(lines, models):
    rows = []
    for model in dict.fromkeys([*models, *(line["model"] for line in lines)]):
        for field, heading, unit, most in CELLS:
            if field in ONLY_SMOLLM2 and "smollm2" not in model.lower():
                continue
            values = [line[field] for line in lines if line["model"] == model and field in line]
            text = lambda x: f"{x:.4f}" if field == "kld_mean" else f"{x:.2f}"
            aim = f"at most {most:g} {unit}" if most else "llama.cpp's in the same test"
            met = "" if not values or not most else "yes" if statistics.median(values) <= most else "**no**"
            rows.append([model, heading, aim, spread(values, text) if values else NOT_YET, met])
    counts = [sum(line["model"] == model and "load_over_copy" in line for line in lines) for model in {line["model"] for line in lines}]
    rounds = f"Rounds: {min(counts)}" + (f" to {max(counts)}" if min(counts) < max(counts) else "") + "." if counts else ""
    head = " ".join(text for text in (measured(lines, lines), rounds) if text)
    return (head + "\n\n" if head else "") + markdown(["model", "what", "aimed at", "reached", "met"], rows)


def table_command(options):
    print(table([line for path in options.results for line in read_lines(path)], options.model), end="")


def parse_options(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("-m", "--model", action="append", required=True)
    run.add_argument("--threads", type=int, default=2)
    run.add_argument("--rounds", type=int, default=5)
    run.add_argument("--kld", metavar="TEXT")
    run.add_argument("--plumb", default="build/release/apps/plumb/plumb")
    run.add_argument("--results", required=True)
    run.set_defaults(do=run_command)
    show = commands.add_parser("table")
    show.add_argument("results", nargs="*")
    show.add_argument("--model", action="append", default=[])
    show.set_defaults(do=table_command)
    return parser.parse_args(words)


def main(words):
    options = parse_options(words)
    try:
        options.do(options)
    except (Problem, OSError, ValueError, KeyError) as e:
        print(f"performance_start.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
