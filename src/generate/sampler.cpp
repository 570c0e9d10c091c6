#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace plumb {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

template <typename Number>
void require(bool ok, std::string_view option, std::string_view expected, Number got) {
  if (!ok) fail("{}: expected {}, got {}", option, expected, got);
}

// splitmix64 (Steele, Lea & Flood 2014) spreads a seed over the state of xoshiro256** (Blackman &
// Vigna 2018).
std::array<uint64_t, 4> seeded(uint64_t seed) {
  std::array<uint64_t, 4> state;
  for (uint64_t& word : state) {
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    word = z ^ (z >> 31);
  }
  return state;
}

uint64_t rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

uint64_t next(std::array<uint64_t, 4>& s) {
  const uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

[[noreturn]] void fail_not_finite(std::span<const float> logits) {
  fail("logits: expected a finite one among {}, got only NaN or infinite ones", logits.size());
}

}  // namespace

void validate(const SamplerOptions& o, int32_t n_vocab) {
  require(std::isfinite(o.temperature), "--temp", "a finite number", o.temperature);
  require(o.top_p >= 0 && o.top_p <= 1, "--top-p", "0 to 1", o.top_p);
  require(o.min_p >= 0 && o.min_p <= 1, "--min-p", "0 to 1", o.min_p);
  require(o.repeat_last_n >= -1, "--repeat-last-n", "-1 or above", o.repeat_last_n);
  const bool invertible = std::isnormal(o.repeat_penalty) && std::isnormal(1 / o.repeat_penalty);
  require(o.repeat_penalty > 0 && invertible, "--repeat-penalty", "a finite number above 0",
          o.repeat_penalty);
  require(std::isfinite(o.presence_penalty), "--presence-penalty", "a finite number",
          o.presence_penalty);
  require(std::isfinite(o.frequency_penalty), "--frequency-penalty", "a finite number",
          o.frequency_penalty);
  for (const LogitBias& b : o.logit_bias) {
    if (b.id < 0 || b.id >= n_vocab)
      fail("--logit-bias: expected a token id below {}, got {}", n_vocab, b.id);
    require(std::isfinite(b.bias) || b.bias == kNever, "--logit-bias", "a finite number or -inf",
            b.bias);
  }
}

void forbid(SamplerOptions& options, std::span<const int32_t> ids) {
  for (const int32_t id : ids) options.logit_bias.push_back({id, kNever});
}

Sampler::Sampler(const SamplerOptions& options, int32_t n_vocab, int32_t n_context)
    : options_(options) {
  validate(options, n_vocab);
  const auto size = static_cast<size_t>(n_vocab);
  const int32_t last_n = options.repeat_last_n < 0 ? n_context : options.repeat_last_n;
  const int32_t window = std::clamp(last_n, 0, std::max(n_context, 0));
  adjusted_.resize(size);
  candidates_.resize(size);
  spare_.resize(size);
  counts_.resize(size);
  window_.resize(static_cast<size_t>(window));
  reset();
}

void Sampler::reset() {
  random_ = seeded(options_.seed);
  read({});
}

void Sampler::read(std::span<const int32_t> ids) {
  for (size_t i = 0; i < window_used_; ++i) counts_[static_cast<size_t>(window_[i])] = 0;
  window_used_ = window_next_ = 0;
  for (const int32_t id : ids.last(std::min(ids.size(), window_.size()))) accept(id);
}

void Sampler::accept(int32_t id) {
  if (window_.empty() || id < 0 || static_cast<size_t>(id) >= counts_.size()) return;
  int32_t& slot = window_[window_next_];
  if (window_used_ == window_.size())
    --counts_[static_cast<size_t>(slot)];
  else
    ++window_used_;
  slot = id;
  ++counts_[static_cast<size_t>(id)];
  window_next_ = (window_next_ + 1) % window_.size();
}

int32_t Sampler::sample(std::span<const float> logits) {
  CHECK(logits.size() == candidates_.size(), "logits {} vocabulary {}", logits.size(),
        candidates_.size());
  logits = adjusted(logits);
  if (options_.temperature <= 0) return greedy(logits);
  keep_top_k(logits);
  if (n_candidates_ == 0) fail_not_finite(logits);
  if (options_.top_p < 1) keep_top_p();
  if (options_.min_p > 0) keep_min_p();
  return draw();
}

// The logits after bias and penalties; the model's own where there are none.
std::span<const float> Sampler::adjusted(std::span<const float> logits) {
  const bool penalties = options_.repeat_penalty != 1 || options_.presence_penalty != 0 ||
                         options_.frequency_penalty != 0;
  if (options_.logit_bias.empty() && !(penalties && window_used_ > 0)) return logits;
  std::copy(logits.begin(), logits.end(), adjusted_.begin());
  for (const LogitBias& b : options_.logit_bias) adjusted_[static_cast<size_t>(b.id)] += b.bias;
  if (penalties) penalise();
  return adjusted_;
}

// Once per different id of the window: a count is negated when it has been served, and turned back
// at the end.
void Sampler::penalise() {
  for (size_t i = 0; i < window_used_; ++i) {
    const auto id = static_cast<size_t>(window_[i]);
    if (counts_[id] < 0) continue;
    float& logit = adjusted_[id];
    logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    logit -=
        static_cast<float>(counts_[id]) * options_.frequency_penalty + options_.presence_penalty;
    counts_[id] = -counts_[id];
  }
  for (size_t i = 0; i < window_used_; ++i) {
    int32_t& count = counts_[static_cast<size_t>(window_[i])];
    count = std::abs(count);
  }
}

int32_t Sampler::greedy(std::span<const float> logits) {
  Candidate best{-1, kNever, 1};
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > best.logit && std::isfinite(logits[i]))
      best = {static_cast<int32_t>(i), logits[i], 1};
  if (best.id < 0) fail_not_finite(logits);
  candidates_[0] = best;
  n_candidates_ = 1;
  ordered_ = true;
  return best.id;
}

// Leaves the candidates in order where a stage asks for it, otherwise just the best one in front.
void Sampler::keep_top_k(std::span<const float> logits) {
  const auto n = static_cast<int64_t>(logits.size());
  const int64_t k = options_.top_k <= 0 ? n : std::min<int64_t>(options_.top_k, n);
  const bool is_selection = k < n && k <= kLargestSelection;
  n_candidates_ = is_selection ? select_best(logits, k) : take_finite(logits);
  ordered_ = k < n || options_.top_p < 1;
  const auto begin = candidates_.begin();
  if (ordered_)
    sort_candidates(candidates_, spare_, static_cast<size_t>(n_candidates_));
  else if (n_candidates_ > 0)
    std::nth_element(begin, begin + 1, begin + n_candidates_, before);
  n_candidates_ = std::min(k, n_candidates_);
}

// One pass that keeps what beats the k-th best seen so far; whenever the room for 2k is full,
// selection shrinks it to k and raises the bar. After the first few thousand logits almost nothing
// passes the bar, so the cost is that of reading them. A later equal logit has a higher id and
// loses, as in before().
int64_t Sampler::select_best(std::span<const float> logits, int64_t k) {
  const auto n = static_cast<int64_t>(logits.size());
  const int64_t room = std::min(n, 2 * k + 128);
  const auto begin = candidates_.begin();
  float bar = kNever;
  int64_t used = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float logit = logits[static_cast<size_t>(i)];
    if (!(logit > bar) || !std::isfinite(logit)) continue;
    if (used == room) {
      std::nth_element(begin, begin + (k - 1), begin + used, before);
      used = k;
      bar = candidates_[static_cast<size_t>(k - 1)].logit;
      if (!(logit > bar)) continue;
    }
    candidates_[static_cast<size_t>(used++)] = {static_cast<int32_t>(i), logit, 0};
  }
  if (used > k) std::nth_element(begin, begin + k, begin + used, before);
  return std::min(k, used);
}

int64_t Sampler::take_finite(std::span<const float> logits) {
  int64_t used = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i]))
      candidates_[static_cast<size_t>(used++)] = {static_cast<int32_t>(i), logits[i], 0};
  return used;
}

// The best candidates whose probabilities add up to top_p, the one that reaches it included.
void Sampler::keep_top_p() {
  const std::span<Candidate> live(candidates_.data(), static_cast<size_t>(n_candidates_));
  const float max = live.front().logit;
  double total = 0, sum = 0;
  for (Candidate& c : live) {
    c.probability = std::exp(c.logit - max);
    total += c.probability;
  }
  const double wanted = total * options_.top_p;
  for (size_t i = 0; i < live.size(); ++i) {
    sum += live[i].probability;
    if (sum < wanted) continue;
    n_candidates_ = static_cast<int64_t>(i) + 1;
    return;
  }
}

void Sampler::keep_min_p() {
  const float least = candidates_[0].logit + std::log(options_.min_p);
  const auto begin = candidates_.begin(), end = begin + n_candidates_;
  const auto kept =
      std::remove_if(begin + 1, end, [least](const Candidate& c) { return c.logit < least; });
  n_candidates_ = kept - begin;
}

int32_t Sampler::draw() {
  const float max = candidates_[0].logit;
  const std::span<Candidate> live(candidates_.data(), static_cast<size_t>(n_candidates_));
  double total = 0;
  for (Candidate& c : live) {
    c.probability = std::exp((c.logit - max) / options_.temperature);
    total += c.probability;
  }
  const double target = uniform() * total;
  double sum = 0;
  int32_t drawn = live.front().id;
  bool found = false;
  for (Candidate& c : live) {
    sum += c.probability;
    if (!found && sum > target) drawn = c.id, found = true;
    c.probability = static_cast<float>(c.probability / total);
  }
  return drawn;
}

// [0, 1), the upper 53 bits of the generator's word
double Sampler::uniform() {
  return static_cast<double>(next(random_) >> 11) * 0x1p-53;
}

std::span<const Sampler::Candidate> Sampler::candidates() {
  if (!std::exchange(ordered_, true))
    std::sort(candidates_.begin(), candidates_.begin() + n_candidates_, before);
  return {candidates_.data(), static_cast<size_t>(n_candidates_)};
}

}  // namespace plumb
