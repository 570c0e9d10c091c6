#include "measure/bench.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/xorshift.h"
#include "generate/generate.h"

namespace plumb {
namespace {

using Clock = std::chrono::steady_clock;

EngineOptions engine_options(const BenchSetup& setup, int64_t n_positions,
                             const BenchOptions& options) {
  PlanOptions plan{.cache_k = setup.type_k,
                   .cache_v = setup.type_v,
                   .n_positions = n_positions,
                   .max_batch = std::min(setup.n_batch, setup.n_ubatch)};
  if (options.all_logits) plan.max_logits = plan.max_batch;
  return {.backend = {.name = options.backend,
                      .n_threads = setup.n_threads,
                      .cpu = options.cpu,
                      .no_repack = options.no_repack},
          .plan = plan};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%FT%TZ", &utc);
  return text;
}

std::string size_label(int64_t n) {
  const auto x = static_cast<double>(n);
  if (x >= 1e10) return fmt::format("{:.0f}B", x / 1e9);
  if (x >= 1e9) return fmt::format("{:.1f}B", x / 1e9);
  return fmt::format("{:.0f}M", x / 1e6);
}

// Sizes and the format of most bytes.
void describe(const gguf::File& file, BenchResult& result) {
  std::map<Format, int64_t> bytes;
  for (int64_t i = 0; i < file.n_tensors(); ++i) {
    const auto tensor = file.tensor(i);
    const auto size = static_cast<int64_t>(tensor.data.size());
    result.model_size += size;
    bytes[tensor.format] += size;
    result.model_n_params = saturating_add(result.model_n_params, tensor.n_elements());
  }
  const auto most = std::ranges::max_element(bytes, {}, [](const auto& b) { return b.second; });
  const std::string_view format = most == bytes.end() ? "" : format_info(most->first).name;
  result.model_type = fmt::format("{} {} {}", file.metadata().string("general.architecture"),
                                  size_label(result.model_n_params), format);
}

std::string instruction_set_of(const Backend& backend) {
  for (const auto& [label, value] : backend.describe())
    if (label == "instruction set") return value;
  return "";
}

// The same ids in every run.
std::vector<int32_t> random_ids(int64_t n, int64_t n_vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  Xorshift random;
  for (int32_t& id : ids) id = static_cast<int32_t>(random.next() % static_cast<uint64_t>(n_vocab));
  return ids;
}

}  // namespace

double tokens_per_second(const BenchTest& test, int64_t ns) {
  return 1e9 * static_cast<double>(test.n_prompt + test.n_gen) / static_cast<double>(ns);
}

int64_t check_setup(const BenchSetup& setup, int64_t n_positions, const BenchOptions& options) {
  const auto file = gguf::File::open(setup.model);
  const ModelDesc model = load_model_desc(file);
  const EngineOptions engine = engine_options(setup, n_positions, options);
  const Plan plan = compile(model, with_defaults(engine.plan, model));
  require_memory(file.path(), make_backend(engine.backend)->memory(plan), n_positions,
                 "smaller tests (-p, -n, -d) or a smaller -ub need less");
  return model.n_context;
}

Bench::Bench(const BenchSetup& setup, int64_t n_positions, const BenchOptions& options)
    : setup_(setup),
      options_(options),
      engine_(setup.model, engine_options(setup, n_positions, options)),
      session_(engine_),
      tokens_(random_ids(n_positions, engine_.plan().n_vocab)) {
  if (options.with_sampling) sampler_.emplace(make_sampler(engine_, {.seed = 1}, true));
}

void Bench::feed_prompt(int64_t n) {
  const auto begin = session_.ids().size();
  std::span<const int32_t> ids = std::span(tokens_).subspan(begin, static_cast<size_t>(n));
  while (!ids.empty()) {
    const auto piece = ids.first(std::min(ids.size(), static_cast<size_t>(setup_.n_batch)));
    session_.feed(piece, nullptr,
                  options_.all_logits ? Session::LogitsOf::every : Session::LogitsOf::last);
    ids = ids.subspan(piece.size());
  }
}

void Bench::generate(int64_t n) {
  if (n == 0) return;
  int32_t id = tokens_[session_.ids().size()];
  for (int64_t i = 0; i < n; ++i) {
    session_.feed({&id, 1});
    if (sampler_) {
      id = sampler_->sample(session_.logits().first(static_cast<size_t>(sampler_->n_vocab())));
      sampler_->accept(id);
    } else if (i + 1 < n) {
      id = tokens_[session_.ids().size()];
    }
  }
}

// What is there already of the depth was made of the same tokens.
void Bench::fill_to(int64_t depth) {
  const auto held = static_cast<int64_t>(std::ranges::mismatch(session_.ids(), tokens_).in1 -
                                         session_.ids().begin());
  const int64_t kept = session_.truncate(std::min(depth, held));
  if (kept < depth) feed_prompt(depth - kept);
}

int64_t Bench::time_once(const BenchTest& test) {
  fill_to(test.n_depth);
  if (sampler_) {
    sampler_->reset();
    sampler_->read(session_.ids());
  }
  const auto start = Clock::now();
  feed_prompt(test.n_prompt);
  generate(test.n_gen);
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start);
  return std::max<int64_t>(1, ns.count());
}

void Bench::measure_limits(BenchResult& result) const {
  const Limits now = plumb::measure_limits(result.arithmetic, setup_.n_threads);
  result.read_limits.push_back(now.read);
  result.macs_limits.push_back(now.macs);
  result.limits = {std::max(result.limits.read, now.read), std::max(result.limits.macs, now.macs)};
}

BenchResult Bench::run(const BenchTest& test,
                       const std::function<void(const std::string&)>& progress) {
  const auto tell = [&](const std::string& what) {
    if (progress) progress(what);
  };
  BenchResult result{.options = options_,
                     .instruction_set = instruction_set_of(engine_.backend()),
                     .test_time = utc_now(),
                     .work = work_of(engine_.plan(), test, setup_.n_batch, options_.all_logits),
                     .arithmetic = arithmetic_of(engine_.plan()),
                     .weight_bytes_per_token = weight_bytes_per_token(engine_.plan()),
                     .backend = engine_.backend().name()};
  describe(engine_.file(), result);
  if (options_.measure_limits) measure_limits(result);
  if (options_.warm_up) {
    tell("warm-up");
    time_once({test.n_prompt, std::min<int64_t>(test.n_gen, 1), test.n_depth});
  }
  const StateMeter meter;
  for (int i = 1; i <= options_.repetitions; ++i) {
    tell(fmt::format("run {}/{}", i, options_.repetitions));
    result.samples_ns.push_back(time_once(test));
    result.samples_threads.push_back(engine_.executable().n_threads());
  }
  result.state = meter.state();
  if (options_.measure_limits) measure_limits(result);
  return result;
}

}  // namespace plumb
