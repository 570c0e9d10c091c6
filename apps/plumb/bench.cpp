// plumb bench: llama-bench's tests, options and outputs, and how far from the machine's limits.

#include "measure/bench.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/machine.h"
#include "base/text.h"
#include "build_info.h"
#include "command.h"
#include "foreign_options.h"
#include "measure/bench_output.h"
#include "measuring.h"
#include "model_folder.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

constexpr int64_t kMostTokens = 1 << 24;
constexpr int64_t kMostBatch = 65536;
constexpr int64_t kMostRepetitions = 100000;

struct Options {
  BenchLists lists;
  BenchOptions bench;
  int64_t delay_seconds = 0;
  bool progress = false, no_warm_up = false, no_limits = false;
  std::string format = "md", error_format;
};

void attach_formats(Arguments& a, std::string_view names, std::vector<Format>& formats,
                    std::string_view help) {
  const std::string name(names.substr(0, names.find(',')));
  a.add(
      names, "FORMAT,...", help,
      [&formats, name](const std::string& word) {
        for (const std::string& part : split_list(word)) {
          const FormatInfo* info = find_format(part);
          if (!info) fail("{}: expected a format such as f16, got {}", name, plumb::quoted(part));
          formats.push_back(info->format);
        }
      },
      true);
}

std::pair<int64_t, int64_t> parse_pair(const std::string& word) {
  const std::vector<std::string> parts = split_list(word);
  if (parts.size() != 2)
    fail("-pg: expected two numbers such as 512,128, got {}", plumb::quoted(word));
  const auto number = [](const std::string& part) {
    return Arguments::parse_integer("-pg", part, 0, kMostTokens);
  };
  return {number(parts[0]), number(parts[1])};
}

void attach_tests(Arguments& a, BenchLists& lists) {
  a.add(
      "-m,--model", "FILE,...", "GGUF files, or names in the model folder; repeatable",
      [&lists](const std::string& word) {
        for (const std::string& part : split_list(word)) {
          if (part.empty()) fail("-m: expected files or names, got {}", plumb::quoted(word));
          lists.models.push_back(part);
        }
      },
      true);
  attach_list(a, "-p,--n-prompt", lists.n_prompt, 0, kMostTokens,
              "tests that read N tokens together, 0: none (default: 512)");
  attach_list(a, "-n,--n-gen", lists.n_gen, 0, kMostTokens,
              "tests that generate N tokens, 0: none (default: 128)");
  a.add(
      "-pg", "N,N", "tests that read the first number and then generate the second; repeatable",
      [&lists](const std::string& word) { lists.prompt_and_gen.push_back(parse_pair(word)); },
      true);
  attach_list(a, "-d,--n-depth", lists.n_depth, 0, kMostTokens,
              "positions in the cache before (default: 0)");
  attach_list(a, "-b,--batch-size", lists.n_batch, 1, kMostBatch,
              "tokens handed over at a time (default: 2048)");
  attach_list(a, "-ub,--ubatch-size", lists.n_ubatch, 1, kMostBatch,
              "tokens computed together (default: 512)");
  attach_formats(a, "-ctk,--cache-type-k", lists.type_k, "of the cached keys (default: f16)");
  attach_formats(a, "-ctv,--cache-type-v", lists.type_v, "of the cached values (default: f16)");
  attach_list(a, "-t,--threads", lists.n_threads, 1, kMostThreads,
              "threads (default: one per core; no more than processors work)");
}

void attach_rest(Arguments& a, Options& o) {
  a.integer("-r,--repetitions", o.bench.repetitions, 1, kMostRepetitions,
            "runs of each test (default: 5)");
  a.text("-o,--output", o.format, "md, csv, json, jsonl or sql (default: md)");
  a.text("-oe,--output-err", o.error_format, "the same to standard error (default: none)");
  a.integer("--delay", o.delay_seconds, 0, 86400, "seconds to rest before each test (default: 0)");
  a.flag("--progress", o.progress, "say what runs, on standard error");
  a.flag("--no-warmup", o.no_warm_up, "time the first run too");
  a.flag("--with-sampling", o.bench.with_sampling, "generate by sampling, with default settings");
  a.flag("--all-logits", o.bench.all_logits,
         "compute the logits of every prompt token, as verifying drafts does");
  a.flag("--no-limit", o.no_limits, "do not measure the machine's limits");
  a.text("--backend", o.bench.backend, "where it runs: auto, cpu, reference");
  a.flag("-nr,--no-repack", o.bench.no_repack,
         "leave the weights in the mapped file (cpu backend)");
  a.text("--cpu", o.bench.cpu, "instruction set of the cpu backend (default: the best)");
}

// The tests that share the set-up of the first, and go together.
std::span<const BenchCase> first_group(std::span<const BenchCase> cases) {
  size_t n = 1;
  while (n < cases.size() && cases[n].setup == cases[0].setup) ++n;
  return cases.first(n);
}

int64_t largest(std::span<const BenchCase> group) {
  int64_t n = 1;
  for (const BenchCase& c : group) n = std::max(n, c.test.n_positions());
  return n;
}

void each_group(std::span<const BenchCase> cases, const auto& f) {
  while (!cases.empty()) {
    const auto group = first_group(cases);
    f(group);
    cases = cases.subspan(group.size());
  }
}

// Before anything is measured or printed.
void check(std::span<const BenchCase> group, const BenchOptions& options) {
  const BenchSetup& setup = group.front().setup;
  const int64_t n_context = check_setup(setup, largest(group), options);
  if (largest(group) > n_context)
    warn("{}: the model was trained for {} positions, the tests go to {}", setup.model, n_context,
         largest(group));
}

// Standard output and, where asked for, standard error.
class Printer {
 public:
  Printer(const Options& o, const std::vector<BenchCase>& cases)
      : out_(make_bench_output("-o", o.format, cases)) {
    if (!o.error_format.empty()) err_ = make_bench_output("-oe", o.error_format, cases);
  }
  void header() {
    write([](BenchOutput& o) { return o.header(); });
  }
  void record(const BenchRecord& r) {
    write([&](BenchOutput& o) { return o.record(r); });
  }
  void footer() {
    write([](BenchOutput& o) { return o.footer(build_info()); });
  }

 private:
  void write(const auto& text) {
    write_out(text(*out_));
    if (err_) write_err(text(*err_));
  }
  std::unique_ptr<BenchOutput> out_, err_;
};

void run_all(const Options& o, const std::vector<BenchCase>& cases) {
  Printer printer(o, cases);
  printer.header();
  size_t i = 0;
  each_group(cases, [&](std::span<const BenchCase> group) {
    Bench bench(group.front().setup, largest(group), o.bench);
    for (const BenchCase& c : group) {
      ++i;
      const auto tell = [&](const std::string& what) {
        if (o.progress) note("benchmark {}/{}: {}: {}", i, cases.size(), test_name(c.test), what);
      };
      tell("starting");
      std::this_thread::sleep_for(std::chrono::seconds(o.delay_seconds));
      printer.record(make_record(c, bench.run(c.test, tell), build_info()));
    }
  });
  printer.footer();
}

}  // namespace

int bench_command(std::vector<std::string> words) {
  Options o;
  Measuring measuring("bench", words);
  Arguments arguments("bench", "tokens per second, and how far from the machine's limits",
                      "plumb bench -m model.gguf -p 512 -n 128 -t 1,2 -o json");
  attach_tests(arguments, o.lists);
  attach_rest(arguments, o);
  measuring.attach(arguments);
  arguments.remark(
      "Lists and ranges (1,2,4-8,16-64*2) and repeated options run all combinations. Tests,\n"
      "outputs and fields are llama-bench's. Its options for GPUs, loading and attention are\n"
      "taken and change nothing; those that would change a result are refused.\n");
  if (!arguments.parse(without_foreign_options(words))) return 0;
  o.bench.warm_up = !o.no_warm_up;
  o.bench.measure_limits = !o.no_limits;
  if (o.lists.models.empty()) o.lists.models.emplace_back();
  for (std::string& model : o.lists.models) model = find_model(model).string();

  const std::vector<BenchCase> cases = bench_cases(o.lists, default_threads());
  make_bench_output("-o", o.format, cases);
  each_group(cases, [&](auto group) { check(group, o.bench); });
  measuring.start();
  run_all(o, cases);
  return 0;
}

}  // namespace plumb
