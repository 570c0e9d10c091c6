"""The results of tools/performance.py: records as programs print them, the lines that it keeps, and what tables say of them. Used by
performance.py and plot.py; tests in tests/tools/performance_test.py."""
import contextlib
import fnmatch
import json
import lzma
import math
import os
import pathlib
import re
import stat
import statistics

BEGIN, END = "<!-- performance.py: begin -->", "<!-- performance.py: end -->"
PLUMB = "plumb"
NO_CURVE = "expected prompts of several lengths, one token among them (run --tests pp1-16), got none"


class Problem(Exception):
    """What the user has to mend."""


# Files.

MOST_BYTES = 1 << 30


def read_text(path):
    """A plain file (or a pipe) of UTF-8, which xz may have compressed; devices never end."""
    try:
        with open(path, "rb") as f:
            if not (stat.S_ISREG(os.fstat(f.fileno()).st_mode) or stat.S_ISFIFO(os.fstat(f.fileno()).st_mode)):
                raise Problem(f"{path}: expected a plain file, got something else")
            with lzma.open(f) if str(path).endswith(".xz") else contextlib.nullcontext(f) as plain:
                data = plain.read(MOST_BYTES + 1)
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None
    except (lzma.LZMAError, EOFError) as e:
        raise Problem(f"{path}: expected what xz has compressed: {e}") from None
    if len(data) > MOST_BYTES:
        raise Problem(f"{path}: expected at most {MOST_BYTES} bytes, got more")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Problem(f"{path}: expected UTF-8, got something else at byte {e.start}") from None


def require_writable(path):
    """Before anything is measured: is there a place for the results? Leaves no empty file: perhaps nothing can be measured."""
    is_new = not os.path.lexists(path)
    try:
        with open(path, "ab") as f:
            if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                raise Problem(f"--results {path}: expected a plain file, got something else")
        if is_new:
            os.unlink(path)
    except OSError as e:
        raise Problem(f"--results {path}: {e.strerror}") from None


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


# Fields that are read below, and whether a value will do. Absent or null is fine where it is not one of the first.
FIELDS = {"n_prompt": lambda x: isinstance(x, int) and 0 <= x < 1 << 40, "n_gen": lambda x: isinstance(x, int) and 0 <= x < 1 << 40,
          "n_depth": lambda x: isinstance(x, int) and 0 <= x < 1 << 40, "n_threads": lambda x: isinstance(x, int) and 0 <= x < 1 << 20,
          "round": lambda x: isinstance(x, int), "engine": lambda x: isinstance(x, str), "model": lambda x: isinstance(x, str),
          "model_filename": lambda x: isinstance(x, str), "command": lambda x: isinstance(x, str), "when": lambda x: isinstance(x, str),
          "cpu_info": lambda x: isinstance(x, str), "test": lambda x: isinstance(x, str), "depth": lambda x: isinstance(x, int),
          "share_of_limit": is_number, "gmacs": is_number, "other_processes_share": is_number, "gbps": is_number, "limit_gbps": is_number,
          "median": is_number, "avg_ts": is_number}


def check_fields(record, what):
    if not isinstance(record, dict):
        raise Problem(f"{what}: expected an object, got {type(record).__name__}")
    for name, is_good in FIELDS.items():
        value = record.get(name)
        if value is None:
            record.pop(name, None)  # null says what absence does
        elif not is_good(value):
            raise Problem(f"{what}: {name}: got {str(value)[:60]!r}, which it cannot be")


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
    """Of JSON arrays of records and of records that begin with their line; whatever else programs say is left out."""
    decoder, found, at = json.JSONDecoder(), [], 0
    for begin in re.finditer(r"^[ \t]*(\{|\[(?=\s*[{\]]))", text, re.MULTILINE):
        if begin.start(1) < at:
            continue
        value, at = decoder.raw_decode(text, begin.start(1))
        found += value if isinstance(value, list) else [value]
    return found


def parse_records(text, what):
    """Each with test, rates (tokens per second) and the record itself as it was printed."""
    try:
        objects = json_objects(text)
    except (ValueError, RecursionError) as e:
        raise Problem(f"{what}: not JSON: {e}") from None
    return [record for record in (as_record(o, what) for o in objects) if record]


def as_record(o, what):
    check_fields(o, what)
    if "n_prompt" in o and "n_gen" in o:
        test = (o["n_prompt"], o["n_gen"], o.get("n_depth", 0))
        rates = o.get("samples_ts") or [o.get("avg_ts")]
    elif "test" in o and "median" in o:
        n_prompt, n_gen, depth = parse_test(o["test"])
        test, rates = (n_prompt, n_gen, o.get("depth", depth)), o.get("reps") or [o["median"]]
    else:
        return None
    if not isinstance(rates, list) or not all(is_number(r) and r > 0 for r in rates):
        raise Problem(f"{what}: {test_name(test)}: expected rates above 0, got {rates}")
    return {"test": test, "rates": rates, "fields": o}


def engine_of(record):
    return record["fields"].get("engine", "other")


def model_of(record):
    return record["fields"].get("model") or pathlib.Path(record["fields"].get("model_filename", "?")).stem


# Lines of the results file: records with engine, round and model.

def cell_of(line):
    return line["model"], line["n_threads"], (line["n_prompt"], line["n_gen"], line["n_depth"])


def rounds_of(lines):
    """cell -> round -> engine -> line"""
    cells = {}
    for line in lines:
        cells.setdefault(cell_of(line), {}).setdefault(line["round"], {})[line["engine"]] = line
    return cells


def read_results(path):
    text = read_text(path)
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(json.loads(line))
            cell_of(lines[-1]), lines[-1]["engine"], lines[-1]["round"], statistics.median(lines[-1]["samples_ts"])
        except (ValueError, KeyError, TypeError, RecursionError):
            if number == text.count("\n") + 1:  # a run that was killed while it wrote
                lines = lines[:number - 1]
                continue
            raise Problem(f"{path}:{number}: expected a line that `performance.py run` wrote") from None
        check_fields(lines[-1], f"{path}:{number}")
        if not all(is_number(x) and x > 0 for x in lines[-1]["samples_ts"]):
            raise Problem(f"{path}:{number}: samples_ts: expected rates above 0")
    return lines


def complete_rounds(rounds, names):
    return sum(names <= set(engines) for engines in rounds.values())


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


def measured(lines, mine):
    """When (all of the lines), on what and by which plumb (its own lines): a sentence, or nothing."""
    distinct = lambda values: ", ".join(dict.fromkeys(str(v) for v in values if v))
    days = sorted(line["when"][:10] for line in lines if line.get("when"))
    out = []
    if days:
        out.append("Measured " + (days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"))
    for text, field in (("processor", "cpu_info"), ("plumb", "build_commit")):
        found = distinct(line.get(field) for line in mine)
        out += [f"{text} {found}"] if found else []
    return (", ".join(out) + ".") if out else ""


def facts(lines):
    """What was measured with what, for the lines above the tables."""
    mine = [line for line in lines if line["engine"] == PLUMB]
    first = measured(lines, mine)
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


MACS = "pp512 multiply-adds"


class CostTarget:
    """What n tokens at once may cost over one."""

    def __init__(self, fields, what):
        try:
            self.model, self.threads, self.n, self.most = str(fields["model"]), fields.get("threads"), int(fields["cost"]), float(fields["most"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Problem(f"{what}: expected an object with model, cost and most, got {fields!r}") from None

    def rows(self, key, middle, least):
        model, engine, threads, depth = key
        if (engine not in (PLUMB, "other") or self.n not in middle or self.threads not in (None, threads)
                or not fnmatch.fnmatchcase(model.lower(), self.model.lower())):
            return []
        met = lambda x: "yes" if x <= self.most else "**no**"
        pairs = (("medians", middle[self.n] / middle[1]), ("least times", least[self.n] / least[1]))
        return [[str(self.n), f"{self.most:g}", of, f"{cost:.2f}", met(cost)] for of, cost in pairs]


class Target:
    def __init__(self, fields, what):
        try:
            self.model, self.test, self.over = str(fields["model"]), str(fields["test"]), str(fields["over"])
            self.threads, self.least = fields.get("threads"), float(fields["least"])
            if self.threads is not None and not isinstance(self.threads, int):
                raise TypeError
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
        if self.over == MACS:
            model, threads, _ = cell
            base = [e[PLUMB]["gmacs"] for e in cells.get((model, threads, (512, 0, 0)), {}).values() if PLUMB in e and e[PLUMB].get("gmacs")]
            return [e[PLUMB]["gmacs"] / statistics.median(base) for e in rounds.values() if PLUMB in e and e[PLUMB].get("gmacs")] if base else []
        if self.over == "limit":
            return [e[PLUMB]["share_of_limit"] for e in rounds.values() if PLUMB in e and e[PLUMB].get("share_of_limit")]
        return [rate(e[PLUMB]) / rate(e[self.over]) for e in rounds.values() if PLUMB in e and self.over in e]

    def row(self, cell, values):
        percent = lambda x: f"{100 * x:.1f} %"
        times = lambda x: f"{x:.2f}"
        text, of = (percent, "of the") if self.over in ("limit", "added reads", MACS) else (times, "times")
        return [cell[0], str(cell[1]), test_name(cell[2]), f"{text(self.least)} {of} {self.over}", spread(values, text),
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
        fields = json.loads(read_text(path))
    except (ValueError, RecursionError) as e:
        raise Problem(f"{path}: not JSON: {e}") from None
    kind = lambda f: CostTarget if isinstance(f, dict) and "cost" in f else Target
    return [kind(f)(f, path) for f in (fields if isinstance(fields, list) else [fields])]


def target_section(targets, lines):
    rows = []
    targets = [t for t in targets if isinstance(t, Target)]
    cells = rounds_of(lines)
    for cell in cells:
        for target in targets:
            values = target.reached(cell, cells) if target.matches(cell) else []
            rows += [target.row(cell, values)] if values else []
    met = sum(row[-1] == "yes" for row in rows)
    return (f"\n### Targets\n\n{met} of {len(rows)} met by the median.\n\n"
            + markdown(["model", "threads", "test", "at least", "reached", "met"], rows)) if rows else ""


def write_between_markers(path, text):
    page = read_text(path)
    begin, end = page.find(BEGIN), page.find(END)
    if not 0 <= begin < end:
        raise Problem(f"{path}: expected the lines {BEGIN} and {END}")
    page = f"{page[:begin]}{BEGIN}\n\n{text}\n{page[end:]}"
    try:
        pathlib.Path(path).write_text(page, encoding="utf-8")
    except OSError as e:
        raise Problem(f"{path}: {e.strerror}") from None


# What n tokens cost over one.

def costs(records, of=statistics.median):
    """(model, engine, threads, depth) -> {n: seconds for n tokens at once}, of those that have n = 1."""
    times = {}
    for r in records:
        n_prompt, n_gen, depth = r["test"]
        if n_gen:
            continue
        key = (model_of(r), engine_of(r), r["fields"].get("n_threads", 0), depth)
        times.setdefault(key, {}).setdefault(n_prompt, []).extend(n_prompt / x for x in r["rates"])
    return {key: {n: of(s) for n, s in sorted(by_n.items())} for key, by_n in times.items() if 1 in by_n}


def cost_tables(records, targets=()):
    curves, fastest = costs(records), costs(records, min)
    if not curves:
        raise Problem(NO_CURVE)
    parts = []
    for (model, engine, threads, depth), seconds in curves.items():
        least = fastest[model, engine, threads, depth]
        rows = [[str(n), f"{1000 * s:.2f}", f"{s / seconds[1]:.2f}", f"{1000 * least[n]:.2f}", f"{least[n] / least[1]:.2f}"]
                for n, s in seconds.items()]
        parts.append(f"{model}, {engine}, {threads} threads, depth {depth}\n\n"
                     + markdown(["tokens at once", "ms", "cost over one", "least ms", "by the least"], rows))
        judged = [row for t in targets if isinstance(t, CostTarget) for row in t.rows((model, engine, threads, depth), seconds, least)]
        parts += [markdown(["tokens at once", "cost at most", "by", "reached", "met"], judged)] if judged else []
    return "\n".join(parts)


def read_records(paths):
    records = []
    for path in paths:
        records += parse_records(read_text(path), path)
    return records
