#!/usr/bin/env python3
"""Charts (PNG) of what tools/performance.py measured, or of what `plumb bench -o json` printed.

    python3 tools/plot.py depth r.jsonl -o depth.png          # tok/s by depth of the context, rivals beside plumb
    python3 tools/plot.py limit r.jsonl -o limit.png          # share of the machine's limit by model, rivals beside plumb
    python3 tools/plot.py cost cost.json -o cost.png          # what n tokens at once cost over one

Points and bars are medians, the thin lines around them go from the least to the most. Several files may be given. -t chooses the number
of threads (the largest there is), --model REGEX models by their names, --title another title.

depth needs tests at several depths (`performance.py run --tests tg32,tg32@d2048,tg32@d8192`), limit plumb's share_of_limit: a rival's
share is plumb's of the same round over the ratio of their rates, for both have the same work to do. cost reads what `performance.py
cost` reads.

Needs Python 3.8 and matplotlib (Debian: python3-matplotlib). Its tests: tests/tools/performance_test.py.
"""
import argparse
import os
import re
import statistics
import sys

from performance_results import NO_CURVE, PLUMB, Problem, costs, engine_of, model_of, read_records, test_name

COLOURS = ["#7a2f6f", "#8a9aa8", "#d08a3c", "#4f8a8b", "#b5b35c", "#5b6ea8", "#a85b5b", "#777777"]  # plumb's first


# What is drawn.

def threads_of(record):
    return record["fields"].get("n_threads", 0)


def by_depth(records):
    """(model, engine, threads) -> {depth: rates}, of generating."""
    series = {}
    for r in records:
        n_prompt, _, depth = r["test"]
        if n_prompt == 0:
            series.setdefault((model_of(r), engine_of(r), threads_of(r)), {}).setdefault(depth, []).extend(r["rates"])
    return series


def kind_of(record):
    return "pp" if record["test"][0] else "tg"


def commonest_test(records, kind):
    """Records of the test of a kind (tg or pp) at depth 0 that most models have, the longest of these."""
    chosen = [r for r in records if kind_of(r) == kind and r["test"][2] == 0]
    models = {}
    for r in chosen:
        models.setdefault(r["test"], set()).add((model_of(r), threads_of(r)))
    commonest = max(models, key=lambda test: (len(models[test]), test), default=None)
    return [r for r in chosen if r["test"] == commonest]


def shares(records, kind):
    """(model, threads) -> plumb's shares of the limit in that test."""
    found = {}
    for r in commonest_test(records, kind):
        if engine_of(r) == PLUMB and r["fields"].get("share_of_limit"):
            found.setdefault((model_of(r), threads_of(r)), []).append(r["fields"]["share_of_limit"])
    return found


def rival_shares(records, kind):
    """rival -> (model, threads) -> shares: plumb's in the same round over the ratio of the rates."""
    chosen = commonest_test(records, kind)
    key = lambda r: (model_of(r), threads_of(r), r["test"], r["fields"].get("round"))
    mine = {key(r): r for r in chosen if engine_of(r) == PLUMB and r["fields"].get("share_of_limit")}
    found = {}
    for r in chosen:
        own = mine.get(key(r))
        if engine_of(r) != PLUMB and own:
            ratio = statistics.median(r["rates"]) / statistics.median(own["rates"])
            by_model = found.setdefault(engine_of(r), {})
            by_model.setdefault((model_of(r), threads_of(r)), []).append(own["fields"]["share_of_limit"] * ratio)
    return found


def chosen_records(options):
    records = read_records(options.results)
    try:
        pattern = re.compile(options.model)
    except re.error as e:
        raise Problem(f"--model: expected a regular expression, got {options.model!r}: {e}") from None
    records = [r for r in records if pattern.search(model_of(r))]
    threads = options.threads or max(map(threads_of, records), default=0)
    return [r for r in records if threads_of(r) == threads], threads


def short_names(models):
    """Without what all of them begin with: llama-1b-q4_0, llama-1b-q8_0 -> q4_0, q8_0; the common part too."""
    models = list(dict.fromkeys(models))
    words = [re.split(r"(?<=[-_. ])", m) for m in models]
    n = 0
    while len(models) > 1 and all(len(w) > n + 1 and w[n] == words[0][n] for w in words):
        n += 1
    return {m: "".join(w[n:]) for m, w in zip(models, words)}, "".join(words[0][:n]).rstrip("-_. ") if models else ""


# Drawing.

def pyplot():
    try:
        import matplotlib
    except ImportError:
        raise Problem("matplotlib is needed (Debian: python3-matplotlib)") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                         "grid.color": "#e4e4e4", "axes.axisbelow": True, "figure.dpi": 160, "axes.titlesize": 11,
                         "axes.titlelocation": "left", "legend.frameon": False})
    return plt


def around(values):
    """Distances from the median down to the least and up to the most."""
    middle = statistics.median(values)
    return middle - min(values), max(values) - middle


def footnote(figure, records, threads, what):
    facts = [next((r["fields"]["cpu_info"] for r in records if r["fields"].get("cpu_info")), ""),
             f"{threads} thread{'s' if threads != 1 else ''}" if threads else "",
             what]
    figure.text(0.01, 0.005, ", ".join(f for f in facts if f), fontsize=8, color="#666666")


def save(figure, options, records, threads, what="medians, lines from least to most"):
    footnote(figure, records, threads, what)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    if os.path.isdir(options.output):  # matplotlib would write a file beside it
        raise Problem(f"-o {options.output}: expected a file, got a folder")
    try:
        figure.savefig(options.output)
    except (OSError, ValueError) as e:  # no such folder; no such kind of picture
        raise Problem(f"-o {options.output}: {e}") from None


def engines_in_order(engines):
    return sorted(dict.fromkeys(engines), key=lambda e: e != PLUMB)


def line_with_ranges(axes, x, samples, label, colour):
    middles = [statistics.median(s) for s in samples]
    low, high = zip(*map(around, samples))
    axes.errorbar(x, middles, yerr=[low, high], label=label, color=colour, marker="o", markersize=4, linewidth=1.8,
                  elinewidth=1, capsize=2)
    return middles


def draw_depth(options):
    records, threads = chosen_records(options)
    series = {key: depths for key, depths in by_depth(records).items() if len(depths) > 1}
    if not series:
        raise Problem("expected tests such as tg32 and tg32@d2048 of one model, got none")
    models = list(dict.fromkeys(model for model, _, _ in series))
    engines = engines_in_order(engine for _, engine, _ in series)
    plt = pyplot()
    columns = min(3, len(models))
    rows = -(-len(models) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(max(6, 3.6 * columns), 0.8 + 3.2 * rows), squeeze=False)
    for axes in grid.flat[len(models):]:
        axes.remove()
    for axes, model in zip(grid.flat, models):
        for engine, colour in zip(engines, COLOURS):
            depths = series.get((model, engine, threads))
            if depths:
                x = sorted(depths)
                line_with_ranges(axes, x, [depths[d] for d in x], engine, colour)
        axes.set(title=model, xlabel="tokens in the context before", ylim=(0, None), ylabel="tokens per second")
        axes.set_xticks(sorted({d for (m, _, _), depths in series.items() if m == model for d in depths}))
        axes.legend()
    figure.suptitle(options.title or "Generating text, by depth of the context", x=0.01, ha="left", fontweight="bold")
    save(figure, options, records, threads)


def draw_bars(axes, names, groups):
    """groups: (label, colour, {name: values})"""
    height = 0.8 / len(groups)
    for i, (label, colour, values) in enumerate(groups):
        there = [(n, values[name]) for n, name in enumerate(names) if values.get(name)]
        y = [n + (i - (len(groups) - 1) / 2) * height for n, _ in there]
        middles = [100 * statistics.median(v) for _, v in there]
        ranges = [[100 * x for x in around(v)] for _, v in there]
        axes.barh(y, middles, height * 0.9, label=label, color=colour)
        if there:
            axes.errorbar(middles, y, xerr=list(zip(*ranges)), fmt="none", ecolor="#333333", elinewidth=0.8)
        for at, middle, (_, v) in zip(y, middles, there):
            axes.text(100 * max(v) + 1.5, at, f"{middle:.0f}", va="center", fontsize=8, color="#333333",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})


def draw_limit(options):
    records, threads = chosen_records(options)
    panels = [("tg", "generating: share of read bandwidth"), ("pp", "reading a prompt: share of multiply-add peak")]
    panels = [(kind, f"{test_name(commonest_test(records, kind)[0]['test'])}, {title}", shares(records, kind))
              for kind, title in panels if shares(records, kind)]
    if not panels:
        raise Problem("expected plumb's tests with share_of_limit, got none")
    names, common = short_names(model for _, _, found in panels for model, _ in found)
    models = list(names)
    plt = pyplot()
    n_engines = 1 + max(len(rival_shares(records, kind)) for kind, _, _ in panels)
    figure, grid = plt.subplots(1, len(panels), figsize=(4.8 * len(panels) + 1.5, 1.6 + len(models) * (0.12 + 0.14 * n_engines)),
                                sharey=True, squeeze=False)
    for axes, (kind, title, found) in zip(grid.flat, panels):
        rivals = rival_shares(records, kind)
        groups = [(engine, colour, {m: values.get((m, threads)) for m in models})
                  for (engine, values), colour in zip([(PLUMB, found), *rivals.items()], COLOURS)]
        draw_bars(axes, models, groups)
        axes.axvline(100, color="#333333", linewidth=0.8, linestyle="--")
        axes.set(title=title, xlabel="% of what the machine did just then", xlim=(0, None))
        axes.grid(axis="y", visible=False)
    grid.flat[0].set_yticks(range(len(models)), [names[m] for m in models])
    grid.flat[0].set_ylim(len(models) - 0.4, -0.6)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels))
    figure.suptitle(options.title or f"How far from the machine's limit{': ' + common if common else ''}", x=0.01, ha="left",
                    fontweight="bold")
    save(figure, options, records, threads)


def draw_cost(options):
    records, threads = chosen_records(options)
    curves = costs(records)
    if not curves:
        raise Problem(NO_CURVE)
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(7, 4.2))
    models = list(dict.fromkeys((model, depth) for model, _, _, depth in curves))
    engines = engines_in_order(engine for _, engine, _, _ in curves)
    depths = {depth for _, depth in models}
    most = 1
    for (model, engine, _, depth), seconds in curves.items():
        cost = [s / seconds[1] for s in seconds.values()]
        most = max(most, *cost)
        label = ", ".join([model] + [engine] * (len(engines) > 1) + [f"depth {depth}"] * (len(depths) > 1))
        axes.plot(list(seconds), cost, ["-", "--", ":", "-."][engines.index(engine) % 4], marker="o", markersize=4,
                  color=COLOURS[models.index((model, depth)) % len(COLOURS)], label=label)
    longest = max(n for seconds in curves.values() for n in seconds)
    axes.plot([1, longest], [1, longest], color="#999999", linewidth=0.9, linestyle="--", label="one by one")
    axes.set(xlabel="tokens at once", ylabel="time over that of one token", ylim=(0, most * 1.1), xlim=(0.5, longest + 0.5))
    axes.set_title(options.title or "What n tokens at once cost" + (f", at depth {max(depths)}" if depths != {0} and len(depths) == 1 else ""),
                   fontweight="bold")
    axes.set_xticks(range(1, longest + 1, max(1, longest // 16)))
    axes.legend(loc="lower right")
    save(figure, options, records, threads, "medians")


def parse_options(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chart", choices=["depth", "limit", "cost"])
    parser.add_argument("results", nargs="+", help="of performance.py run, or of plumb bench -o json")
    parser.add_argument("-o", "--output", required=True, help="a PNG file")
    parser.add_argument("-t", "--threads", type=int, help="(default: the most there are)")
    parser.add_argument("--model", default="", help="a regular expression (default: all)")
    parser.add_argument("--title")
    return parser.parse_args(words)


def main(words):
    options = parse_options(words)
    try:
        pyplot()
        {"depth": draw_depth, "limit": draw_limit, "cost": draw_cost}[options.chart](options)
    except Problem as e:
        print(f"plot.py: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
