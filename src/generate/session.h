#pragma once
// One sequence of a model: feed tokens, read the logits that follow, go back. The ids held are
// always known, so that a new prompt reuses the longest prefix it shares with the old one.

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "generate/engine.h"

namespace plumb {

class Session {
 public:
  explicit Session(Engine& engine, int slot = 0);

  // Appends ids (at least one) in batches of the plan's size; the logits of the last one follow, or
  // are computed of every one, as many in a batch as the plan's max_logits must allow. False:
  // `stop` became true; the batches that were done until then are held, the one under way is given
  // up.
  enum class LogitsOf { last, every };
  bool feed(std::span<const int32_t> ids, const std::atomic<bool>* stop = nullptr,
            LogitsOf wanted = LogitsOf::last);

  std::span<const float> logits() const;  // after the last token fed, [n_vocab]

  std::span<const int32_t> ids() const { return ids_; }
  int64_t room() const;  // positions left
  // Returns the ids still held: n, or fewer where layers keep no state, or have dropped what that
  // position sees.
  int64_t truncate(int64_t n_positions);
  // Truncates to the longest common prefix with ids, but leaves at least one id to feed; returns
  // how much of it is still held.
  int64_t reuse_prefix(std::span<const int32_t> ids);

  Engine& engine() { return *engine_; }

 private:
  Engine* engine_;
  int slot_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> positions_, slots_;
  std::vector<uint8_t> wants_;
  int64_t last_row_ = 0;  // of the last batch's logits
};

}  // namespace plumb
