#include "support/smollm2.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace plumb::test {
namespace {

std::vector<uint8_t> from_base64(const std::string& text) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : text) {
    const auto value = alphabet.find(c);
    if (value == std::string::npos) break;  // padding
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((n_bits += 6) >= 8) bytes.push_back(static_cast<uint8_t>(bits >> (n_bits -= 8)));
  }
  return bytes;
}

std::vector<std::vector<float>> rows(const std::vector<uint8_t>& bytes, size_t columns) {
  std::vector<std::vector<float>> out(bytes.size() / sizeof(float) / columns,
                                      std::vector<float>(columns));
  for (size_t r = 0; r < out.size(); ++r)
    std::memcpy(out[r].data(), bytes.data() + r * columns * sizeof(float), columns * sizeof(float));
  return out;
}

}  // namespace

std::filesystem::path smollm2_path() {
  const char* cache = std::getenv("PLUMB_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path folder =
      cache ? cache : std::filesystem::path(home ? home : ".") / ".cache/plumb/models";
  return folder / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

ReferenceData smollm2_reference() {
  const auto json = nlohmann::json::parse(
      read_file(std::filesystem::path(PLUMB_TEST_DATA) / "correctness/smollm2.json"));
  ReferenceData data{
      .columns = json["columns"], .texts = {}, .llama_cpp_kld = json["llama_cpp_q4_1"]["mean_kld"]};
  for (const auto& text : json["texts"])
    data.texts.push_back({text["name"], text["ids"], text["greedy"],
                          rows(from_base64(text["sampled"]), data.columns.size())});
  return data;
}

SmolLm2::SmolLm2()
    : file(gguf::File::open(smollm2_path())),
      model(load_model_desc(file)),
      plan(compile(model, {.cache_k = Format::f32,
                           .cache_v = Format::f32,
                           .n_positions = 256,
                           .n_sequences = 5,
                           .max_batch = 512,
                           .max_logits = 512})) {}

TextLogits logits_of_texts(Executable& executable, const ReferenceData& data) {
  std::vector<int32_t> tokens, positions, slots;
  for (size_t t = 0; t < data.texts.size(); ++t)
    for (size_t i = 0; i < data.texts[t].ids.size(); ++i) {
      tokens.push_back(data.texts[t].ids[i]);
      positions.push_back(static_cast<int32_t>(i));
      slots.push_back(static_cast<int32_t>(t));
    }
  executable.run({tokens, positions, slots, std::vector<uint8_t>(tokens.size(), 1)});
  TextLogits logits(data.texts.size());
  for (size_t row = 0; row < tokens.size(); ++row) {
    const auto values = executable.logits(static_cast<int64_t>(row));
    logits[static_cast<size_t>(slots[row])].emplace_back(values.begin(), values.end());
  }
  return logits;
}

double kl_divergence(const std::vector<float>& p_logits, const std::vector<float>& q_logits) {
  const auto log_sum = [](const std::vector<float>& x) {
    const auto largest = static_cast<double>(*std::max_element(x.begin(), x.end()));
    double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>(v) - largest);
    return largest + std::log(sum);
  };
  const double p_sum = log_sum(p_logits), q_sum = log_sum(q_logits);
  double divergence = 0;
  for (size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = static_cast<double>(p_logits[i]) - p_sum,
                 log_q = static_cast<double>(q_logits[i]) - q_sum;
    divergence += std::exp(log_p) * (log_p - log_q);
  }
  return divergence;
}

}  // namespace plumb::test
