#!/usr/bin/env python3
"""Trains the two small vocabularies of the tokenizer tests: tests/data/tokenizer/byte_merges.txt and char_merges.txt.

  make_small_vocab.py TEXT ...      (made with tests/data/tokenizer/multilingual.txt and ../shared/fixtures/text/ppl_8k.txt)

Plain BPE training (Sennrich et al. 2016): the most frequent pair becomes a merge, first pair in order of text on ties. Words are cut
at white space only, so that merges join letters, digits and punctuation: then the cuts of a pre-tokenizer show in the ids. In
byte_merges.txt symbols are spelled in the byte alphabet, in char_merges.txt spaces are U+2581.
"""
import re
import sys
from collections import Counter
from pathlib import Path

from make_vocab_gguf import spell

N_BYTE_MERGES, N_CHAR_MERGES = 1500, 1200
OUT = Path(__file__).parent / "../tests/data/tokenizer"


def train(words, n_merges):
    words = [(list(word), count) for word, count in Counter(words).items()]
    merges = []
    while len(merges) < n_merges:
        pairs = Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        left, right = max(pairs, key=pairs.get)
        merges.append(f"{left} {right}")
        for symbols, _ in words:
            i = 0
            while i + 1 < len(symbols):
                if symbols[i] == left and symbols[i + 1] == right:
                    symbols[i:i + 2] = [left + right]
                i += 1
    return merges


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    text = "\n".join(Path(path).read_bytes().decode() for path in sys.argv[1:])
    spelled = [spell(word.encode()) for word in re.findall(r" ?\S+|\s+", text)]
    marked = [word.replace(" ", "\u2581") for word in re.findall(r" *[^ \n]+|[ ]+", text)]
    for name, merges in ("byte", train(spelled, N_BYTE_MERGES)), ("char", train(marked, N_CHAR_MERGES)):
        (OUT / f"{name}_merges.txt").write_text("\n".join(merges) + "\n")


main()
