#!/usr/bin/env python3
"""Makes what tests/gguf/python_test.cpp compares with: how the Python package gguf reads and writes files.

Needs: numpy, and the package gguf (made with 0.19.0).
Run:   python3 tools/make_gguf_fixture.py tests/data/gguf [MORE.gguf ...]

Writes python.gguf (made by the package's writer: every value type, several tensor types, alignment 64) and one
FILE.facts per file: a line per key and per tensor. Arrays and tensor data stand as FNV-1a checksums
of their bytes in the file. MORE.gguf are the vocabularies of ../shared/fixtures/vocab, which are not committed.
"""

import pathlib
import sys

import gguf
import numpy as np
from gguf import GGUFValueType as V


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in bytes(data):
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return "%016x" % h


def write_fixture(path):
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_custom_alignment(64)
    w.add_uint8("test.u8", 255)
    w.add_int8("test.i8", -128)
    w.add_uint16("test.u16", 65535)
    w.add_int16("test.i16", -32768)
    w.add_uint32("test.u32", 4294967295)
    w.add_int32("test.i32", -2147483648)
    w.add_uint64("test.u64", 18446744073709551615)
    w.add_int64("test.i64", -9223372036854775808)
    w.add_float32("test.f32", 0.1)
    w.add_float64("test.f64", 0.1)
    w.add_bool("test.true", True)
    w.add_bool("test.false", False)
    w.add_string("test.string", "line\nwith \u00e9 and \u0000")
    w.add_string("test.empty", "")
    w.add_array("test.ints", [1, -2, 3])
    w.add_array("test.floats", [0.5, -1.25])
    w.add_array("test.bools", [True, False, True])
    w.add_array("test.strings", ["a", "", "\u00fcber", "x" * 300])
    rng = np.random.default_rng(1)
    w.add_tensor("matrix.f32", rng.standard_normal((3, 5), dtype=np.float32))
    w.add_tensor("cube.f16", rng.standard_normal((2, 3, 4)).astype(np.float16))
    w.add_tensor("vector.f32", rng.standard_normal(7, dtype=np.float32))
    q = gguf.quantize(rng.standard_normal((2, 64), dtype=np.float32), gguf.GGMLQuantizationType.Q4_1)
    w.add_tensor("blocks.q4_1", q, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def facts(path):
    reader = gguf.GGUFReader(str(path))
    for field in reader.fields.values():
        if field.name.startswith("GGUF."):  # the header's counts
            continue
        kind = field.types[0]
        if kind == V.ARRAY:
            element = field.types[1]
            # name length, name, type, element type, count, then the elements
            body = b"".join(part.tobytes() for part in field.parts[5:])
            yield "key", field.name, "array", element.name, len(field.data), fnv1a(body)
        elif kind == V.STRING:
            yield "key", field.name, "string", fnv1a(field.parts[-1].tobytes())
        else:
            value = field.parts[-1][0]
            yield "key", field.name, kind.name, "%.17g" % value if kind in (V.FLOAT32, V.FLOAT64) else int(value)
    for t in reader.tensors:
        shape = [int(n) for n in t.shape]
        yield "tensor", t.name, t.tensor_type.name, *(shape + [1] * (4 - len(shape))), fnv1a(t.data.tobytes())


def main(folder, *files):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_fixture(folder / "python.gguf")
    for path in [folder / "python.gguf", *map(pathlib.Path, files)]:
        lines = [" ".join(map(str, fact)) for fact in facts(path)]
        (folder / (path.stem + ".facts")).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
