#!/usr/bin/env python3
"""Writes src/text/unicode_table.cpp: the character class of every code point, as ranges.

Needs the Python package unicodedata2, version 15.1.0 (Unicode Character Database 15.1). That version is pinned because it is
the one the GGUF runtimes' tokenizers classify by: a newer table would move the borders of pieces.
Run: python3 tools/make_unicode_table.py > src/text/unicode_table.cpp
"""
import sys
import unicodedata2 as ucd

VERSION = "15.1.0"
# The order of CharClass in src/text/unicode.h.
CLASSES = ["other", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "P", "S", "space"]
# White_Space of PropList.txt; all of it is in the categories Z* and Cc.
SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def char_class(code_point):
    if code_point in SPACES:
        return CLASSES.index("space")
    category = ucd.category(chr(code_point))
    name = category if category[0] == "L" else category[0]
    return CLASSES.index(name) if name in CLASSES else 0


def main():
    if ucd.unidata_version != VERSION:
        sys.exit(f"expected unicodedata2 with Unicode {VERSION}, got {ucd.unidata_version}")
    ranges, last = [], None
    for code_point in range(0x110000):
        this = char_class(code_point)
        if this != last:
            ranges.append(code_point << 4 | this)
            last = this
    print(f"""// Made by tools/make_unicode_table.py from Unicode {VERSION}; do not edit. Each value is the first code point of a range, shifted
// left by 4, with the range's CharClass in the low bits.
#include "text/unicode.h"

namespace plumb {{

// clang-format off
constexpr uint32_t kRanges[] = {{""")
    for i in range(0, len(ranges), 14):
        print("    " + " ".join(f"{value:#x}," for value in ranges[i:i + 14]))
    print("""};
// clang-format on

std::span<const uint32_t> unicode_ranges() { return kRanges; }

}  // namespace plumb""")


main()
