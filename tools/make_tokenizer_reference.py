#!/usr/bin/env python3
"""Makes tests/data/tokenizer/reference.txt: what other programs' tokenizers give for small vocabularies and generated texts.

  make_tokenizer_reference.py --writer build/release/tests/text/write_tokenizer_cases
  make_tokenizer_reference.py --whole TEXT VOCAB.gguf ...

The second form makes tests/data/tokenizer/whole.txt: for each vocabulary its file's name, the number of llama.cpp's ids of TEXT (the
WikiText-2 test text, ../shared/fixtures/text/wikitext2_test.txt) and their hash.

The program named with --writer writes the vocabularies and the texts. The other program is llama.cpp (PEER_LIBS, see
llama_cpp_tokenizer.py); for gpt-4o and tekken it is the Python package tiktoken with these models' own expressions, which llama.cpp
only approximates. A line of the result: vocabulary, set of texts, "plain" or "special" (whether control tokens are matched), then for
each ten texts a hash of their ids (FNV-1a, 32 bit, over each text's count and ids as little-endian int32).
"""
import argparse
import struct
import subprocess
import tempfile
from pathlib import Path

import gguf

from llama_cpp_tokenizer import LlamaCpp
from make_vocab_gguf import ALPHABET

OUT = Path(__file__).parent / "../tests/data/tokenizer"
PER_HASH = 10
LETTERS = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s|" \
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s|"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TIKTOKEN = {"gpt-4o": LETTERS % ((r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",) * 2) + r"\p{N}{1,3}|" + REST,
            "tekken": LETTERS % ("", "") + r"\p{N}|" + REST}


class Tiktoken:
    """The ranks are the merges' own: bytes first, then every merge."""

    def __init__(self, path, pattern):
        import tiktoken
        fields = gguf.GGUFReader(path).fields
        tokens = fields["tokenizer.ggml.tokens"].contents()
        merges = [merge.replace(" ", "") for merge in fields["tokenizer.ggml.merges"].contents()]  # in order of rank, some more than once
        back = {character: byte for byte, character in ALPHABET.items()}
        order = [*ALPHABET.values(), *merges]
        self.id = [tokens.index(text) for text in dict.fromkeys(order)]
        ranks = {bytes(back[c] for c in text): rank for rank, text in enumerate(dict.fromkeys(order))}
        self.encoding = tiktoken.Encoding("small", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    def encode(self, text, add_special, parse_special):
        return [self.id[rank] for rank in self.encoding.encode_ordinary(text.decode())]


def fnv(lists):
    h = 0x811C9DC5
    for ids in lists:
        for byte in struct.pack(f"<{len(ids) + 1}i", len(ids), *ids):
            h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{h:08x}"


def read_records(path):
    data, at, texts = path.read_bytes(), 0, []
    while at < len(data):
        n, = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + n])
        at += 4 + n
    return texts


def whole(text, *vocabularies):
    lines = []
    for path in map(Path, vocabularies):
        ids = LlamaCpp(path).encode(Path(text).read_bytes())
        lines.append(f"{path.name} {len(ids)} {fnv([ids])}")
    (OUT / "whole.txt").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writer")
    parser.add_argument("--whole", nargs="+")
    args = parser.parse_args()
    if args.whole:
        return whole(*args.whole)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.writer, folder], check=True)
        for path in sorted(Path(folder).glob("*.gguf")):
            tiktoken = path.stem in TIKTOKEN
            byte_level = "llama" not in path.stem or path.stem == "llama-bpe"
            tokenizer = Tiktoken(path, TIKTOKEN[path.stem]) if tiktoken else LlamaCpp(path)
            for records in sorted(Path(folder).glob("*.records")):
                # Ill-formed text comes back from plumb as it was, from llama.cpp's byte-level BPE as U+FFFD. tiktoken's Unicode is newer.
                if (records.stem == "bytes" and byte_level) or (tiktoken and records.stem in ("unicode", "special")):
                    continue
                texts = read_records(records)
                for mode in ["plain"] + ["special"] * (not tiktoken):
                    ids = [tokenizer.encode(text, False, mode == "special") for text in texts]
                    hashes = [fnv(ids[i:i + PER_HASH]) for i in range(0, len(ids), PER_HASH)]
                    lines.append(" ".join([path.stem, records.stem, mode, *hashes]))
    (OUT / "reference.txt").write_text("\n".join(lines) + "\n")
    print(len(lines), "lines")


if __name__ == "__main__":
    main()
