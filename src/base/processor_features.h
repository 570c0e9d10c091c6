#pragma once
// Instructions of this processor that its system lets programs use, in the groups that plumb's
// kernels are compiled for. All false on other than x86-64.

namespace plumb {

bool has_avx2();         // and FMA, F16C
bool has_avx_vnni();     // and all of has_avx2
bool has_avx512();       // F, BW, DQ, VL
bool has_avx512_vnni();  // and all of has_avx512
bool has_avx512_bf16();  // and all of has_avx512

}  // namespace plumb
