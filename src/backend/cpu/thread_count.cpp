#include "backend/cpu/thread_count.h"

namespace plumb::cpu {
namespace {

constexpr int kWindow = 8;     // runs that are taken together: tokens vary
constexpr int kPatience = 24;  // windows between trials, so that these cost a few percent at most

// Sleeping for more than an eighth of the time calls for a trial. On a machine of our own threads
// do not sleep inside a run at all.
constexpr int64_t kSleepy = 8;

}  // namespace

void ThreadCount::ran(int64_t n_tokens, int64_t ns, int64_t parked_ns) {
  if (most_ == 1) return;
  if (n_tokens != n_tokens_) {
    n_tokens_ = n_tokens;
    window_ = {};
    if (doing_ == Doing::trying) now_ = usual_;
    doing_ = Doing::working;
  }
  window_.runs += 1;
  window_.ns += ns;
  window_.parked_ns += parked_ns;
  if (window_.runs < kWindow) return;
  const Window last = window_;
  window_ = {};
  judge(last);
}

void ThreadCount::judge(const Window& last) {
  if (doing_ == Doing::trying) {
    doing_ = Doing::working;
    patience_ = kPatience;
    if (last.ns >= usual_ns_) now_ = usual_;
    return;
  }
  if (patience_ > 0) {
    --patience_;
    return;
  }
  usual_ns_ = last.ns;
  if (last.parked_ns * kSleepy > last.ns * (now_ - 1) && now_ > 1)
    try_instead(now_ - 1);
  else if (now_ < most_)
    try_instead(now_ + 1);
}

void ThreadCount::try_instead(int n_threads) {
  usual_ = now_;
  now_ = n_threads;
  doing_ = Doing::trying;
}

}  // namespace plumb::cpu
