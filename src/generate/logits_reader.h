#pragma once
// The logits after every token of a text that is known in advance: what `logits` writes and
// perplexity is made of.

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "generate/engine.h"

namespace plumb {

class LogitsReader {
 public:
  // Rows of logits held at once are the plan's max_logits. Uses slot 0 of the engine. `stop` is
  // looked at during a batch.
  explicit LogitsReader(Engine& engine, const std::atomic<bool>* stop = nullptr);

  // A new text: at least one id, which must stay where they are. Logits before position `first` are
  // not wanted, and cost less.
  void start(std::span<const int32_t> ids, int64_t first = 0);

  // Computes until there are logits: of positions [begin, end), one after another in all calls.
  // Empty at the end of the text. Error (interrupted) where `stop` became true.
  struct Range {
    int64_t begin = 0, end = 0;
  };
  Range next();
  std::span<const float> logits(int64_t position) const;  // [n_vocab]; of the last range

 private:
  void run(int64_t n, bool wanted);

  Engine& engine_;
  const std::atomic<bool>* stop_;
  std::span<const int32_t> ids_;
  int64_t first_ = 0, done_ = 0;
  Range range_;
  std::vector<int32_t> positions_, slots_;
  std::vector<uint8_t> wanted_;
};

}  // namespace plumb
