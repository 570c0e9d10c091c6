// Rotary positions as a file's keys and tensors describe them, brought to one form: a base and a
// divisor for the angle of every pair.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "model/family.h"

namespace plumb {
namespace {

// The factor by which positions are stretched. It has an older name; 0 is 1.
float read_stretch(const Keys& keys) {
  const char* name =
      keys.metadata.has(keys("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear";
  if (keys.metadata.number_or(keys(name), 1) == 0) return 1;
  return read_number(keys, name, kStretch, 1);
}

// Peng et al. 2023: pairs that turn more than kFast times within the original context keep their
// angle, those that turn less than once get it divided by the stretch, and those between are mixed.
// The borders are whole pairs, as llama.cpp has them.
std::vector<float> yarn_factors(const Rope& rope, double stretch, double original_context) {
  constexpr double kFast = 32, kSlow = 1, kPi = 3.14159265358979323846;
  const auto n = static_cast<double>(rope.n_dims);
  const auto pair_that_turns = [&](double times) {
    return n * std::log(original_context / (times * 2 * kPi)) /
           (2 * std::log(static_cast<double>(rope.base)));
  };
  const double low = std::max(0.0, std::floor(pair_that_turns(kFast)));
  const double high = std::min(n - 1, std::ceil(pair_that_turns(kSlow)));
  std::vector<float> factors;
  for (int64_t i = 0; i < rope.n_dims / 2; ++i) {
    const double share =
        std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / (1 - share + share / stretch)));
  }
  return factors;
}

void add_yarn(const Keys& keys, double stretch, Rope& rope) {
  if (stretch < 1)
    fail("{}: {}: expected a factor of at least 1 for yarn, got {:g}", keys.metadata.file_name(),
         keys("rope.scaling.factor"), stretch);
  const char* name = "rope.scaling.original_context_length";
  const int64_t fallback = keys.metadata.integer(keys("context_length"), 1);
  const auto context = static_cast<double>(keys.metadata.integer_or(keys(name), fallback, 1));
  if (rope.base == 1)
    fail("{}: {}: expected another base than 1 for yarn, got 1", keys.metadata.file_name(),
         keys("rope.freq_base"));
  rope.factors = yarn_factors(rope, stretch, context);
  rope.reach = fmt::format("yarn {:g} times", stretch);
  rope.magnitude *= static_cast<float>(1 + 0.1 * std::log(stretch));
}

void stretch_evenly(float factor, Rope& rope) {
  rope.frequency_scale = 1 / factor;
  if (factor != 1) rope.reach = fmt::format("stretched {:g} times", factor);
}

void stretch(const Keys& keys, Rope& rope) {
  const gguf::Metadata& m = keys.metadata;
  const std::string_view type = m.string_or(keys("rope.scaling.type"), "linear");
  if (type == "yarn")
    add_yarn(keys, static_cast<double>(read_stretch(keys)), rope);
  else if (type == "linear" || type == "longrope")  // longrope's factors stand in tensors
    stretch_evenly(read_stretch(keys), rope);
  else if (type != "none")
    fail("{}: {}: expected none, linear, yarn or longrope, got {}", m.file_name(),
         keys("rope.scaling.type"), quoted(type));
}

// Not stretched.
Rope read_plain_rope(const Keys& keys, RopeLayout layout, int64_t head_dim, const std::string& dims,
                     const std::string& base) {
  const gguf::Metadata& m = keys.metadata;
  Rope rope{.layout = layout};
  rope.n_dims = m.integer_or(keys(dims), head_dim, 2, head_dim);
  if (rope.n_dims % 2)
    fail("{}: {}: expected an even number, got {}", m.file_name(), keys(dims), rope.n_dims);
  rope.base = read_number(keys, base, kRopeBase, 10000);
  rope.magnitude = read_number(keys, "rope.scaling.attn_factor", kStretch, 1);
  return rope;
}

}  // namespace

Rope read_rope(const Keys& keys, RopeLayout layout, int64_t head_dim, std::string_view suffix) {
  Rope rope = read_plain_rope(keys, layout, head_dim, fmt::format("rope.dimension_count{}", suffix),
                              fmt::format("rope.freq_base{}", suffix));
  if (suffix.empty()) stretch(keys, rope);
  return rope;
}

Rope read_rope_of_windows(const Keys& keys, RopeLayout layout, int64_t head_dim) {
  const char* base =
      keys.metadata.has(keys("rope.freq_base_swa")) ? "rope.freq_base_swa" : "rope.freq_base";
  Rope rope = read_plain_rope(keys, layout, head_dim, "rope.dimension_count", base);
  require_heads_alike(keys, head_dim, rope.n_dims);
  stretch(keys, rope);
  return rope;
}

void multiply_factors(Rope& rope, const std::vector<float>& factors) {
  if (factors.empty()) return;
  if (rope.factors.empty()) rope.factors.assign(factors.size(), 1.0f);
  rope.reach += rope.reach.empty() ? "with factors of the file" : ", with factors of the file";
  for (size_t i = 0; i < factors.size(); ++i) rope.factors[i] *= factors[i];
}

std::vector<float> read_factors(const Keys& keys, const Tensor& vector) {
  std::vector<float> factors = values_of(vector);
  for (const float f : factors)
    if (!(f > 0) || !std::isfinite(f))
      fail("{}: tensor {}: expected numbers above 0, got {}", keys.metadata.file_name(),
           vector.name, f);
  return factors;
}

}  // namespace plumb
