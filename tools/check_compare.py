#!/usr/bin/env python3
"""How often is `plumb compare --run` wrong on this machine? Compares a program with itself (A/A), which must not find a difference in
more than 5 % of the tries, and with itself made slower by a few percent, which must be found in at least 80 %. The planted slowdown is
real time: the slow side's repetitions are reported as they were measured, times 1.03.

    python3 tools/check_compare.py [--plumb build/release/apps/plumb/plumb] [--model FILE] [--bench '-n 32 -p 0 -r 3 -t 2']
                                   [--tries 60] [--planted 20] [--slowdown 0.03] [--rounds 20]

Needs Python 3.8 and a built plumb. Prints a line per try and a summary as JSON; exit code 1 where a bound is missed. Takes
(tries + planted) * (rounds + 1) * 2 runs of the benchmark. PLUMB_TRY_LATER names a file: while it exists, the next try waits.
"""
import argparse, json, os, pathlib, shlex, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def slowed(factor):
    """Filter: a benchmark's JSON from standard input, slower."""
    records = json.load(sys.stdin)
    for r in records:
        r["samples_ns"] = [round(n * factor) for n in r["samples_ns"]]
        r["samples_ts"] = [x / factor for x in r["samples_ts"]]
    json.dump(records, sys.stdout)


def compare(a, run_b):
    run_a = f"{a.plumb} bench {a.bench} --no-limit -o json" + (f" -m {shlex.quote(a.model)}" if a.model else "")
    # A filter on both sides, so that both pay for it; it fails where the benchmark does.
    both = [f"{run_a} | {shlex.quote(sys.executable)} {shlex.quote(__file__)} --slow {f}" for f in (1, run_b)]
    try:
        p = subprocess.run([a.plumb, "compare", "--json", "--rounds", str(a.rounds), "--wait", "--run", both[0], "--run", both[1]],
                           capture_output=True, text=True)
    except OSError as e:
        sys.exit(f"--plumb {a.plumb}: {e.strerror}")
    if p.returncode:
        sys.exit(f"{a.plumb} compare: exit code {p.returncode}: {p.stderr.strip() or 'it says nothing'}")
    return json.loads(p.stdout)


def tries(a, what, n, factor):
    found = {"better": 0, "worse": 0, "no difference": 0}
    for i in range(n):
        while os.path.exists(os.environ.get("PLUMB_TRY_LATER", "")):
            time.sleep(2)
        r = compare(a, factor)
        found[r["verdict"]] += 1
        print(f"{what} {i + 1}/{n}: {r['verdict']}, {r['ratio']:.4f} ({r['interval'][0]:.4f} to {r['interval'][1]:.4f})", flush=True)
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--plumb", default=str(ROOT / "build/release/apps/plumb/plumb"))
    p.add_argument("--model", default="")
    p.add_argument("--bench", default="-n 32 -p 0 -r 3 -t 2")
    p.add_argument("--tries", type=int, default=60)
    p.add_argument("--planted", type=int, default=20)
    p.add_argument("--slowdown", type=float, default=0.03)
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--slow", type=float, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.slow:
        return slowed(a.slow)
    if a.tries < 0 or a.planted < 0:
        p.error("--tries and --planted: expected 0 or more")
    same = tries(a, "A/A", a.tries, 1)
    slower = tries(a, "planted", a.planted, 1 + a.slowdown)
    wrong = same["better"] + same["worse"]
    print(json.dumps({"same": same, "slower": slower, "bench": a.bench, "rounds": a.rounds, "slowdown": a.slowdown}))
    if wrong > 0.05 * a.tries or slower["worse"] < 0.8 * a.planted:
        sys.exit(1)


main()
