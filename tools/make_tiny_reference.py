#!/usr/bin/env python3
"""Make tests/data/correctness/tiny/NAME.f32: llama.cpp's logits for the tiny models of tests/support/tiny_cases.h.

  make_tiny_reference.py --peer PEER_BENCH --writer build/release/tests/support/write_tiny_models

Needs a `peer_bench` program (llama.cpp through its C API) with PEER_LIBS set. Every case is run on its own token ids with f32
weights, flash attention off and an f32 cache; the files are raw little-endian f32 [n_ids][n_vocab] of every eighth position.
"""
import argparse
import os
import subprocess
import tempfile


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--peer', required=True)
    ap.add_argument('--writer', required=True)
    args = ap.parse_args()
    out = os.path.join(os.path.dirname(__file__), '..', 'tests', 'data', 'correctness', 'tiny')
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.writer, folder], check=True)
        for name in sorted(f[:-5] for f in os.listdir(folder) if f.endswith('.gguf')):
            base = os.path.join(folder, name)
            subprocess.run([args.peer, 'logits', '-m', base + '.gguf', '--ids', base + '.ids', '--out', base + '.f32', '--fa', 'off',
                            '--ctk', 'f32', '--ctv', 'f32', '-t', '2'], check=True, capture_output=True)
            n_ids = len(open(base + '.ids').read().split())
            logits = open(base + '.f32', 'rb').read()
            row = len(logits) // n_ids
            with open(os.path.join(out, name + '.f32'), 'wb') as f:
                for position in range(7, n_ids, 8):
                    f.write(logits[position * row:(position + 1) * row])
            print(name, n_ids, 'positions', row // 4, 'logits each')


if __name__ == '__main__':
    main()
