// plumb shapes: every distinct matrix of a file, timed alone.

#include "measure/shapes.h"

#include <algorithm>

#include "base/error.h"
#include "base/machine.h"
#include "base/text.h"
#include "command.h"
#include "measure/bench_cases.h"
#include "measuring.h"
#include "model_folder.h"
#include "options.h"
#include "output.h"

namespace plumb {
namespace {

constexpr int64_t kMostTokens = 4096;
constexpr int64_t kMostPasses = 1'000'000;

struct Options {
  ModelOptions model;
  std::vector<std::string> cases;
  std::vector<int64_t> threads;
  ShapeOptions shapes{.n_tokens = {}, .sets = {}};
  std::optional<int64_t> set_mib;
  bool no_limits = false, json = false;
};

void attach(Arguments& a, Options& o) {
  o.model.attach_model(a);
  attach_list(a, "-t,--threads", o.threads, 1, kMostThreads,
              "threads (default: one per core; no more than processors work)");
  attach_list(a, "--tokens", o.shapes.n_tokens, 1, kMostTokens,
              "tokens that meet the weights together (default: 1)");
  a.texts("--case", o.cases,
          "only these matrices: a role, a whole name, or a regular expression; repeatable");
  a.add(
      "--cpu", "SET,...", "instruction sets, timed in turns (default: the machine's best)",
      [&o](const std::string& word) {
        for (const std::string& set : split_list(word)) o.shapes.sets.push_back(set);
      },
      true);
  a.integer("--iterations", o.shapes.iterations, 1, kMostPasses,
            "passes over the weights (default: 20)");
  a.integer("--warmup", o.shapes.warm_up, 0, kMostPasses, "passes before (default: 2)");
  a.integer("--set", o.set_mib, 0, 1 << 20,
            "MiB of weights to go through in a pass, 0: one matrix again and again (default: twice "
            "the last-level cache, 64 at least)");
  a.flag("--no-limit", o.no_limits, "do not measure the machine's limits");
  a.flag("--json", o.json, "the same as JSON, with every pass");
}

void set_defaults(Options& o) {
  if (o.threads.empty()) o.threads.push_back(default_threads());
  if (o.shapes.n_tokens.empty()) o.shapes.n_tokens.push_back(1);
  if (o.shapes.sets.empty()) o.shapes.sets.emplace_back();
  for (const std::string& set : o.shapes.sets) make_backend({.name = "cpu", .cpu = set});
  o.shapes.set_bytes = o.set_mib ? *o.set_mib << 20 : default_set_bytes();
  const int64_t most = most_set_bytes(o.shapes.sets.size());
  if (o.shapes.set_bytes > most)
    warn("--set: memory allows {} of the {} of weights to go through", human_bytes(most),
         human_bytes(o.shapes.set_bytes));
  o.shapes.measure_limits = !o.no_limits;
}

// A short context: attention is not looked at.
Plan plan_of(const gguf::File& file) {
  const ModelDesc model = load_model_desc(file);
  return compile(model, with_defaults({.n_positions = 1}, model));
}

std::vector<ShapeResult> run(const Options& o, const std::vector<Shape>& shapes) {
  std::vector<ShapeResult> all;
  if (!o.json) write_out(shapes_header(o.shapes.sets.size()));
  for (const int64_t n : o.threads)
    for (const Shape& shape : shapes) {
      ShapeOptions options = o.shapes;
      options.n_threads = static_cast<int>(n);
      detail("{}, {} threads", shape.name(), n);
      for (ShapeResult& r : time_shape(shape, options)) {
        if (!o.json) write_out(to_row(r));
        all.push_back(std::move(r));
      }
    }
  return all;
}

void print_json(const gguf::File& file, const Options& o, const std::vector<ShapeResult>& results,
                const std::vector<ShapeTotal>& totals) {
  nlohmann::ordered_json json{{"model", file.path().string()},
                              {"iterations", o.shapes.iterations},
                              {"warm_up", o.shapes.warm_up},
                              {"shapes", nlohmann::ordered_json::array()},
                              {"totals", nlohmann::ordered_json::array()}};
  for (const ShapeResult& r : results) json["shapes"].push_back(to_json(r));
  for (const ShapeTotal& t : totals) json["totals"].push_back(to_json(t));
  write_json(json);
}

}  // namespace

int shapes_command(std::vector<std::string> words) {
  Options o;
  Measuring measuring("shapes", words);
  Arguments arguments("shapes", "every distinct matrix of a file, timed alone on the cpu backend",
                      "plumb shapes --case ffn --tokens 1-8,512 -t 1,2");
  attach(arguments, o);
  measuring.attach(arguments);
  arguments.remark(
      "Each matrix is multiplied as in a step, by weights that are not in the cache; without\n"
      "--case the sums over all matrices of the model follow.\n");
  if (!arguments.parse(words)) return 0;
  set_defaults(o);
  const auto file = gguf::File::open(o.model.path());
  const Plan plan = plan_of(file);
  const std::vector<Shape> shapes = select_shapes(shapes_of(plan), o.cases);
  measuring.start();
  const std::vector<ShapeResult> results = run(o, shapes);
  const auto totals = o.cases.empty() ? totals_of(results) : std::vector<ShapeTotal>{};
  if (o.json)
    print_json(file, o, results, totals);
  else if (!totals.empty())
    write_out(to_text(totals));
  return 0;
}

}  // namespace plumb
