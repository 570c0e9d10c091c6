#!/usr/bin/env python3
"""Compares plumb's token ids with llama.cpp's, or with those of the package a vocabulary came in, and shows the first that differ.

  compare_tokenizers.py --bench build/release/tests/text/tokenizer_bench [--package] [-n 20000] [--seed 1] [--kinds LIST]
                        [--texts FILE ...] VOCAB.gguf ...

Texts are generated, or the given files. Needs PEER_LIBS (see llama_cpp_tokenizer.py) or with --package, for a vocabulary NAME.gguf
of make_vocab_gguf.py, what that script needs for NAME. plumb must also give every text back as it was. Texts of the kind "bytes" are
ill-formed UTF-8: llama.cpp's byte-level BPE puts U+FFFD in its place, and its SentencePiece loses a space that follows an unfinished
character, so these are not compared.
"""
import argparse
import random
import re
import struct
import subprocess
import tempfile
from pathlib import Path

import make_vocab_gguf
from llama_cpp_tokenizer import LlamaCpp

SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
JOINERS = "\u200b\u200c\u200d\ufeff\u00ad\u2060\ufe0f\u0301\u0300\u20e3"
SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF),
           (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F), (0xE80, 0xEFF), (0x1000, 0x109F),
           (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1E00, 0x1EFF),
           (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2150, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF),
           (0x2C60, 0x2C7F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA640, 0xA69F), (0xAC00, 0xD7A3),
           (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE20, 0xFE2F), (0xFF00, 0xFFEF), (0x10000, 0x100FF), (0x10400, 0x1044F),
           (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF),
           (0x2EBF0, 0x2EE5D), (0xE0100, 0xE01EF)]


class Texts:
    def __init__(self, seed, corpus):
        self.random = random.Random(seed)
        self.corpus = corpus

    def some(self, alphabet, most):
        return "".join(self.random.choices(alphabet, k=self.random.randint(1, most)))

    def script(self):
        low, high = self.random.choice(SCRIPTS)
        return "".join(chr(self.random.randint(low, high)) for _ in range(self.random.randint(1, 8)))

    def any_char(self):
        return chr(self.random.choice([self.random.randrange(0x80), self.random.randrange(0x800), self.random.randrange(0x10000),
                                       self.random.randrange(0x110000)]))

    def ascii(self):
        return self.some("aabcdeEstrvmlSTRVMLD''''019 \t\n\r.,!?/\\-_<>|$+^~`\"", 60)

    def spaces(self):
        return "".join(self.some(SPACES, 5) + self.some("a1.\u0301\u4e00'", 2) for _ in range(self.random.randint(1, 12)))

    def unicode(self):
        return "".join(self.any_char() for _ in range(self.random.randint(1, 60)))

    def scripts(self):
        parts = [self.script, lambda: self.some(SPACES, 2), lambda: self.some(JOINERS, 2), lambda: self.some("'sStT.,/\n 0123", 4)]
        return "".join(self.random.choice(parts)() for _ in range(self.random.randint(1, 20)))

    def mutated(self):
        at = self.random.randrange(len(self.corpus) - 300)
        text = list(self.corpus[at:at + self.random.randint(1, 300)])
        for _ in range(self.random.randint(0, 8)):
            text[self.random.randrange(len(text))] = self.random.choice([self.any_char(), self.some(SPACES, 3), "'", "\u2581", "<0x41>"])
        return "".join(text)

    def bytes(self):
        text = bytearray(self.random.choice([self.scripts, self.ascii, self.mutated])().encode("utf-8", "surrogatepass"))
        for _ in range(self.random.randint(1, 10)):
            text[self.random.randrange(len(text))] = self.random.randrange(256)
        return bytes(text)


KINDS = ["ascii", "spaces", "unicode", "scripts", "mutated", "bytes"]


def plumb(bench, vocab, texts, mode):
    with tempfile.TemporaryDirectory() as folder:
        records, out = Path(folder) / "in", Path(folder) / "out"
        records.write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in texts))
        done = subprocess.run([bench, vocab, mode, records, out], capture_output=True, check=False)
        if done.returncode:
            return done.stderr.decode(), []
        data, at, ids = out.read_bytes(), 0, []
        while at < len(data):
            n, = struct.unpack_from("<I", data, at)
            ids.append(list(struct.unpack_from(f"<{n}i", data, at + 4)))
            at += 4 + 4 * n
        return None, ids


# An unfinished character before a space or a mark for one.
UNFINISHED = re.compile(rb"([\xc0-\xff]|[\xe0-\xff][^ ]|[\xf0-\xff][^ ]{2})( |\xe2\x96\x81)")


def comparable(text, byte_level):
    try:
        text.decode("utf-8", "surrogatepass")
        return True
    except UnicodeDecodeError:
        return not byte_level and not UNFINISHED.search(text)


def show(text, a, b, names):
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    for who, ids in zip(names, (a, b)):
        print(f"    {who:<9} ... {ids[same:same + 8]}")
    print(f"    {text[:400]!r}")


def compare(args, vocab, texts):
    peer = LlamaCpp(vocab)
    byte_level = peer.encode(b"\xff") == peer.encode("\ufffd".encode())
    lossy = args.lossy or peer.encode(b"\xe2\x96\x81") == peer.encode(b" ")  # U+2581 is a space: that cannot come back
    error, ours = plumb(args.bench, vocab, texts, "--lossy" if lossy else "--records")
    if error:
        return error
    which = [i for i, text in enumerate(texts) if comparable(text, byte_level)]
    compared = [texts[i] for i in which]
    if args.package:
        theirs = make_vocab_gguf.PACKAGES[Path(vocab).stem]().ids([text.decode() for text in compared])
    else:
        theirs = peer.ids(compared)
    differ = [(texts[i], ours[i], other) for i, other in zip(which, theirs) if ours[i] != other]
    for text, a, b in differ[:args.show]:
        show(text, a, b, ("plumb", "package" if args.package else "llama.cpp"))
    return f"{len(texts)} texts, {sum(map(len, ours))} ids, {len(compared)} compared, {len(differ)} differ"


def generated(args, kind):
    corpus = Path(args.corpus).read_bytes().decode()
    generate = getattr(Texts(f"{args.seed}/{kind}", corpus), kind)
    texts = [generate() for _ in range(args.n)]
    if args.package:  # packages take well-formed text only
        texts = [t for t in texts if isinstance(t, str) and not any(0xD800 <= ord(c) < 0xE000 for c in t)]
    return [t if isinstance(t, bytes) else t.encode("utf-8", "surrogatepass") for t in texts]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("-n", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--corpus", default=str(Path(__file__).parent / "../tests/data/tokenizer/multilingual.txt"))
    parser.add_argument("--lossy", action="store_true", help="do not ask for the texts back (a vocabulary without all bytes)")
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--package", action="store_true")
    parser.add_argument("--texts", nargs="+", default=[])
    parser.add_argument("vocab", nargs="+")
    args = parser.parse_args()
    for vocab in args.vocab:
        sets = {Path(path).name: [Path(path).read_bytes()] for path in args.texts}
        for name in sets or args.kinds.split(","):
            print(Path(vocab).name, name, compare(args, vocab, sets.get(name) or generated(args, name)), flush=True)


if __name__ == "__main__":
    main()
