#!/usr/bin/env python3
"""Make tests/data/correctness/tiny: llama.cpp's logits for the tiny models of tests/support/tiny_cases.h.

  make_tiny_reference.py --peer PEER_BENCH --writer build/release/tests/support/write_tiny_models --llama-cpp v0.5.0

Needs a `peer_bench` program, which calls llama.cpp through its C API and writes its logits: `peer_bench logits -m MODEL --ids FILE --out
LOGITS --fa off --ctk f32 --ctv f32 -t N`. Every case is run on its own token ids with f32 weights, flash attention off and an f32 cache. NAME.f32
is raw little-endian f32 [n_ids][64]: of every position 64 logits, evenly spread over the vocabulary. provenance.json says what
made them, and has a hash of each model.
"""
import argparse
import hashlib
import json
import os
import subprocess
import tempfile

LOGITS = 64


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--peer', required=True)
    ap.add_argument('--writer', required=True)
    ap.add_argument('--llama-cpp', required=True, help='its version')
    args = ap.parse_args()
    out = os.path.join(os.path.dirname(__file__), '..', 'tests', 'data', 'correctness', 'tiny')
    os.makedirs(out, exist_ok=True)
    command = ['logits', '--fa', 'off', '--ctk', 'f32', '--ctv', 'f32', '-t', '2']
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.writer, folder], check=True)
        for name in sorted(f[:-5] for f in os.listdir(folder) if f.endswith('.gguf')):
            base = os.path.join(folder, name)
            subprocess.run([args.peer, *command, '-m', base + '.gguf', '--ids', base + '.ids', '--out', base + '.f32'], check=True,
                           capture_output=True)
            n_ids = len(open(base + '.ids').read().split())
            logits = open(base + '.f32', 'rb').read()
            n_vocab = len(logits) // n_ids // 4
            with open(os.path.join(out, name + '.f32'), 'wb') as f:
                for position in range(n_ids):
                    for i in range(LOGITS):
                        at = (position * n_vocab + i * n_vocab // LOGITS) * 4
                        f.write(logits[at:at + 4])
            models[name] = hashlib.sha256(open(base + '.gguf', 'rb').read()).hexdigest()
            print(name, n_ids, 'positions, 64 of', n_vocab, 'logits each')
    provenance = {'made by': 'tools/make_tiny_reference.py', 'llama.cpp': args.llama_cpp, 'command': ' '.join(['peer_bench', *command]),
                  'contents': 'f32 [ids][64], logits i * n_vocab / 64', 'sha256 of the models': models}
    with open(os.path.join(out, 'provenance.json'), 'w') as f:
        json.dump(provenance, f, indent=1)
        f.write('\n')


if __name__ == '__main__':
    main()
