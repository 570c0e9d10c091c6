#pragma once
// Perplexity of a text, and how far a configuration of a model is from another one of the same
// model, as llama.cpp's perplexity tool counts them: the text is cut into windows of n tokens, each
// a sequence of its own that begins with the begin token where the model wants one (in place of the
// window's first token); of each window the tokens behind the middle are scored, given all before
// them in the window.

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace plumb {

// A mean and its standard error.
struct Estimate {
  double value = 0, error = 0;
};
Estimate mean_of(std::span<const double> samples);

// The windows of a text.
class Windows {
 public:
  // begin_token: -1 for none. At most `most` windows; -1: all that the text fills. Error: windows
  // of less than 3 tokens, of which none would be scored, or a text that fills none.
  Windows(std::vector<int32_t> ids, int64_t n_context, int32_t begin_token, int64_t most = -1);

  int64_t size() const { return n_windows_; }
  int64_t n_context() const { return n_context_; }
  // The first position whose logits are scored, against the id that follows.
  int64_t first_scored() const { return n_context_ / 2; }
  int64_t scored_tokens() const { return n_windows_ * (n_context_ - 1 - first_scored()); }
  std::span<const int32_t> ids(int64_t window);  // [n_context]; until the next call
  // The same without the begin token: as the text has them.
  std::span<const int32_t> text_ids(int64_t window) const {
    return std::span(ids_).subspan(static_cast<size_t>(window * n_context_),
                                   static_cast<size_t>(n_context_));
  }

 private:
  std::vector<int32_t> ids_, window_;
  int64_t n_context_, n_windows_;
  int32_t begin_token_;
};

// ln(sum(exp(logits))), in double.
double log_sum_exp(std::span<const float> logits);

struct Perplexity {
  Estimate ppl;  // exp of the mean negative log-likelihood
  int64_t tokens = 0;
};
// From the negative log-likelihood of every scored token.
Perplexity perplexity_of(std::span<const double> nll);

// Natural logarithms of probabilities.
class Distribution {
 public:
  explicit Distribution(std::span<const float> logits);  // must outlive it
  // Logarithms as a record holds them: they are not made to add up to 1 again, and what is not
  // above `floor` was not recorded.
  static Distribution recorded(std::span<const float> ln_p, double floor) {
    return {ln_p, 0, floor};
  }
  int32_t size() const { return static_cast<int32_t>(logits_.size()); }
  double ln_p(int32_t id) const {
    return static_cast<double>(logits_[static_cast<size_t>(id)]) - log_sum_;
  }
  bool knows(int32_t id) const { return ln_p(id) > floor_; }
  int32_t top() const;  // the most likely id

 private:
  Distribution(std::span<const float> logits, double log_sum, double floor)
      : logits_(logits), log_sum_(log_sum), floor_(floor) {}
  std::span<const float> logits_;
  double log_sum_;
  double floor_ = -std::numeric_limits<double>::infinity();
};

// What one position adds: p is of the base, q of the configuration under test.
struct Divergence {
  // Sum of p (ln p - ln q) over what the base knows: Kullback & Leibler 1951, in nats. Never below
  // 0 but for rounding: of a record some 1e-4, as often up as down.
  double kld;
  double delta_p;  // q - p of the token that follows
  bool same_top;   // both have the same most likely token
};
Divergence diverge(const Distribution& base, const Distribution& tested, int32_t next);

struct Quality {
  Perplexity base, tested;
  Estimate
      ln_ratio;  // of the perplexities, tested over base; the error is of the paired difference
  Estimate kld;
  // The error of a percentile is half of what lies between those one standard error of the rank
  // below and above it: sqrt(share (1 - share) / n) (David and Nagaraja 2003, Order Statistics).
  Estimate kld_median, kld_p90, kld_p99, kld_p999;
  double kld_max = 0;
  Estimate same_top;              // share of positions
  Estimate delta_p, delta_p_rms;  // change of the true token's probability
};
Quality quality_of(std::span<const Divergence> divergences, std::span<const double> base_nll,
                   std::span<const double> tested_nll);

}  // namespace plumb
