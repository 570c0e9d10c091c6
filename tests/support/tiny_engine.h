#pragma once
// A tiny model opened, described and planned in memory, for tests of backends.

#include <cstring>

#include "backend/backend.h"
#include "gguf/gguf.h"
#include "support/random.h"
#include "support/tiny_model.h"

namespace plumb::test {

struct TinyPlan {
  explicit TinyPlan(const TinyOptions& options = {},
                    const PlanOptions& plan_options = {.n_positions = 128,
                                                       .n_sequences = 3,
                                                       .max_batch = 96,
                                                       .max_logits = 96})
      : file(open(options)), model(load_model_desc(file)), plan(compile(model, plan_options)) {}

  static gguf::File open(const TinyOptions& options) {
    const std::string bytes = tiny_llama(options).bytes();
    return gguf::File::from_bytes("tiny.gguf",
                                  {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }

  gguf::File file;
  ModelDesc model;
  Plan plan;
};

using Logits = std::vector<std::vector<float>>;  // [tokens][n_vocab]

// Feeds ids to a slot from its length on and returns the logits of all of them, [ids][n_vocab].
inline Logits feed(Executable& e, std::span<const int32_t> ids, int slot = 0) {
  std::vector<int32_t> positions, slots(ids.size(), slot);
  for (size_t i = 0; i < ids.size(); ++i)
    positions.push_back(static_cast<int32_t>(e.length(slot) + static_cast<int64_t>(i)));
  const std::vector<uint8_t> wants(ids.size(), 1);
  e.run({ids, positions, slots, wants});
  Logits logits;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = e.logits(static_cast<int64_t>(i));
    logits.emplace_back(row.begin(), row.end());
  }
  return logits;
}

// Runs ids in batches of these sizes, as far as they go, and returns the logits of all tokens.
inline Logits in_batches(Executable& e, std::span<const int32_t> ids, std::span<const size_t> sizes,
                         int slot = 0) {
  Logits all;
  for (const size_t size : sizes) {
    if (ids.empty()) break;
    const Logits some = feed(e, ids.first(std::min(size, ids.size())), slot);
    all.insert(all.end(), some.begin(), some.end());
    ids = ids.subspan(some.size());
  }
  return all;
}

inline bool same_bits(const Logits& a, const Logits& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) return false;
  return true;
}

// n ids spread over the vocabulary.
inline std::vector<int32_t> some_ids(int64_t n, int64_t n_vocab, uint64_t seed = 7) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(random.below(n_vocab)));
  return ids;
}

inline double largest_difference(std::span<const float> a, std::span<const float> b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

}  // namespace plumb::test
