#!/usr/bin/env python3
"""Tokens per second of plumb and of llama.cpp on the same text, one thread, the two taking turns.

  bench_tokenizer.py --bench build/release/tests/text/tokenizer_bench [--rounds 7] TEXT VOCAB.gguf ...

Needs PEER_LIBS (see llama_cpp_tokenizer.py). Of each round and program three runs count; only the call that tokenizes is timed.
"""
import argparse
import ctypes
import json
import statistics
import subprocess
import time
from pathlib import Path

from llama_cpp_tokenizer import LlamaCpp

RUNS = 3


def time_llama_cpp(peer, text):
    ids = (ctypes.c_int32 * (len(text) + 16))()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        n = peer.lib.llama_tokenize(peer.vocab, text, len(text), ids, len(ids), False, True)
        seconds.append(time.perf_counter() - start)
    return n, seconds


def time_plumb(bench, vocab, text):
    done = subprocess.run([bench, vocab, text, str(RUNS)], capture_output=True, check=True)
    result = json.loads(done.stdout)
    return result["tokens"], result["seconds"]


def rates(n, seconds):
    values = sorted(n / s / 1e6 for s in seconds)
    return statistics.median(values), f"{statistics.median(values):6.2f} ({values[0]:.2f} to {values[-1]:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("text")
    parser.add_argument("vocab", nargs="+")
    args = parser.parse_args()
    text = Path(args.text).read_bytes()
    print("| vocabulary | tokens | plumb, M tokens/s: median (range) | llama.cpp | ratio |\n|---|---|---|---|---|")
    for vocab in args.vocab:
        peer, ours, theirs = LlamaCpp(vocab), [], []
        for _ in range(args.rounds):
            n_peer, seconds = time_llama_cpp(peer, text)
            theirs += seconds
            n, seconds = time_plumb(args.bench, vocab, args.text)
            ours += seconds
        (ours_median, ours_text), (peer_median, peer_text) = rates(n, ours), rates(n_peer, theirs)
        same = "" if n == n_peer else f" (llama.cpp: {n_peer})"
        print(f"| {Path(vocab).stem} | {n}{same} | {ours_text} | {peer_text} | {ours_median / peer_median:.1f} |", flush=True)


if __name__ == "__main__":
    main()
