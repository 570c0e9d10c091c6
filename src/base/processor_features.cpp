#include "base/processor_features.h"

#if defined(__x86_64__)
#include <cpuid.h>

namespace plumb {
namespace {

enum class Register { eax, ebx, ecx };

// Features that clang 14 has no name for. All work on registers for which __builtin_cpu_supports
// also asks the operating system.
bool has_bit(unsigned leaf, unsigned subleaf, Register in, int bit) {
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx)) return false;
  return (in == Register::eax ? eax : in == Register::ebx ? ebx : ecx) >> bit & 1;
}

}  // namespace

bool is_intel() {
  __builtin_cpu_init();  // this may be asked before main
  return __builtin_cpu_is("intel");
}
bool has_clflushopt() {
  return has_bit(7, 0, Register::ebx, 23);
}
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         has_bit(1, 0, Register::ecx, 29);
}
bool has_avx_vnni() {
  return has_avx2() && has_bit(7, 1, Register::eax, 4);
}
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512_vnni() {
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
bool has_avx512_bf16() {
  return has_avx512() && has_bit(7, 1, Register::eax, 5);
}

}  // namespace plumb

#else

namespace plumb {

bool is_intel() {
  return false;
}
bool has_clflushopt() {
  return false;
}
bool has_avx2() {
  return false;
}
bool has_avx_vnni() {
  return false;
}
bool has_avx512() {
  return false;
}
bool has_avx512_vnni() {
  return false;
}
bool has_avx512_bf16() {
  return false;
}

}  // namespace plumb

#endif

// AArch64 has no instruction that programs may ask with; the system says.
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

namespace plumb {

bool has_neon_dot() {
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}
bool has_neon_i8mm() {
  return has_neon_dot() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM);
}

}  // namespace plumb

#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

namespace plumb {
namespace {

bool has_feature(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

bool has_neon_dot() {
  return has_feature("hw.optional.arm.FEAT_DotProd");
}
bool has_neon_i8mm() {
  return has_neon_dot() && has_feature("hw.optional.arm.FEAT_I8MM");
}

}  // namespace plumb

#else

namespace plumb {

bool has_neon_dot() {
  return false;
}
bool has_neon_i8mm() {
  return false;
}

}  // namespace plumb

#endif
