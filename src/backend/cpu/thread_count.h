#pragma once
// How many threads work on small batches. All there are, as long as each has a processor of its
// own. Where somebody else runs on one of them, the others wait at every step for the thread that
// shares it, and can be slower together than without it. So whoever sleeps a lot, for longer than a
// hiccup lasts, tries one thread fewer and keeps what is faster; soon, and then more and more
// seldom as long as that changes nothing, the neighbouring number is tried again. Results do not
// depend on the number of threads, so nobody sees this but by the clock.

#include <cstdint>

namespace plumb::cpu {

class ThreadCount {
 public:
  explicit ThreadCount(int most) : most_(most), now_(most) {}

  int now() const { return now_; }

  // A batch of n_tokens has taken `ns` with now() threads, which slept parked_ns of it, together.
  void ran(int64_t n_tokens, int64_t ns, int64_t parked_ns);

 private:
  enum class Doing { working, trying };
  struct Window {  // of runs that can be compared: of one size, one after the other
    int runs = 0;
    int64_t ns = 0, parked_ns = 0;
  };
  void judge(const Window& last);
  void try_instead(int n_threads);

  int most_, now_;
  Doing doing_ = Doing::working;
  int64_t n_tokens_ = 0;
  Window window_;
  int sleepy_ = 0;        // windows in a row that call for fewer threads
  int64_t usual_ns_ = 0;  // of a window with now_ threads: the best of the sleepy ones, or the last
  int usual_ = 0;         // threads before the trial
  int interval_ = 0;      // windows between trials
  int patience_ = 0;      // of them left until the next
};

}  // namespace plumb::cpu
