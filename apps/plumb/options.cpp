#include "options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/text.h"
#include "generate/stop_strings.h"
#include "measure/bench_cases.h"
#include "model_folder.h"

namespace plumb {
namespace {

constexpr int64_t kMostBatch = 65536;

// "123+1.5", "123-1.5", "123-inf"
LogitBias parse_logit_bias(const std::string& word) {
  constexpr const char* kName = "--logit-bias";
  const size_t sign = word.find_first_of("+-");
  if (sign == std::string::npos || sign == 0)
    fail("{}: expected ID+BIAS or ID-BIAS, got {}", kName, plumb::quoted(word));
  const auto id = Arguments::parse_integer(kName, word.substr(0, sign), 0, INT32_MAX);
  const std::string bias = word.substr(sign);
  return {static_cast<int32_t>(id), bias == "-inf"
                                        ? -std::numeric_limits<float>::infinity()
                                        : static_cast<float>(Arguments::parse_number(kName, bias))};
}

// -1: none, that is a random one
std::optional<uint64_t> parse_seed(const std::string& word) {
  if (word == "-1") return std::nullopt;
  uint64_t seed = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), seed);
  if (problem != std::errc() || end != word.data() + word.size())
    fail("-s: expected -1 or an integer from 0 to 2^64-1, got {}", plumb::quoted(word));
  return seed;
}

// Short enough to be typed again.
uint64_t random_seed() {
  return std::random_device()() & 0xffffffffu;
}

float recommended(const gguf::Metadata& metadata, std::string_view name, float fallback, float min,
                  float max) {
  const std::string key = fmt::format("general.sampling.{}", name);
  const double value = metadata.number_or(key, fallback);
  if (!(value >= min && value <= max))
    fail("{}: {}: expected {} to {}, got {}", metadata.file_name(), key, min, max, value);
  return static_cast<float>(value);
}

}  // namespace

void attach_list(Arguments& a, std::string_view names, std::vector<int64_t>& values, int64_t min,
                 int64_t max, std::string_view help) {
  const std::string name(names.substr(0, names.find(',')));
  a.add(
      names, "N,...", help,
      [&values, name, min, max](const std::string& word) {
        for (const int64_t n : parse_ranges(name, word, min, max)) values.push_back(n);
      },
      true);
}

Format parse_cache_format(std::string_view option, const std::string& word) {
  const FormatInfo* info = find_format(word);
  if (!info) fail("{}: expected a format such as f16, got {}", option, plumb::quoted(word));
  return info->format;
}

void TextOptions::attach(Arguments& a) {
  a.text("-p,--prompt", text, "the text");
  a.text("-f,--file", file, "a file with the text, - is standard input");
}

std::string TextOptions::read(std::string_view command) const {
  if (text && file) fail("{}: expected one of -p and -f, got both", command);
  if (!given()) fail("{}: expected a text (-p TEXT or -f FILE), got none", command);
  return text ? *text : read_file(*file);
}

void ModelOptions::attach_model(Arguments& a) {
  a.add("-m,--model", "TEXT",
        "GGUF file, or a name in the model folder (default: the only or last used one)",
        [this](const std::string& word) {
          if (word.empty()) fail("-m: expected a file or a name, got \"\"");
          model = word;
        });
}

void ModelOptions::attach_backend(Arguments& a) {
  std::string names;
  for (const std::string& name : backend_names()) names += (names.empty() ? "" : ", ") + name;
  a.text("--backend", engine.backend.name, "where it runs: " + names);
}

void ModelOptions::attach_threads(Arguments& a) {
  a.integer("-t,--threads", engine.backend.n_threads, 1, kMostThreads,
            "threads (default: one per core; no more than processors work); the reference backend "
            "uses one");
  a.flag(
      "-nr,--no-repack", engine.backend.no_repack,
      "leave the weights in the mapped file and copy nothing: slower, for models that barely fit "
      "into memory (cpu backend)");
  a.text("--cpu", engine.backend.cpu,
         "instruction set of the cpu backend: avx512-bf16, avx512, avxvnni, avx2, neon-i8mm, "
         "neon, "
         "scalar (default: the machine's best)");
}

void ModelOptions::attach_context(Arguments& a) {
  PlanOptions& plan = engine.plan;
  a.add("-c,--ctx-size", "N",
        "positions of the context, 0: all the model has (default: at most 8192)",
        [&plan](const std::string& word) {
          plan.n_positions = Arguments::parse_integer("-c", word, 0, INT32_MAX);
          if (plan.n_positions == 0) plan.n_positions = kWholeContext;
        });
  a.integer("-b,--batch-size", batch, 1, kMostBatch,
            "prompt tokens handed over at a time, bounds -ub (default: 2048)");
  a.integer("-ub,--ubatch-size", plan.max_batch, 1, kMostBatch,
            "prompt tokens computed together (default: 512)");
  attach_checkpoints(a);
}

void ModelOptions::attach_checkpoints(Arguments& a) {
  a.integer("-ctxcp,--ctx-checkpoints", engine.plan.n_snapshots, 0, kMaxSnapshots,
            "earlier states of recurrent layers to keep, for going back to (default: 4)");
}

void ModelOptions::attach_cache(Arguments& a) {
  PlanOptions& plan = engine.plan;
  a.add("-ctk,--cache-type-k", "FORMAT", "format of the cached keys (default: f16)",
        [&plan](const std::string& word) { plan.cache_k = parse_cache_format("-ctk", word); });
  a.add("-ctv,--cache-type-v", "FORMAT", "format of the cached values (default: f16)",
        [&plan](const std::string& word) { plan.cache_v = parse_cache_format("-ctv", word); });
}

void ModelOptions::attach(Arguments& a) {
  attach_model(a);
  attach_context(a);
  attach_cache(a);
  attach_backend(a);
  attach_threads(a);
}

std::filesystem::path ModelOptions::path() const {
  return find_model(model);
}

EngineOptions ModelOptions::engine_options() const {
  EngineOptions options = engine;
  options.plan.max_batch = std::min(options.plan.max_batch, batch);
  return options;
}

int ModelOptions::threads() const {
  return engine.backend.n_threads > 0 ? std::min(engine.backend.n_threads, usable_processors())
                                      : default_threads();
}

void SamplingOptions::attach(Arguments& a) {
  a.integer("-n,--predict,--n-predict", max_tokens, -1, INT32_MAX,
            "tokens to generate, -1: until the end (default)");
  a.number("--temp,--temperature", temperature_, "temperature, 0: greedy (default: 0.8)");
  a.integer("--top-k", top_k_, INT32_MIN, INT32_MAX, "the K likeliest, 0: all (default: 40)");
  a.number("--top-p", top_p_, "the likeliest that add up to it, 1: off (default: 0.95)");
  a.number("--min-p", min_p_, "at least this share of the likeliest, 0: off (default: 0.05)");
  a.number("--repeat-penalty", repeat_penalty_, "on tokens that were there, 1: off (default: 1)");
  a.integer("--repeat-last-n", repeat_last_n_, -1, INT32_MAX,
            "tokens the penalties look back, -1: all, 0: off (default: 64)");
  a.number("--presence-penalty", others_.presence_penalty, "once per token there (default: 0)");
  a.number("--frequency-penalty", others_.frequency_penalty, "per occurrence (default: 0)");
  a.add(
      "--logit-bias,-l", "ID+BIAS", "added to a token's logit, ID-inf forbids it; repeatable",
      [this](const std::string& word) { others_.logit_bias.push_back(parse_logit_bias(word)); },
      true);
  a.add("-s,--seed", "N", "of the random numbers, -1: a random one (default)",
        [this](const std::string& word) { seed_ = parse_seed(word); });
  a.texts("--stop,-r,--reverse-prompt", stop, "text that ends the answer; repeatable");
  a.flag("--ignore-eos", ignore_eos, "never sample an end token");
}

void SamplingOptions::check() const {
  validate(sampler({}), INT32_MAX);
  StopStrings{stop};
}

SamplerOptions SamplingOptions::sampler(const gguf::Metadata& m) const {
  constexpr float kMost = 1e30f;
  SamplerOptions o = others_;
  o.temperature = temperature_.value_or(recommended(m, "temp", o.temperature, 0, kMost));
  o.top_p = top_p_.value_or(recommended(m, "top_p", o.top_p, 0, 1));
  o.min_p = min_p_.value_or(recommended(m, "min_p", o.min_p, 0, 1));
  o.repeat_penalty = repeat_penalty_.value_or(
      recommended(m, "penalty_repeat", o.repeat_penalty, 1 / kMost, kMost));
  o.top_k = top_k_.value_or(
      static_cast<int32_t>(m.integer_or("general.sampling.top_k", o.top_k, INT32_MIN, INT32_MAX)));
  o.repeat_last_n = repeat_last_n_.value_or(static_cast<int32_t>(
      m.integer_or("general.sampling.penalty_last_n", o.repeat_last_n, -1, INT32_MAX)));
  o.seed = seed_.value_or(random_seed());
  return o;
}

}  // namespace plumb
