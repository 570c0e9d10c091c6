// The table of one instruction set: every kernel for the register model `Simd` of the including
// kernels_*.cpp.

#include "backend/cpu/kernels_rows.h"
// the exponential comes before its users
#include "backend/cpu/kernels_tiles.h"
// tiles before theirs
#include "backend/cpu/kernels_attention.h"
#include "backend/cpu/kernels_blocks.h"
// blocks before theirs
#include "backend/cpu/kernels_codes.h"
#include "backend/cpu/kernels_delta.h"
// and more blocks
#include "backend/cpu/kernels_numbers.h"
#include "backend/cpu/kernels_super.h"

namespace plumb::cpu {
namespace {

template <typename Cache>
constexpr KernelSet::CacheKernels cache_kernels() {
  return {Cache::kFormat, store_k<Cache>, store_v<Cache>,
          widen<Cache>,   scores<Cache>,  values<Cache>};
}

constexpr KernelSet kKernels{
    .name = Simd::kName,
    .formats = {{Format::q4_0, multiply_codes<PackedBlock<kQ4_0>>, Simd::kDotLabel},
                {Format::q4_1, multiply_codes<PackedBlock<kQ4_1>>, Simd::kDotLabel},
                {Format::q5_0, multiply_codes<PackedBlock<kQ5_0>>, Simd::kDotLabel},
                {Format::q5_1, multiply_codes<PackedBlock<kQ5_1>>, Simd::kDotLabel},
                {Format::q8_0, multiply_codes<PackedBlock<kQ8_0>>, Simd::kDotLabel},
                {Format::iq4_nl, multiply_codes<PackedBlock<kIq4Nl>>, Simd::kDotLabel},
                {Format::mxfp4, multiply_codes<PackedBlock<kMxfp4>>, Simd::kDotLabel},
                {Format::q2_k, multiply_codes<SuperBlock<kQ2K>>, Simd::kDotLabel},
                {Format::q3_k, multiply_codes<SuperBlock<kQ3K>>, Simd::kDotLabel},
                {Format::q4_k, multiply_codes<SuperBlock<kQ4K>>, Simd::kDotLabel},
                {Format::q5_k, multiply_codes<SuperBlock<kQ5K>>, Simd::kDotLabel},
                {Format::q6_k, multiply_codes<SuperBlock<kQ6K>>, Simd::kDotLabel},
                {Format::iq4_xs, multiply_codes<SuperBlock<kIq4Xs>>, Simd::kDotLabel},
                {Format::f32, multiply_numbers<F32Column>, "f32"},
                {Format::f16, multiply_numbers<F16Column>, "f32"},
                {Format::bf16, multiply_numbers<Bf16Column>, "f32"}},
    .generic = multiply_generic,
    .norm = norm,
    .quantize = quantize,
    .rotate = rotate,
    .cap = cap,
    .gate = gate,
    .activate_silu = activate_silu,
    .activate_gelu = activate_gelu,
    .add = add,
    .convolve = convolve,
    .normalise = normalise,
    .delta_keys = delta_keys,
    .delta_rule = delta_rule,
    .gated_norm = gated_norm,
    .dot = dot,
    .largest = largest,
    .cache = {cache_kernels<F32Cache>(), cache_kernels<F16Cache>(), cache_kernels<Bf16Cache>()},
    .softmax = softmax,
    .merge = merge,
    .divide = divide,
};

}  // namespace
}  // namespace plumb::cpu
