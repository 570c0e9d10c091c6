#include "backend/recurrent_states.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace plumb {
namespace {

// Batches of more tokens take long enough to be given up, and are worth a copy of the state before.
constexpr int64_t kManyTokens = 16;

}  // namespace

RecurrentStates::RecurrentStates(const Plan& plan)
    : n_snapshots_(plan.options.n_snapshots),
      state_bytes_(plan.states.bytes() + plan.states.chunk_bytes()),
      memory_(plan.states.layers.empty() ? 0 : plumb::state_bytes(plan)) {
  if (plan.states.layers.empty()) return;
  int64_t offset = 0;
  for (const StateLayer& layer : plan.states.layers) {
    offsets_.push_back(offset);
    offset += layer.values + layer.chunk_values;
  }
  sequences_.resize(static_cast<size_t>(plan.options.n_sequences));
  auto place = static_cast<int32_t>(sequences_.size());
  for (Sequence& s : sequences_) {
    s.kept.reserve(static_cast<size_t>(n_snapshots_));
    for (int64_t i = 0; i < n_snapshots_; ++i) s.free.push_back(place++);
  }
}

float* RecurrentStates::at(int32_t place, int layer) const {
  return reinterpret_cast<float*>(memory_.data() + place * state_bytes_) +
         offsets_[static_cast<size_t>(layer)];
}

void RecurrentStates::copy(int32_t from, int32_t to) const {
  uint8_t* target = memory_.data() + to * state_bytes_;
  if (from < 0)
    std::memset(target, 0, static_cast<size_t>(state_bytes_));
  else
    std::memcpy(target, memory_.data() + from * state_bytes_, static_cast<size_t>(state_bytes_));
}

void RecurrentStates::begin(const Batch& batch) {
  can_give_up_ = true;
  if (sequences_.empty()) return;
  for (Sequence& s : sequences_) s.ends = 0;
  for (size_t i = 0; i < batch.slots.size(); ++i) {
    Sequence& s = sequences_[static_cast<size_t>(batch.slots[i])];
    if (s.ends == 0) s.begun = batch.positions[i];
    s.ends = batch.positions[i] + 1;
  }
  for (size_t slot = 0; slot < sequences_.size(); ++slot)
    if (sequences_[slot].ends > 0) plan_batch(sequences_[slot], static_cast<int32_t>(slot));
}

// Which states of the sequence are kept: the one before a batch of many tokens, then as many page
// boundaries as there is room for. Their places are filled by the layers.
void RecurrentStates::plan_batch(Sequence& s, int32_t slot) {
  const auto add = [&](int64_t position) {
    if (!make_room(s, s.begun)) return;
    s.kept.push_back({position, s.free.back()});
    s.free.pop_back();
  };
  const bool known = s.begun == 0 || (!s.kept.empty() && s.kept.back().position == s.begun);
  if (!known && s.ends - s.begun > kManyTokens) {
    add(s.begun);
    if (!s.kept.empty() && s.kept.back().position == s.begun) copy(slot, s.kept.back().place);
  }
  const auto before = latest(s, s.begun);
  can_give_up_ = can_give_up_ && (s.begun == 0 || (before && before->position == s.begun));
  for (int64_t b = s.begun / kPagePositions + 1; b * kPagePositions <= s.ends; ++b)
    add(b * kPagePositions);
}

// Gives up the place whose neighbours are the closest for its distance from the end; never that of
// the position `keep`.
bool RecurrentStates::make_room(Sequence& s, int64_t keep) const {
  if (!s.free.empty()) return true;
  size_t least = s.kept.size();
  double least_gap = 0;
  for (size_t i = 0; i < s.kept.size(); ++i) {
    if (s.kept[i].position == keep) continue;
    const int64_t before = i == 0 ? 0 : s.kept[i - 1].position;
    const int64_t after = i + 1 < s.kept.size() ? s.kept[i + 1].position : s.ends;
    const double gap = static_cast<double>(after - before) /
                       static_cast<double>(s.ends - s.kept[i].position + kPagePositions);
    if (least < s.kept.size() && gap >= least_gap) continue;
    least = i;
    least_gap = gap;
  }
  if (least == s.kept.size()) return false;
  s.free.push_back(s.kept[least].place);
  s.kept.erase(s.kept.begin() + static_cast<int64_t>(least));
  return true;
}

float* RecurrentStates::kept(int slot, int64_t n_positions, int layer) const {
  if (n_positions % kPagePositions != 0) return nullptr;
  const Kept* kept = latest(sequences_[static_cast<size_t>(slot)], n_positions);
  return kept && kept->position == n_positions ? at(kept->place, layer) : nullptr;
}

void RecurrentStates::drop_after(Sequence& s, int64_t n_positions) {
  while (!s.kept.empty() && s.kept.back().position > n_positions) {
    s.free.push_back(s.kept.back().place);
    s.kept.pop_back();
  }
}

const RecurrentStates::Kept* RecurrentStates::latest(const Sequence& s, int64_t n_positions) const {
  for (size_t i = s.kept.size(); i-- > 0;)
    if (s.kept[i].position <= n_positions) return &s.kept[i];
  return nullptr;
}

void RecurrentStates::give_back() {
  for (size_t slot = 0; slot < sequences_.size(); ++slot)
    if (const Sequence& s = sequences_[slot]; s.ends > 0)
      truncate(static_cast<int>(slot), s.ends, s.begun);
}

int64_t RecurrentStates::truncate(int slot, int64_t length, int64_t n_positions) {
  if (sequences_.empty() || n_positions == length) return n_positions;
  Sequence& s = sequences_[static_cast<size_t>(slot)];
  drop_after(s, n_positions);
  const Kept* kept = latest(s, n_positions);
  copy(kept ? kept->place : -1, slot);
  return kept ? kept->position : 0;
}

int64_t RecurrentStates::copy_prefix(int from, int64_t length, int to, int64_t n_positions) {
  if (from == to) return truncate(to, length, n_positions);
  if (sequences_.empty()) return n_positions;
  drop_after(sequences_[static_cast<size_t>(to)], -1);
  if (n_positions == length) {
    copy(from, to);
    return length;
  }
  const Kept* kept = latest(sequences_[static_cast<size_t>(from)], n_positions);
  copy(kept ? kept->place : -1, to);
  return kept ? kept->position : 0;
}

}  // namespace plumb
