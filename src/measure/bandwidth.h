#pragma once
// How fast this machine reads memory, here and now: the limit of generating text, which reads every
// weight once per token.

#include <chrono>
#include <cstdint>

namespace plumb {

// Bytes per second of all threads together, reading a buffer (of less than `bytes` where memory is
// short or slow to be had), each time from memory: some caches are larger than the buffer, so it is
// put out of them where the processor has an instruction for that (x86). The best pass of those
// that fit into the time, at least two; making the buffer takes some tens of milliseconds more.
double measure_read_bandwidth(int n_threads,
                              std::chrono::milliseconds time = std::chrono::milliseconds(50),
                              int64_t bytes = int64_t{256} << 20);

}  // namespace plumb
