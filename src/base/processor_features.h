#pragma once
// Instructions of this processor that its system lets programs use, in the groups that plumb's
// kernels are compiled for. False on processors of another kind.

namespace plumb {

bool is_intel();
bool has_clflushopt();

bool has_avx2();         // and FMA, F16C
bool has_avx_vnni();     // and all of has_avx2
bool has_avx512();       // F, BW, DQ, VL
bool has_avx512_vnni();  // and all of has_avx512
bool has_avx512_bf16();  // and all of has_avx512

bool has_neon_dot();   // AArch64: DotProd
bool has_neon_i8mm();  // and I8MM, with has_neon_dot

}  // namespace plumb
