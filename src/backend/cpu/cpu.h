#pragma once
// The CPU backend: weights in panels of 16 rows, activations in 8 bits, fused steps on a pool of
// threads.

#include <memory>
#include <string_view>

#include "backend/backend.h"

namespace plumb {

// n_threads 0: as many as help. instruction_set "": the best this machine has; else its
// name: "avx512-bf16", "avx512", "avxvnni", "avx2", "neon-i8mm", "neon" or "scalar". Error: an
// unknown set, or one that the machine lacks.
// repack false: matrices stay in the mapped file and are packed anew at every use. Experts do so
// where a model would take more than `room` bytes (0: what is available now).
std::unique_ptr<Backend> make_cpu_backend(int n_threads, std::string_view instruction_set,
                                          bool repack = true, int64_t room = 0);

}  // namespace plumb
