#pragma once
// How fast this machine reads memory, here and now: the limit of generating text, which reads every
// weight once per token.

#include <chrono>

namespace plumb {

// Bytes per second of all threads together, reading a buffer too large for the caches (256 MiB,
// less where memory is short). The best pass of those that fit into the time, at least two; making
// the buffer takes some tens of milliseconds more.
double measure_read_bandwidth(int n_threads,
                              std::chrono::milliseconds time = std::chrono::milliseconds(50));

}  // namespace plumb
