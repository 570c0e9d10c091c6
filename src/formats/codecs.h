#pragma once
// The codecs that the table of formats points at, one source file per family. All: n values, n a
// multiple of the block.

#include <cstdint>

namespace plumb {

#define PLUMB_DECODER(name) void decode_##name(const uint8_t* blocks, float* values, int64_t n)
#define PLUMB_ENCODER(name) void encode_##name(const float* values, uint8_t* blocks, int64_t n)

PLUMB_DECODER(f32);
PLUMB_ENCODER(f32);
PLUMB_DECODER(f16);
PLUMB_ENCODER(f16);
PLUMB_DECODER(bf16);
PLUMB_ENCODER(bf16);

PLUMB_DECODER(q4_0);
PLUMB_ENCODER(q4_0);
PLUMB_DECODER(q4_1);
PLUMB_ENCODER(q4_1);
PLUMB_DECODER(q5_0);
PLUMB_ENCODER(q5_0);
PLUMB_DECODER(q5_1);
PLUMB_ENCODER(q5_1);
PLUMB_DECODER(q8_0);
PLUMB_ENCODER(q8_0);

PLUMB_DECODER(q2_k);
PLUMB_DECODER(q3_k);
PLUMB_DECODER(q4_k);
PLUMB_DECODER(q5_k);
PLUMB_DECODER(q6_k);

PLUMB_DECODER(iq4_nl);
PLUMB_ENCODER(iq4_nl);
PLUMB_DECODER(iq4_xs);
PLUMB_DECODER(mxfp4);

#undef PLUMB_DECODER
#undef PLUMB_ENCODER

}  // namespace plumb
