#include "backend/cpu/instruction_set.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/error.h"
#include "base/text.h"

namespace plumb::cpu {
namespace {

struct InstructionSet {
  std::string_view name;
  bool (*present)();
  const KernelSet& (*kernels)();
};

#if defined(__x86_64__)
// Features that clang 14 has no name for. Both work on the registers of AVX, for which
// __builtin_cpu_supports also asks the operating system.
bool has_f16c() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & 1u << 29);
}
bool has_avx_vnni() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 4);
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}
#endif

// Best first.
constexpr InstructionSet kSets[] = {
#if defined(__x86_64__)
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx512vnni");
     },
     avx512_kernels},
    {"avxvnni", [] { return has_avx2() && has_avx_vnni(); }, avxvnni_kernels},
    {"avx2", has_avx2, avx2_kernels},
#endif
    {"scalar", [] { return true; }, portable_kernels},
};

}  // namespace

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
