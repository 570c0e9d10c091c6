// plumb_bench_dev: tokens per second of the CPU backend on a real file, as JSON lines that
// run_matrix.py of the peer tools reads. A tool for the people who write kernels; `plumb bench` is
// for everybody else.
//
//   plumb_bench_dev -m MODEL.gguf [-t THREADS] [-r REPEATS] [--tests tg128,pp512] [--depth 0,2048]
//                   [--cpu SET] [-ctk TYPE] [-ctv TYPE] [-ub TOKENS]

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>

#include "backend/cpu/cpu.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "model/model_desc.h"

namespace plumb {
namespace {

struct Options {
  std::string model, cpu, ctk = "f16", ctv = "f16";
  int threads = 0, repeats = 5;
  int64_t batch = 512;
  std::vector<std::string> tests{"tg128", "pp512"};
  std::vector<int64_t> depths{0};
};

struct Test {
  std::string name;
  bool generates;
  int64_t n;
};

Test parse_test(const std::string& name) {
  const bool generates = name.starts_with("tg");
  if (!generates && !name.starts_with("pp")) fail("--tests: expected tgN or ppN, got {}", name);
  return {name, generates, std::stoll(name.substr(2))};
}

Format cache_format(const std::string& name) {
  const FormatInfo* info = find_format(name);
  if (!info) fail("cache type: unknown {}", name);
  return info->format;
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One sequence fed with the same few tokens over and over.
class Feeder {
 public:
  Feeder(Executable& executable, int64_t n_vocab) : executable_(executable), n_vocab_(n_vocab) {}

  void feed(int64_t n, int64_t batch) {
    for (int64_t done = 0; done < n; done += batch) run(std::min(batch, n - done));
  }
  void reset(int64_t n) { executable_.truncate(0, n); }

 private:
  void run(int64_t n) {
    const auto size = static_cast<size_t>(n);
    tokens_.resize(size);
    positions_.resize(size);
    slots_.assign(size, 0);
    wants_.assign(size, 0);
    wants_.back() = 1;
    std::iota(positions_.begin(), positions_.end(), static_cast<int32_t>(executable_.length(0)));
    for (size_t i = 0; i < size; ++i)
      tokens_[i] = static_cast<int32_t>((positions_[i] * 7919 + 11) % n_vocab_);
    executable_.run({tokens_, positions_, slots_, wants_});
  }

  Executable& executable_;
  int64_t n_vocab_;
  std::vector<int32_t> tokens_, positions_, slots_;
  std::vector<uint8_t> wants_;
};

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void report(const Test& test, int64_t depth, const Options& o, std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  fmt::print(
      "{{\"engine\":\"plumb\",\"test\":\"{}\",\"depth\":{},\"threads\":{},\"median\":{:.4f},"
      "\"min\":{:.4f},\"max\":{:.4f},\"reps\":[{:.4f}],\"peak_rss_mib\":{:.1f}}}\n",
      test.name, depth, o.threads, rates[rates.size() / 2], rates.front(), rates.back(),
      fmt::join(rates, ","), peak_rss_mib());
  std::fflush(stdout);
}

void measure(Feeder& feeder, const Test& test, int64_t depth, const Options& o) {
  feeder.reset(0);
  feeder.feed(depth, o.batch);
  const int64_t batch = test.generates ? 1 : o.batch;
  std::vector<double> rates;
  for (int r = -1; r < o.repeats; ++r) {  // the first is a warm-up
    feeder.reset(depth);
    const double start = seconds();
    feeder.feed(test.n, batch);
    if (r >= 0) rates.push_back(static_cast<double>(test.n) / (seconds() - start));
  }
  report(test, depth, o, rates);
}

void bench(const Options& o) {
  const auto file = gguf::File::open(o.model);
  const ModelDesc desc = load_model_desc(file);
  std::vector<Test> tests;
  int64_t positions = 0;
  for (const std::string& name : o.tests) {
    tests.push_back(parse_test(name));
    positions =
        std::max(positions, tests.back().n + *std::max_element(o.depths.begin(), o.depths.end()));
  }
  PlanOptions options;
  options.n_positions = positions;
  options.max_batch = std::min(o.batch, positions);
  options.cache_k = cache_format(o.ctk);
  options.cache_v = cache_format(o.ctv);
  const Plan plan = compile(desc, options);
  const auto backend = make_cpu_backend(o.threads, o.cpu);
  const double start = seconds();
  const auto executable = backend->compile(plan);
  std::fprintf(stderr, "load %.3f s\n", seconds() - start);
  Feeder feeder(*executable, plan.n_vocab);
  for (const int64_t depth : o.depths)
    for (const Test& test : tests) measure(feeder, test, depth, o);
}

}  // namespace
}  // namespace plumb

int main(int argc, char** argv) {
  plumb::Options o;
  CLI::App app("tokens per second of the CPU backend");
  bool json = true;  // always
  app.add_option("-m", o.model)->required();
  app.add_option("-t", o.threads);
  app.add_option("-r", o.repeats);
  app.add_option("--tests", o.tests)->delimiter(',');
  app.add_option("--depth", o.depths)->delimiter(',');
  app.add_option("--cpu", o.cpu);
  app.add_option("--ctk", o.ctk);
  app.add_option("--ctv", o.ctv);
  app.add_option("--ub", o.batch);
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  try {
    plumb::bench(o);
  } catch (const plumb::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return static_cast<int>(e.code());
  }
}
