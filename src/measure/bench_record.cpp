#include "measure/bench_record.h"

#include <cmath>

#include "base/processor.h"
#include "measure/statistics.h"

namespace plumb {
namespace {

using nlohmann::ordered_json;

// Of a sample.
double deviation(std::span<const double> x) {
  return std::sqrt(squared_error(x) * static_cast<double>(x.size()));
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string cache_name(Format format) {
  return lower(format_info(format).name);
}

// Settings of llama.cpp's that plumb has not got, at llama-bench's defaults: so that scripts that
// tell set-ups apart by them see one.
void add_foreign(ordered_json& j) {
  j["n_gpu_layers"] = -1;
  j["n_cpu_moe"] = 0;
  j["split_mode"] = "layer";
  j["main_gpu"] = 0;
  j["no_kv_offload"] = false;
  j["flash_attn"] = -1;
  j["devices"] = "auto";
  j["tensor_split"] = "0.00";
  j["tensor_buft_overrides"] = "none";
  j["load_mode"] = "auto";
  j["lazy_mode"] = "auto";
  j["embeddings"] = false;
  j["no_op_offload"] = 0;
  j["no_host"] = false;
  j["fit_target"] = 0;
  j["fit_min_ctx"] = 0;
}

ordered_json setup_json(const BenchSetup& s, const BenchResult& r, const BuildInfo& build) {
  ordered_json j{{"build_commit", build.commit},
                 {"build_number", build.number},
                 {"cpu_info", processor_name()},
                 {"gpu_info", ""},
                 {"backends", "CPU"},
                 {"model_filename", s.model},
                 {"model_type", r.model_type},
                 {"model_size", r.model_size},
                 {"model_n_params", r.model_n_params},
                 {"n_batch", s.n_batch},
                 {"n_ubatch", s.n_ubatch},
                 {"n_threads", s.n_threads},
                 {"cpu_mask", "0x0"},
                 {"cpu_strict", false},
                 {"poll", 50},
                 {"type_k", cache_name(s.type_k)},
                 {"type_v", cache_name(s.type_v)}};
  add_foreign(j);
  return j;
}

ordered_json known(double value, double unit = 1) {
  return value > 0 ? ordered_json(value / unit) : nullptr;
}
ordered_json known(const std::optional<double>& value) {
  return value ? ordered_json(*value) : nullptr;
}

ordered_json own_json(const BenchTest& test, const BenchResult& r, double seconds) {
  const double least = least_seconds(r.work, r.limits);
  return {{"engine", "plumb"},
          {"plumb_backend", r.backend},
          {"instruction_set", r.instruction_set},
          {"all_logits", r.options.all_logits},
          {"with_sampling", r.options.with_sampling},
          {"no_repack", r.options.no_repack},
          {"warm_up", r.options.warm_up},
          {"weight_bytes_per_token", r.weight_bytes_per_token},
          {"gbps", r.work.bytes() / seconds / 1e9},
          {"limit_gbps", known(r.limits.read, 1e9)},
          {"gmacs", r.work.macs() / seconds / 1e9},
          {"limit_gmacs", known(r.limits.macs, 1e9)},
          {"limit_arithmetic", arithmetic_name(r.arithmetic)},
          {"limited_by", test.n_gen == 0      ? "multiply-adds"
                         : test.n_prompt == 0 ? "reads"
                                              : "multiply-adds, then reads"},
          {"share_of_limit", known(least / seconds)},
          {"load_average", r.state.load_average},
          {"other_processes_share", known(r.state.others_share)},
          {"steal_share", known(r.state.steal_share)},
          {"cpu_mhz", known(r.state.mhz)},
          {"involuntary_switches", r.state.involuntary_switches}};
}

}  // namespace

BenchRecord make_record(const BenchCase& c, const BenchResult& r, const BuildInfo& build) {
  std::vector<double> ns, rates;
  for (const int64_t sample : r.samples_ns) {
    ns.push_back(static_cast<double>(sample));
    rates.push_back(tokens_per_second(c.test, sample));
  }
  BenchRecord record{.test = test_name(c.test), .standard = setup_json(c.setup, r, build)};
  ordered_json& j = record.standard;
  j["n_prompt"] = c.test.n_prompt;
  j["n_gen"] = c.test.n_gen;
  j["n_depth"] = c.test.n_depth;
  j["test_time"] = r.test_time;
  j["avg_ns"] = static_cast<int64_t>(mean(ns));
  j["stddev_ns"] = static_cast<int64_t>(deviation(ns));
  j["avg_ts"] = mean(rates);
  j["stddev_ts"] = deviation(rates);
  record.samples = {{"samples_ns", r.samples_ns}, {"samples_ts", rates}};
  record.own = own_json(c.test, r, mean(ns) / 1e9);
  const auto in_units = [](std::vector<double> values) {
    for (double& v : values) v /= 1e9;
    return values;
  };
  record.own_samples = {{"samples_threads", r.samples_threads},
                        {"limit_gbps_samples", in_units(r.read_limits)},
                        {"limit_gmacs_samples", in_units(r.macs_limits)}};
  return record;
}

}  // namespace plumb
