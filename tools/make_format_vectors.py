#!/usr/bin/env python3
"""Makes tests/data/formats/vectors.txt: what the Python package gguf says about decoding and encoding.

The test (tests/formats/vectors_test.cpp) makes the same blocks and the same floats from the same
random numbers, so only checksums of the answers are kept, and a few whole answers for diagnosis.

Needs: numpy, and the package gguf (made with 0.19.0: the file's first lines say which).
Run:   python3 tools/make_format_vectors.py > tests/data/formats/vectors.txt

Decoding: N_BLOCKS blocks of random bytes per type; the first have special half-float scales (zero,
subnormal, largest, infinite, NaN) in all pairs. F16 and BF16 take every bit pattern. Encoding: blocks of
thirteen kinds of floats. Numbers that are NaN are compared as "some NaN".
"""

import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

N_BLOCKS = 2048
# half floats: +-0, smallest and largest subnormal, smallest normal, largest, infinities, NaNs, +-1
SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01, 0x3C00, 0xBC00]
# where the half-float scales of a block are
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
    Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
    Type.MXFP4: [],
}
ENCODED = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.F16, Type.BF16]


def mix(z):
    """The output function of SplitMix64 on an array of u64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def random_u64(seed, n):
    return mix(np.uint64(seed) + GOLDEN * np.arange(1, n + 1, dtype=np.uint64))


def checksum(words):
    """Sum over i of mix(word[i] + i * GOLDEN), modulo 2^64; words are u32."""
    i = np.arange(len(words), dtype=np.uint64)
    return int(mix(words.astype(np.uint64) + GOLDEN * i).sum(dtype=np.uint64))


def random_blocks(qtype):
    """[N_BLOCKS, block bytes] u8"""
    size = gguf.GGML_QUANT_SIZES[qtype][1]
    stream = random_u64(int(qtype), (N_BLOCKS * size + 7) // 8).view(np.uint8)
    blocks = stream[: N_BLOCKS * size].reshape(N_BLOCKS, size).copy()
    for i in range(len(SPECIAL) ** 2):
        for offset, special in zip(SCALES[qtype], [SPECIAL[i % len(SPECIAL)], SPECIAL[i // len(SPECIAL)]]):
            blocks[i, offset : offset + 2] = np.array([special], dtype="<u2").view(np.uint8)
    if qtype == Type.MXFP4:
        blocks[:256, 0] = np.arange(256)
    return blocks


def bits(values):
    """u32 bits of floats, every NaN the same."""
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.astype(np.float32).view(np.uint32)).ravel()


def random_floats():
    """[N_BLOCKS, 32] f32, thirteen kinds of blocks in turn."""
    words = random_u64(99, N_BLOCKS * 33).reshape(N_BLOCKS, 33)
    # [-1, 1)
    x = (words[:, :32] >> np.uint64(32)).astype(np.uint32).view(np.int32).astype(np.float32) * np.float32(2.0**-31)
    r = words[:, 32] >> np.uint64(40)  # one more number per block
    for i in range(N_BLOCKS):
        kind, k = i % 13, int(r[i])
        if kind == 1: x[i] *= np.float32(2.0 ** (k % 61 - 30))
        if kind == 2: x[i] = 0
        if kind == 3: x[i] = x[i, 0]
        if kind == 4: x[i, np.arange(32) != k % 32] = 0
        if kind == 5: x[i] = np.float32(-0.0)
        if kind == 6: x[i] *= np.float32(2.0 ** (-20 - k % 12))  # scales that are subnormal halves or vanish
        if kind == 7: x[i] *= np.float32(2.0 ** (10 + k % 117))  # scales that become infinite
        if kind == 8: x[i] *= np.float32(2.0 ** (-112 - k % 12))  # scales far below halves
        if kind == 9: x[i] = np.trunc(x[i] * np.float32(16)) * np.float32(0.5)  # ties
        if kind == 10: x[i] = np.where(x[i] < 0, np.float32(-1), np.float32(1))  # many of largest magnitude
        if kind == 11: x[i, k % 32] = np.float32(np.nan)
        if kind == 12: x[i, k % 32] = np.float32(np.inf if k % 64 < 32 else -np.inf)
    return x


def main():
    np.seterr(all="ignore")
    from importlib.metadata import version
    print("# Made by tools/make_format_vectors.py from the Python package gguf %s with numpy %s." % (version("gguf"), np.__version__))
    print("# type NAME ID VALUES BYTES | decode TYPE BLOCKS CHECKSUM | decoded TYPE INDEX BITS... | encode TYPE BLOCKS CHECKSUM | encoded TYPE INDEX BYTES")
    for qtype in Type:
        print("type", qtype.name, int(qtype), *gguf.GGML_QUANT_SIZES[qtype])
    for qtype in SCALES:
        blocks = random_blocks(qtype)
        values = gguf.dequantize(blocks, qtype)
        print("decode", qtype.name, N_BLOCKS, "%016x" % checksum(bits(values)))
        for i in (0, 12, 1000):
            print("decoded", qtype.name, i, "".join("%08x" % w for w in bits(values[i])))
    every = np.arange(65536, dtype=np.uint16)
    print("decode F16 65536 %016x" % checksum(bits(gguf.dequantize(every, Type.F16))))
    print("decode BF16 65536 %016x" % checksum(bits(gguf.dequantize(every.view(np.uint8).reshape(-1, 2), Type.BF16))))
    floats = random_floats()
    print("floats F32 %d %016x" % (N_BLOCKS, checksum(bits(floats))))
    for qtype in ENCODED:
        encoded = gguf.quantize(floats, qtype).view(np.uint8).reshape(N_BLOCKS, -1)
        print("encode", qtype.name, N_BLOCKS, "%016x" % checksum(encoded.ravel().astype(np.uint32)))
        for i in range(13):
            print("encoded", qtype.name, i, encoded[i].tobytes().hex())


if __name__ == "__main__":
    sys.exit(main())
