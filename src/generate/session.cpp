#include "generate/session.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace plumb {

Session::Session(Engine& engine, int slot) : engine_(&engine), slot_(slot) {
  const PlanOptions& options = engine.plan().options;
  ids_.reserve(static_cast<size_t>(options.n_positions));
  positions_.resize(static_cast<size_t>(options.max_batch));
  slots_.assign(static_cast<size_t>(options.max_batch), slot);
  wants_.resize(static_cast<size_t>(options.max_batch));
}

bool Session::feed(std::span<const int32_t> ids, const std::atomic<bool>* stop, LogitsOf wanted) {
  CHECK(!ids.empty(), "feed needs a token");
  if (static_cast<int64_t>(ids.size()) > room())
    fail("context: expected at most {} more tokens (-c {}), got {}", room(),
         engine_->plan().options.n_positions, ids.size());
  while (!ids.empty()) {
    const size_t n = std::min(ids.size(), positions_.size());
    std::iota(positions_.begin(), positions_.begin() + static_cast<int64_t>(n),
              static_cast<int32_t>(ids_.size()));
    const bool every = wanted == LogitsOf::every;
    std::fill_n(wants_.begin(), n, every);
    wants_[n - 1] = every || n == ids.size();
    last_row_ = every ? static_cast<int64_t>(n) - 1 : 0;
    const Batch batch{ids.first(n), std::span(positions_).first(n), std::span(slots_).first(n),
                      std::span(wants_).first(n), stop};
    if (!engine_->executable().run(batch)) return false;
    ids_.insert(ids_.end(), ids.begin(), ids.begin() + static_cast<int64_t>(n));
    ids = ids.subspan(n);
  }
  return true;
}

std::span<const float> Session::logits() const {
  return engine_->executable().logits(last_row_);
}

int64_t Session::room() const {
  return engine_->plan().options.n_positions - static_cast<int64_t>(ids_.size());
}

int64_t Session::truncate(int64_t n_positions) {
  const int64_t held = engine_->executable().truncate(slot_, n_positions);
  ids_.resize(static_cast<size_t>(held));
  return held;
}

int64_t Session::reuse_prefix(std::span<const int32_t> ids) {
  const auto longest = std::min(ids_.size(), ids.empty() ? 0 : ids.size() - 1);
  const auto shared =
      std::mismatch(ids.begin(), ids.begin() + static_cast<int64_t>(longest), ids_.begin()).first -
      ids.begin();
  return truncate(shared);
}

}  // namespace plumb
