#include "measure/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "measure/statistics.h"

namespace plumb {
namespace {

// The value that a share of the samples does not exceed; they are sorted.
double percentile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

Estimate percentile_of(std::span<const double> sorted, double share) {
  const double rank_error = std::sqrt(share * (1 - share) / static_cast<double>(sorted.size()));
  const double above = percentile(sorted, std::min(share + rank_error, 1.0));
  const double below = percentile(sorted, std::max(share - rank_error, 0.0));
  return {percentile(sorted, share), (above - below) / 2};
}

template <typename Item, typename Get>
std::vector<double> each(std::span<const Item> items, Get get) {
  std::vector<double> out;
  out.reserve(items.size());
  for (const Item& item : items) out.push_back(get(item));
  return out;
}

// The root of a mean of squares; its error by the first term of the series.
Estimate root_of(const Estimate& squares) {
  const double root = std::sqrt(squares.value);
  return {root, root > 0 ? squares.error / (2 * root) : 0};
}

}  // namespace

Estimate mean_of(std::span<const double> samples) {
  if (samples.empty()) return {};
  return {mean(samples), std::sqrt(squared_error(samples))};
}

Windows::Windows(std::vector<int32_t> ids, int64_t n_context, int32_t begin_token, int64_t most)
    : ids_(std::move(ids)), n_context_(n_context), begin_token_(begin_token) {
  if (n_context < 3)
    fail("-c: expected a window of at least 3 tokens, of whose second half some are scored, got {}",
         n_context);
  const auto n = static_cast<int64_t>(ids_.size());
  if (n < n_context)
    fail("perplexity: expected a text of at least one window of {} tokens (-c), got {}", n_context,
         n);
  n_windows_ = n / n_context;
  if (most >= 0) n_windows_ = std::min(n_windows_, most);
}

std::span<const int32_t> Windows::ids(int64_t window) {
  const auto begin = ids_.begin() + window * n_context_;
  window_.assign(begin, begin + n_context_);
  if (begin_token_ >= 0) window_[0] = begin_token_;
  return window_;
}

// The largest is taken out first, so that nothing overflows.
double log_sum_exp(std::span<const float> logits) {
  const float most = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x - most));
  return static_cast<double>(most) + std::log(sum);
}

Perplexity perplexity_of(std::span<const double> nll) {
  const Estimate mean = mean_of(nll);
  const double ppl = std::exp(mean.value);
  return {{ppl, ppl * mean.error}, static_cast<int64_t>(nll.size())};
}

int32_t Distribution::top() const {
  return static_cast<int32_t>(std::ranges::max_element(logits_) - logits_.begin());
}

Distribution::Distribution(std::span<const float> logits)
    : logits_(logits), log_sum_(log_sum_exp(logits)) {}

Divergence diverge(const Distribution& base, const Distribution& tested, int32_t next) {
  double kld = 0;
  for (int32_t id = 0; id < base.size(); ++id)
    if (base.knows(id)) kld += std::exp(base.ln_p(id)) * (base.ln_p(id) - tested.ln_p(id));
  return {.kld = kld,
          .delta_p = std::exp(tested.ln_p(next)) - std::exp(base.ln_p(next)),
          .same_top = base.top() == tested.top()};
}

Quality quality_of(std::span<const Divergence> divergences, std::span<const double> base_nll,
                   std::span<const double> tested_nll) {
  CHECK(!divergences.empty() && base_nll.size() == divergences.size() &&
            tested_nll.size() == divergences.size(),
        "{} positions", divergences.size());
  std::vector<double> kld = each(divergences, [](const Divergence& d) { return d.kld; });
  std::vector<double> ln_ratio(base_nll.size());
  std::ranges::transform(tested_nll, base_nll, ln_ratio.begin(), std::minus());
  Quality q;
  q.base = perplexity_of(base_nll);
  q.tested = perplexity_of(tested_nll);
  q.ln_ratio = mean_of(ln_ratio);
  q.kld = mean_of(kld);
  std::ranges::sort(kld);
  q.kld_median = percentile_of(kld, 0.5);
  q.kld_p90 = percentile_of(kld, 0.9);
  q.kld_p99 = percentile_of(kld, 0.99);
  q.kld_p999 = percentile_of(kld, 0.999);
  q.kld_max = kld.back();
  q.same_top =
      mean_of(each(divergences, [](const Divergence& d) { return d.same_top ? 1.0 : 0.0; }));
  q.delta_p = mean_of(each(divergences, [](const Divergence& d) { return d.delta_p; }));
  q.delta_p_rms = root_of(
      mean_of(each(divergences, [](const Divergence& d) { return d.delta_p * d.delta_p; })));
  return q;
}

}  // namespace plumb
