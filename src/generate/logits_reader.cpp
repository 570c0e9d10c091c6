#include "generate/logits_reader.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace plumb {

LogitsReader::LogitsReader(Engine& engine, const std::atomic<bool>* stop)
    : engine_(engine),
      stop_(stop),
      positions_(static_cast<size_t>(engine.plan().options.max_batch)),
      slots_(positions_.size(), 0),
      wanted_(positions_.size()) {}

void LogitsReader::start(std::span<const int32_t> ids, int64_t first) {
  CHECK(!ids.empty() && first >= 0, "{} ids from {}", ids.size(), first);
  engine_.executable().truncate(0, 0);
  ids_ = ids;
  first_ = first;
  done_ = 0;
  range_ = {};
}

LogitsReader::Range LogitsReader::next() {
  const PlanOptions& options = engine_.plan().options;
  const auto n_ids = static_cast<int64_t>(ids_.size());
  while (done_ < std::min(first_, n_ids))
    run(std::min(options.max_batch, std::min(first_, n_ids) - done_), false);
  range_ = {done_, std::min(n_ids, done_ + std::min(options.max_batch, options.max_logits))};
  if (range_.begin < range_.end) run(range_.end - range_.begin, true);
  return range_;
}

std::span<const float> LogitsReader::logits(int64_t position) const {
  return engine_.executable().logits(position - range_.begin);
}

void LogitsReader::run(int64_t n, bool wanted) {
  const auto count = static_cast<size_t>(n);
  std::iota(positions_.begin(), positions_.begin() + n, static_cast<int32_t>(done_));
  std::fill_n(wanted_.begin(), count, wanted);
  const Batch batch{ids_.subspan(static_cast<size_t>(done_), count),
                    std::span(positions_).first(count), std::span(slots_).first(count),
                    std::span(wanted_).first(count), stop_};
  const bool stopped = !engine_.executable().run(batch);
  if (stopped || batch.stopped()) throw Error(ErrorCode::interrupted, "interrupted");
  done_ += n;
}

}  // namespace plumb
