#include "backend/cpu/thread_count.h"

#include <algorithm>

namespace plumb::cpu {
namespace {

constexpr int kWindow = 8;  // runs that are taken together: tokens vary

// Windows between trials: few at first, since a trial may have been misled, then twice as many each
// time, until trials cost a percent or two.
constexpr int kFirstInterval = 3, kLastInterval = 48;

// Sleeping for more than an eighth of the time, two windows in a row, calls for a trial. On a
// machine of our own threads do not sleep inside a run at all.
constexpr int64_t kSleepy = 8;
constexpr int kSleepyWindows = 2;

}  // namespace

void ThreadCount::ran(int64_t n_tokens, int64_t ns, int64_t parked_ns) {
  if (most_ == 1) return;
  if (n_tokens != n_tokens_) {
    n_tokens_ = n_tokens;
    window_ = {};
    sleepy_ = 0;
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
    const bool better = last.ns < usual_ns_;
    if (!better) now_ = usual_;
    interval_ = better ? kFirstInterval : std::clamp(2 * interval_, kFirstInterval, kLastInterval);
    patience_ = interval_;
    doing_ = Doing::working;
    sleepy_ = 0;
    return;
  }
  const bool sleepy = last.parked_ns * kSleepy > last.ns * (now_ - 1) && now_ > 1;
  usual_ns_ = sleepy && sleepy_ > 0 ? std::min(usual_ns_, last.ns) : last.ns;
  sleepy_ = sleepy ? sleepy_ + 1 : 0;
  if (patience_ > 0)
    --patience_;
  else if (sleepy_ >= kSleepyWindows)
    try_instead(now_ - 1);
  else if (!sleepy && now_ < most_)
    try_instead(now_ + 1);
}

void ThreadCount::try_instead(int n_threads) {
  usual_ = now_;
  now_ = n_threads;
  doing_ = Doing::trying;
}

}  // namespace plumb::cpu
