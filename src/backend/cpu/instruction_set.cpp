#include "backend/cpu/instruction_set.h"

#include "base/error.h"
#include "base/processor_features.h"
#include "base/text.h"

namespace plumb::cpu {
namespace {

struct InstructionSet {
  std::string_view name;
  bool (*present)();
  const KernelSet& (*kernels)();
};

// Best first.
constexpr InstructionSet kSets[] = {
#if defined(__x86_64__)
    {"avx512-bf16", [] { return has_avx512_vnni() && has_avx512_bf16(); }, avx512_bf16_kernels},
    {"avx512", has_avx512_vnni, avx512_kernels},
    {"avxvnni", has_avx_vnni, avxvnni_kernels},
    {"avx2", has_avx2, avx2_kernels},
#elif defined(__aarch64__)
    {"neon-i8mm", has_neon_i8mm, neon_i8mm_kernels},
    {"neon", has_neon_dot, neon_kernels},
#endif
    {"scalar", [] { return true; }, portable_kernels},
};

}  // namespace

// Intel's first-level caches have few buffers for lines on their way (docs/experiments.md).
CacheLevel prefetch_into = is_intel() ? CacheLevel::second : CacheLevel::first;

std::vector<const KernelSet*> available_kernels() {
  std::vector<const KernelSet*> all;
  for (const InstructionSet& set : kSets)
    if (set.present()) all.push_back(&set.kernels());
  return all;
}

const KernelSet& choose_kernels(std::string_view name) {
  std::string known;
  for (const InstructionSet& set : kSets) {
    if (!known.empty()) known += ", ";
    known += set.name;
    if (name.empty() ? !set.present() : name != set.name) continue;
    if (!set.present()) fail("--cpu: expected a set this machine has, got {}", name);
    return set.kernels();
  }
  fail("--cpu: expected one of {}, got {}", known, quoted(name));
}

}  // namespace plumb::cpu
