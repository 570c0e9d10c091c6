#!/usr/bin/env python3
"""Make tests/data/correctness/blocks_kld.json: how far llama.cpp is from exact on quantised experts and delta nets.

  make_block_quality.py --peer PEER_BENCH --build build/release

Needs numpy and a `peer_bench` program (llama.cpp through its C API) with PEER_LIBS set. Every shape and format is a random model
of `plumb_write_model`, run on 80 token ids with an f32 cache and flash attention off; the file holds the mean KL divergence of
llama.cpp's predictions from those of plumb's reference backend, which expands the very weights to f32 and rounds nothing.
tests/backend/quality_test.cpp holds the cpu backend to it.
"""
import argparse
import json
import os
import subprocess
import tempfile

import numpy as np

SHAPES = ['small-qwen3moe', 'small-qwen35', 'small-qwen35moe']
FORMATS = ['Q8_0', 'Q4_0', 'Q4_K', 'IQ4_XS']
# Where one choice of an expert weighs most, as many as the mean takes to settle.
SEEDS = {'small-qwen3moe': 3, 'small-qwen35': 2, 'small-qwen35moe': 2, 'small-qwen3moe Q4_0': 10}


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def read(path, n):
    return log_softmax(np.fromfile(path, np.float32).reshape(n, -1).astype(np.float64))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--peer', required=True)
    ap.add_argument('--build', required=True)
    args = ap.parse_args()
    entries = []
    ids = ','.join(str((i * i * 31 + i * 17 + 5) % 292) for i in range(80))
    with tempfile.TemporaryDirectory() as folder:
        model, theirs, exact = (os.path.join(folder, name) for name in ('m.gguf', 'peer.f32', 'exact.f32'))
        for shape in SHAPES:
            for form in FORMATS:
                for seed in range(1, SEEDS.get(shape + ' ' + form, SEEDS[shape]) + 1):
                    subprocess.run([os.path.join(args.build, 'tests/support/plumb_write_model'), shape, model, '--type', form,
                                    '--seed', str(seed)], check=True)
                    subprocess.run([args.peer, 'logits', '-m', model, '--ids', ids, '--out', theirs, '--fa', 'off', '--ctk', 'f32',
                                    '--ctv', 'f32', '-t', '2'], check=True, capture_output=True)
                    subprocess.run([os.path.join(args.build, 'apps/plumb/plumb'), 'logits', '-m', model, '--backend', 'reference',
                                    '--ids', ids, '--out', exact, '-ctk', 'f32', '-ctv', 'f32'], check=True, capture_output=True)
                    p, q = read(exact, 80), read(theirs, 80)
                    kld = float((np.exp(p) * (p - q)).sum(axis=1).mean())
                    entries.append({'shape': shape, 'format': form, 'seed': seed, 'mean_kld': kld})
                    print(shape, form, seed, '%.6f' % kld, flush=True)
    out = os.path.join(os.path.dirname(__file__), '..', 'tests', 'data', 'correctness', 'blocks_kld.json')
    with open(out, 'w') as f:
        json.dump({'engine': 'llama.cpp v0.5.0, CPU', 'positions': 80, 'models': entries}, f, indent=1)
        f.write('\n')


if __name__ == '__main__':
    main()
