#!/usr/bin/env python3
"""Tests of tools/performance.py with programs that only pretend to measure. Run by ctest; python3 alone is enough."""
import importlib.util
import io
import json
import lzma
import pathlib
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import performance  # noqa: E402
import performance_results as results  # noqa: E402
import performance_start as start  # noqa: E402
import plot  # noqa: E402

# Prints what llama-bench would for -p and -n, at a rate given by a name and what it counts in a file; leaves a log.
BENCH = """
import json, sys
name, log, rate = sys.argv[1:4]
words = sys.argv[4:]
value = lambda option: words[words.index(option) + 1]
open(log, "a").write(name + " ")
n_run = open(log).read().count(name)
records = []
for option, field in (("-p", "n_prompt"), ("-n", "n_gen")):
    for n in value(option).split(","):
        if n != "0":
            record = {"n_prompt": 0, "n_gen": 0, "n_depth": int(value("-d")), "samples_ts": [float(rate) + n_run],
                      "model_filename": value("-m"), "build_commit": "abc", "cpu_info": "Some CPU"}
            if name == "plumb":
                record["share_of_limit"] = 0.5 + n_run / 100
            record[field] = int(n)
            records.append(record)
print("loading [1/2]")
print(json.dumps(records, indent=2))
"""


def line(engine, round_number, rates, test=(0, 64, 0), model="a", threads=1, **more):
    return {"engine": engine, "round": round_number, "model": model, "n_threads": threads, "n_prompt": test[0], "n_gen": test[1],
            "n_depth": test[2], "samples_ts": rates, "command": f"{engine} -m {{model}}", "when": "2026-01-31T12:00:00Z", **more}


class Parsing(unittest.TestCase):
    def test_names_of_tests(self):
        for text, test in (("tg64", (0, 64, 0)), ("pp512", (512, 0, 0)), ("tg32@d2048", (0, 32, 2048)), ("pp8 @ d4", (8, 0, 4))):
            self.assertEqual(results.parse_test(text), test)
            self.assertEqual(results.test_name(test), text.replace(" ", ""))
        for text in ("", "tg", "tg0", "x5", "tg5@2", "tg5x"):
            with self.assertRaises(results.Problem):
                results.parse_test(text)

    def test_lists_and_ranges_of_tests(self):
        self.assertEqual(results.parse_tests("tg8,pp1-3@d5"), [(0, 8, 0), (1, 0, 5), (2, 0, 5), (3, 0, 5)])
        for text in ("pp3-1", "pp0-2", "pp1-9999999", "tg8,", "pp1-2x"):
            with self.assertRaises(results.Problem):
                results.parse_tests(text)

    def test_llama_bench_prints_arrays_and_lines(self):
        records = [{"n_prompt": 512, "n_gen": 0, "samples_ts": [1.5, 2]}, {"n_prompt": 0, "n_gen": 64, "n_depth": 9, "avg_ts": 3}]
        lines = "\n".join(json.dumps(r) for r in records)
        for text in (json.dumps(records), json.dumps(records, indent=1), f"[info] x\n{json.dumps(records)}\ndone [1]\n", lines,
                     f"| md |\n{lines}\nbuild: [x]\n"):
            found = results.parse_records(text, "x")
            self.assertEqual([r["test"] for r in found], [(512, 0, 0), (0, 64, 9)], text)
            self.assertEqual([r["rates"] for r in found], [[1.5, 2], [3]])

    def test_lines_with_test_and_median(self):
        text = 'x\n{"test":"tg64","depth":2048,"median":31.5,"min":30}\n{"test":"pp7@d3","median":2,"reps":[1,2,3]}\n{"other": 1}\n'
        found = results.parse_records(text, "x")
        self.assertEqual([(r["test"], r["rates"]) for r in found], [((0, 64, 2048), [31.5]), ((7, 0, 3), [1, 2, 3])])

    def test_what_is_no_result_is_refused(self):
        for text in ('{"n_prompt": 1, "n_gen": 0}', '{"n_prompt":1,"n_gen":0,"samples_ts":[0]}', '{"test":"tg1","median":"x"}', "{"):
            with self.assertRaises(results.Problem):
                results.parse_records(text, "x")


class Commands(unittest.TestCase):
    def test_placeholders(self):
        tests = [(0, 64, 7), (512, 0, 7), (128, 0, 7)]
        engine = performance.Engine.rival("x=b -m {model} {tests} -p {prompts} -n {gens} -d {depth} -t {threads} -r {repetitions} {a}")
        self.assertEqual(engine.command("a b.gguf", 2, tests, 3), "b -m 'a b.gguf' tg64,pp512,pp128 -p 512,128 -n 64 -d 7 -t 2 -r 3 {a}")
        self.assertIn("-n 0 ", engine.command("m", 1, tests[1:], 1))

    def test_folders_of_this_machine_stay_here(self):
        engine = performance.Engine.rival("x=LIBS=/opt/a-b/lib /home/me/bin/bench -m {model} --json ./rel/x build/a/b {tests}")
        self.assertEqual(engine.public_template(), "LIBS=lib bench -m {model} --json x build/a/b {tests}")

    def test_bad_rivals(self):
        for text in ("x", "x=bench -m {model}", "x=bench {tests}", "plumb=bench {model} {tests}", "=b {model} {tests}"):
            with self.assertRaises(results.Problem):
                performance.Engine.rival(text)


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bench.py").write_text(BENCH)
        self.log, self.results = self.folder / "log", self.folder / "results.jsonl"
        self.plumb = self.program("plumb", 200)

    def program(self, name, rate):
        path = self.folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self.folder}/bench.py" {name} "{self.log}" {rate} "$@"\n')
        path.chmod(0o755)
        return str(path)

    def rival(self, name, rate):
        return f"{name}={self.program(name, rate)} -m {{model}} -p {{prompts}} -n {{gens}} -d {{depth}}"

    def run_tool(self, *words):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = performance.main([*words])
        return code, out.getvalue(), err.getvalue()

    def measure(self, *words):
        return self.run_tool("run", "-m", "dir/m.gguf", "--plumb", self.plumb, "--results", str(self.results), *words)

    def lines(self):
        return [json.loads(text) for text in self.results.read_text().splitlines()]

    def test_engines_take_turns_and_every_sample_is_kept(self):
        code, _, err = self.measure("--tests", "tg8,pp16", "--threads", "1", "--rounds", "3", "--rival", self.rival("other", 100))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.log.read_text().split(), "plumb other other plumb plumb other".split())
        lines = self.lines()
        self.assertEqual(len(lines), 3 * 2 * 2)
        self.assertEqual({(l["engine"], l["round"], l["n_gen"]): l["samples_ts"] for l in lines}[("other", 3, 8)], [103])
        self.assertTrue(all(l["model"] == "m" and "model_filename" not in l for l in lines))
        self.assertNotIn(str(self.folder), self.results.read_text())

    def test_goes_on_where_it_ended(self):
        words = ["--threads", "1,2", "--rival", self.rival("other", 100)]
        self.measure("--tests", "tg8", "--rounds", "2", *words)
        before = self.results.read_text()
        with open(self.results, "a") as f:
            f.write('{"engine": "plumb", "rou')  # killed while it wrote
        self.log.write_text("")
        self.assertEqual(self.measure("--tests", "tg8", "--rounds", "2", *words)[0], 0)
        self.assertEqual(self.log.read_text(), "", "nothing was left to do")
        self.assertEqual(self.measure("--tests", "tg8,tg9@d5", "--rounds", "3", *words)[0], 0)
        self.assertEqual(self.log.read_text().count("plumb"), 2 * (1 + 3))
        self.assertTrue(self.results.read_text().startswith(before))
        self.assertEqual(len(self.lines()), 2 * 2 * (3 + 3))

    def test_a_new_rival_needs_rounds_of_its_own(self):
        self.measure("--tests", "tg8", "--rounds", "2", "--threads", "1")
        self.measure("--tests", "tg8", "--rounds", "2", "--threads", "1", "--rival", self.rival("other", 100))
        self.assertEqual(self.log.read_text().split().count("other"), 2)
        self.assertEqual({l["round"] for l in self.lines() if l["engine"] == "other"}, {3, 4})

    def test_an_engine_that_fails_is_left_out(self):
        code, _, err = self.measure("--tests", "tg8", "--rounds", "2", "--threads", "1", "--rival",
                                    "bad=echo no >&2; exit 3; {model} {tests}")
        self.assertEqual(code, 1)
        self.assertIn("bad: exit code 3", err)
        self.assertEqual([l["engine"] for l in self.lines()], ["plumb", "plumb"])
        self.assertEqual(self.measure("--tests", "tg8", "--rounds", "2", "--threads", "3", "--rival", "odd=true {model} {tests}")[0], 1)

    def test_bad_options(self):
        self.assertEqual(self.measure("--tests", "x")[0], 2)
        self.assertEqual(self.measure("-m", "other/m.gguf")[0], 2)
        self.results.write_text("{}\n{}\n")
        self.assertEqual(self.measure("--tests", "tg1")[0], 2)
        self.assertEqual(self.run_tool("table", "/absent")[0], 2)

    def test_tables_go_between_the_markers(self):
        self.measure("--tests", "tg8", "--rounds", "2", "--threads", "1", "--rival", self.rival("other", 100))
        page = self.folder / "page.md"
        page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
        for _ in range(2):  # again, and nothing piles up
            self.assertEqual(self.run_tool("table", str(self.results), "--write", str(page))[0], 0)
        text = page.read_text()
        self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))
        self.assertEqual(text.count("### tg8"), 1)
        self.assertNotIn("old", text)
        self.assertNotIn(str(self.folder), text)
        page.write_text("no markers")
        self.assertEqual(self.run_tool("table", str(self.results), "--write", str(page))[0], 2)

    def test_nothing_is_measured_without_a_place_for_it(self):
        for place in ("/absent/r.jsonl", str(self.folder), "/dev/full"):
            self.results = pathlib.Path(place)
            code, _, err = self.measure("--tests", "tg8", "--threads", "1")
            self.assertEqual(code, 2, err)
            self.assertIn(place, err)
            self.assertFalse(self.log.exists())

    def test_no_empty_results_where_nothing_could_be_measured(self):
        self.plumb = "/absent/plumb"
        self.assertEqual(self.measure("--tests", "tg8", "--threads", "1")[0], 1)
        self.assertFalse(self.results.exists())


GOOD = {"engine": "plumb", "round": 1, "model": "m", "n_threads": 1, "n_prompt": 0, "n_gen": 8, "n_depth": 0, "samples_ts": [1.5]}


class BadFiles(unittest.TestCase):
    """One line and exit code 2, whatever is in a file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "r.jsonl")

    def refused(self, tool, *words):
        err = io.StringIO()
        with redirect_stderr(err), redirect_stdout(io.StringIO()):
            code = tool.main([*words])
        self.assertEqual(code, 2, err.getvalue())
        self.assertEqual(err.getvalue().count("\n"), 1, err.getvalue())
        return err.getvalue()

    def test_files_that_are_no_results(self):
        for path in ("/dev/full", "/dev/zero", "/absent", "/"):
            for command in ("table", "cost"):
                self.assertIn(path, self.refused(performance, command, path))
        self.file.write_bytes(b"\xff\xfe{}")
        for command in ("table", "cost"):
            self.assertIn("UTF-8", self.refused(performance, command, str(self.file)))
        self.file.write_text('{"a":' + "[" * 100000)
        for command in ("table", "cost"):
            self.refused(performance, command, str(self.file))
        self.assertIn("/dev/zero", self.refused(performance, "table", str(self.good_file()), "--targets", "/dev/zero"))

    def test_files_may_be_compressed(self):
        packed = self.file.with_suffix(".xz")
        whole = lzma.compress(json.dumps(GOOD).encode() + b"\n")
        packed.write_bytes(whole)
        with redirect_stdout(io.StringIO()) as out:
            self.assertEqual(performance.main(["table", str(packed)]), 0)
        self.assertIn("| m | 1 | 1.50 ", out.getvalue())
        for broken in (whole[:-9], b"plain", b""):
            packed.write_bytes(broken)
            self.refused(performance, "table", str(packed))

    def good_file(self):
        self.file.write_text(json.dumps(GOOD) + "\n")
        return self.file

    def test_fields_of_other_types(self):
        for name in (*results.FIELDS, "samples_ts"):
            for value in ({}, [[]], "x", -1.5e400, ["x"]):
                bad = {**GOOD, name: value}
                self.file.write_text(json.dumps(bad) + "\n" + json.dumps(GOOD) + "\n")
                for words in (["table", str(self.file)], ["table", str(self.file), "--targets", str(ROOT / "tools/performance_targets.json")],
                              ["cost", str(self.file)]):
                    err = io.StringIO()
                    with redirect_stderr(err), redirect_stdout(io.StringIO()):
                        self.assertIn(performance.main(words), (0, 2), (name, value, err.getvalue()))

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not there")
    def test_charts(self):
        lines = [line("plumb", 1, [10], test=(n, 0, 0)) for n in (1, 2)]
        self.file.write_text("\n".join(map(json.dumps, lines)))
        for options in (["-o", "/absent/x.png"], ["-o", str(self.file.with_suffix(".xyz"))], ["-o", str(self.file.with_suffix(".png")), "--model", "(("]):
            self.refused(plot, "cost", str(self.file), *options)
        self.file.write_bytes(b"\xff")
        self.refused(plot, "limit", str(self.file), "-o", str(self.file.with_suffix(".png")))


class Tables(unittest.TestCase):
    def test_medians_ranges_and_ratios_of_pairs(self):
        lines = [line("plumb", 1, [10], share_of_limit=0.9), line("r", 1, [5]), line("plumb", 2, [30, 34, 32], share_of_limit=0.8),
                 line("r", 2, [8]), line("plumb", 3, [20], share_of_limit=0.7)]
        text = results.tables(lines)
        self.assertIn("| a | 1 | 20.0 (10.0 to 32.0) | 80 % (70 % to 90 %) | 6.50 | 3.00 (2.00 to 4.00) |", text)
        self.assertIn("Rounds: 3. Limit: memory reads.", text)
        self.assertIn("    r: r -m {model}", text)

    def test_a_section_for_each_test_and_columns_for_each_rival(self):
        lines = [line("plumb", 1, [2000]), line("x", 1, [1000]), line("plumb", 1, [1], test=(512, 0, 9)),
                 line("y", 1, [0.5], test=(512, 0, 9)), line("plumb", 1, [3], model="b")]
        text = results.tables(lines)
        self.assertIn("| model | threads | plumb, tok/s | of the limit | x, tok/s | plumb / x | y, tok/s | plumb / y |", text)
        self.assertIn("| a | 1 | 2000 | - | 1000 | 2.00 | - | - |", text)
        self.assertIn("| b | 1 | 3.00 | - | - | - | - | - |", text)
        self.assertIn("### pp512@d9\n\nRounds: 1. Limit: multiply-adds.", text)

    def test_what_stands_above_them(self):
        lines = [line("plumb", 1, [1], other_processes_share=0.02, cpu_info="C 1", build_commit="abc"),
                 line("plumb", 2, [1], other_processes_share=0.5, cpu_info="C 1", build_commit="abc", when="2026-02-01T00:00:00Z")]
        self.assertTrue(results.tables(lines).startswith(
            "Measured 2026-01-31 to 2026-02-01, processor C 1, plumb abc. While plumb ran, other processes took 2 % to 50 % of the "
            "processors (median 26 %).\n\n    plumb: plumb -m {model}\n\n### tg64\n"))

    def test_without_plumb_there_is_no_table(self):
        with self.assertRaises(results.Problem):
            results.tables([line("x", 1, [1])])


class Targets(unittest.TestCase):
    def section(self, *targets):
        lines = [line("plumb", 1, [10], share_of_limit=0.9, model="L-Q4_0"), line("r", 1, [8], model="L-Q4_0"),
                 line("plumb", 2, [12], share_of_limit=0.96, model="L-Q4_0"), line("plumb", 1, [5], test=(512, 0, 0))]
        return results.target_section([results.Target(t, "x") for t in targets], lines)

    def test_cells_are_judged_by_medians(self):
        text = self.section({"model": "*q4_0*", "test": "tg*", "threads": 1, "over": "limit", "least": 0.92},
                            {"model": "*q4_0*", "test": "tg64", "over": "r", "least": 1.3},
                            {"model": "*q4_0*", "test": "tg64", "over": "absent", "least": 1.3},
                            {"model": "*q4_0*", "test": "tg64", "threads": 2, "over": "r", "least": 1.3},
                            {"model": "*q8_0*", "test": "tg64", "over": "r", "least": 1.3})
        self.assertIn("1 of 2 met", text)
        self.assertIn("| L-Q4_0 | 1 | tg64 | 92.0 % of the limit | 93.0 % (90.0 % to 96.0 %) | yes |", text)
        self.assertIn("| L-Q4_0 | 1 | tg64 | 1.30 times r | 1.25 | **no** |", text)
        self.assertEqual(self.section(), "")

    def test_what_depth_costs_beyond_its_reads(self):
        lines = [line("plumb", 1, [10], gbps=40, limit_gbps=50), line("plumb", 1, [5], test=(0, 64, 9), gbps=45, limit_gbps=100),
                 line("plumb", 2, [11], test=(0, 64, 9), gbps=55, limit_gbps=100)]  # 4 GB a token, then 9 GB in 0.1 s more; 5 GB
        target = results.Target({"model": "a", "test": "tg64@d9", "over": "added reads", "least": 0.8}, "x")
        cells = results.rounds_of(lines)
        found = target.reached(("a", 1, (0, 64, 9)), cells)
        self.assertAlmostEqual(found[0], 0.5)
        self.assertEqual(found[1], 9)
        self.assertFalse(target.matches(("a", 1, (0, 64, 0))))
        self.assertFalse(results.Target({"model": "a", "test": "tg*", "over": "r", "least": 1}, "x").matches(("a", 1, (0, 64, 9))))

    def test_the_file_that_comes_with_it(self):
        self.assertTrue(results.read_targets(ROOT / "tools/performance_targets.json"))
        for fields in ({}, 3, {"model": "a", "test": "b", "over": "c", "least": "x"}):
            with self.assertRaises(results.Problem):
                results.Target(fields, "x")


class Costs(unittest.TestCase):
    def test_over_one_token(self):
        records = results.parse_records("\n".join(json.dumps(r) for r in [
            {"n_prompt": 1, "n_gen": 0, "n_threads": 2, "model_filename": "x/m.gguf", "samples_ts": [50, 100, 200]},
            {"n_prompt": 4, "n_gen": 0, "n_threads": 2, "model_filename": "x/m.gguf", "samples_ts": [200]},
            {"n_prompt": 0, "n_gen": 4, "n_threads": 2, "model_filename": "x/m.gguf", "samples_ts": [1]},
            {"n_prompt": 4, "n_gen": 0, "n_threads": 1, "model_filename": "x/m.gguf", "samples_ts": [1]}]), "x")
        self.assertEqual(results.costs(records), {("m", "other", 2, 0): {1: 0.01, 4: 0.02}})
        self.assertIn("| 4 | 20.00 | 2.00 | 20.00 | 4.00 |", results.cost_tables(records))
        with self.assertRaises(results.Problem):
            results.cost_tables(records[2:])


    def test_judged_by_medians_and_by_the_least(self):
        records = results.parse_records("\n".join(json.dumps(r) for r in [
            {"n_prompt": 1, "n_gen": 0, "n_threads": 2, "model_filename": "L-Q4_0.gguf", "samples_ts": [100, 100, 150]},
            {"n_prompt": 4, "n_gen": 0, "n_threads": 2, "model_filename": "L-Q4_0.gguf", "samples_ts": [320, 400, 410]}]), "x")
        text = results.cost_tables(records, results.read_targets(ROOT / "tools/performance_targets.json"))
        self.assertNotIn("| 4 | 1.3 |", text, "another model")
        text = results.cost_tables(records, [results.CostTarget({"model": "*q4_0", "threads": 2, "cost": 4, "most": 1.3}, "x")])
        self.assertIn("| 4 | 1.3 | medians | 1.00 | yes |", text)
        self.assertIn("| 4 | 1.3 | least times | 1.46 | **no** |", text)
        with self.assertRaises(results.Problem):
            results.CostTarget({"cost": 4}, "x")

    def test_rates_after_subtracting_attention(self):
        lines = [line("plumb", 1, [9], test=(512, 0, 0), gmacs=100), line("plumb", 1, [5], test=(2048, 0, 0), gmacs=80)]
        target = results.Target({"model": "a", "test": "pp2048", "over": "pp512 multiply-adds", "least": 0.75}, "x")
        self.assertIn("| pp2048 | 75.0 % of the pp512 multiply-adds | 80.0 % | yes |", results.target_section([target], lines))


START = """
import json, sys
words = sys.argv[1:]
if words[0] == "bench":
    print(json.dumps([{"samples_ns": [1000], "cpu_info": "a processor", "build_commit": "12ab"}]))
elif words[0] == "info":
    print(json.dumps({"memory": {"total": 1 << 20}}))
elif words[0] == "ppl":
    print(json.dumps({"kld_mean": 0.00123}))
elif "b.gguf" in " ".join(words):
    sys.exit("no tokenizer")
"""


class Starting(unittest.TestCase):
    def test_every_cell(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "plumb.py").write_text(START)
            plumb = folder / "plumb"
            plumb.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/plumb.py" "$@"\n')
            plumb.chmod(0o755)
            for model in ("smollm2.gguf", "b.gguf"):
                (folder / model).write_bytes(b"x" * 100000)
            out, err, kept = io.StringIO(), io.StringIO(), str(folder / "r.jsonl")
            with redirect_stdout(out), redirect_stderr(err):
                self.assertEqual(start.main(["run", "-m", str(folder / "smollm2.gguf"), "-m", str(folder / "b.gguf"), "--rounds", "2",
                                             "--kld", "t", "--plumb", str(plumb), "--results", kept]), 0, err.getvalue())
                self.assertEqual(start.main(["table", kept, "--model", "c"]), 0)
            lines = [json.loads(text) for text in pathlib.Path(kept).read_text().splitlines()]
            self.assertEqual(len(lines), 2 * 2 + 2)
            self.assertGreater(lines[0]["first_token_seconds"], 0)
            self.assertNotIn("first_token_seconds", lines[1])
            self.assertGreater(lines[0]["peak_bytes"], 1 << 20)
            self.assertRegex(out.getvalue(), r"^Measured \d{4}-\d\d-\d\d, processor a processor, plumb 12ab. Rounds: 2.\n\n")
            self.assertIn("| c | load over copying the file once | at most 1.5 times | not measured yet |  |", out.getvalue())
            self.assertIn("| smollm2 | mean KLD from the exact reference | llama.cpp's in the same test | 0.0012 |  |", out.getvalue())
            with redirect_stderr(err):
                self.assertEqual(start.main(["run", "-m", "x", "--results", "/absent/r"]), 2)
                self.assertEqual(start.main(["table", "/dev/zero"]), 2)


class Plots(unittest.TestCase):
    """What is drawn, not the drawing: matplotlib need not be there."""

    def records(self, *lines):
        return results.parse_records("\n".join(map(json.dumps, lines)), "x")

    def test_series_by_depth(self):
        records = self.records(line("plumb", 1, [10]), line("plumb", 1, [6], test=(0, 32, 2048)), line("plumb", 2, [8], test=(0, 32, 2048)),
                               line("r", 1, [5]), line("r", 1, [2], test=(0, 32, 2048)), line("plumb", 1, [1], test=(512, 0, 0)))
        series = plot.by_depth(records)
        self.assertEqual(series[("a", "plumb", 1)], {0: [10], 2048: [6, 8]})
        self.assertEqual(series[("a", "r", 1)], {0: [5], 2048: [2]})

    def test_shares_by_model(self):
        records = self.records(line("plumb", 1, [10], share_of_limit=0.9), line("plumb", 2, [10], share_of_limit=0.7),
                               line("plumb", 1, [10], share_of_limit=0.6, threads=2), line("r", 1, [9]),
                               line("plumb", 1, [10], test=(0, 8, 0), share_of_limit=0.1),
                               line("plumb", 1, [10], test=(0, 99, 9), share_of_limit=0.2))
        self.assertEqual(plot.rival_shares(records, "tg"), {"r": {("a", 1): [0.9 * 0.9]}})
        self.assertEqual(plot.shares(records, "tg"), {("a", 1): [0.9, 0.7], ("a", 2): [0.6]})
        self.assertEqual(plot.shares(records, "pp"), {})

    def test_without_matplotlib_it_says_so(self):
        code = "import sys; sys.modules['matplotlib'] = None; sys.path.insert(0, sys.argv[1]); import plot; sys.exit(plot.main(['depth', 'x', '-o', 'y']))"
        done = subprocess.run([sys.executable, "-c", code, str(ROOT / "tools")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("matplotlib", done.stderr)


@unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not there")
class Drawings(unittest.TestCase):
    def test_every_chart_is_a_picture(self):
        lines = [line(engine, n, [10 + n, 9], test=test, model=model, share_of_limit=0.9) for engine in ("plumb", "r") for n in (1, 2)
                 for test in ((0, 64, 0), (0, 32, 64), (1, 0, 0), (4, 0, 0)) for model in ("l-q4_0", "l-q8_0", "l-q6_k", "l-f16")]
        with tempfile.TemporaryDirectory() as folder:
            file, picture = pathlib.Path(folder, "r.jsonl"), pathlib.Path(folder, "p.png")
            file.write_text("\n".join(map(json.dumps, lines)))
            for chart in ("depth", "limit", "cost"):
                self.assertEqual(plot.main([chart, str(file), "-o", str(picture)]), 0)
                self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"), chart)
                picture.unlink()

    def test_a_folder_is_no_place_for_a_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            file, place = pathlib.Path(folder, "r.jsonl"), pathlib.Path(folder, "charts")
            place.mkdir()
            file.write_text(json.dumps(line("plumb", 1, [10], test=(0, 64, 0), model="m", share_of_limit=0.9)))
            with redirect_stderr(io.StringIO()) as err:
                self.assertEqual(plot.main(["limit", str(file), "-o", str(place)]), 2)
            self.assertIn(str(place), err.getvalue())
            self.assertEqual(sorted(p.name for p in pathlib.Path(folder).iterdir()), ["charts", "r.jsonl"])


if __name__ == "__main__":
    unittest.main()
