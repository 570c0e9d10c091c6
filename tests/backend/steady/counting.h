#pragma once
// Counts what the token loop must not do: allocations and locks by functions that stand before the
// C library's in this program, system calls by tracing a child process.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace plumb::test {

// False under sanitizers, which allocate and lock themselves, and where there is no glibc.
bool can_count();

struct Counts {
  int64_t allocations, locks;
};
// All threads' while f runs.
Counts count_calls(const std::function<void()>& f);

// System calls (by number) of all threads of a child process that prepares and then runs, `times`
// times twice: a first run is for what tracing has held up to settle, what the second does is
// counted. Nothing where this process may not trace.
struct Traced {
  std::map<uint64_t, int64_t> calls;  // of all counted runs
  int runs_without_calls = 0;
  bool ran_to_the_end = false;
};
using Prepare = std::function<std::function<void()>()>;  // returns `run`
std::optional<Traced> trace_system_calls(int times, const Prepare& prepare);

}  // namespace plumb::test
