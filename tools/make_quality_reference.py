#!/usr/bin/env python3
"""Make tests/data/correctness/quality.json: what llama.cpp's rounding costs on the quantised models of
tests/support/quality_cases.h.

  make_quality_reference.py --peer PEER_BENCH --writer build/release/tests/support/write_tiny_models [--only llama-]

--only: the cases whose names begin so; what is known of the others stays.

Needs numpy and a `peer_bench` program (llama.cpp through its C API) with PEER_LIBS set. Per case: the mean KL divergence in nats,
over the seeds and 160 positions of each, of llama.cpp's distribution on the quantised file from its own on the same weights expanded to f32 (flash
attention off, f32 cache, its fastest kernels).
"""
import argparse
import collections
import json
import os
import subprocess
import tempfile

import numpy as np


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--peer', required=True)
    ap.add_argument('--writer', required=True)
    ap.add_argument('--only', default='')
    args = ap.parse_args()
    costs = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.writer, folder, 'quality'], check=True)

        def logits(model, ids):
            out = os.path.join(folder, 'out.f32')
            subprocess.run([args.peer, 'logits', '-m', model, '--ids', ids, '--out', out, '--fa', 'off', '--ctk', 'f32', '--ctv', 'f32',
                            '-t', '2'], check=True, capture_output=True)
            return np.fromfile(out, '<f4').astype(np.float64).reshape(len(open(ids).read().split()), -1)

        for model in sorted(f[:-4] for f in os.listdir(folder) if f.endswith('.ids') and f.startswith(args.only)):
            base = os.path.join(folder, model)
            exact = log_softmax(logits(base + '-F32.gguf', base + '.ids'))
            rounded = log_softmax(logits(base + '.gguf', base + '.ids'))
            name = model.rsplit('.', 1)[0]
            costs[name].append((np.exp(exact) * (exact - rounded)).sum(axis=1).mean())
            print(model, costs[name][-1], flush=True)
    means = {name: float(f'{np.mean(of_seeds):.4g}') for name, of_seeds in costs.items()}
    path = os.path.join(os.path.dirname(__file__), '..', 'tests', 'data', 'correctness', 'quality.json')
    if args.only:
        with open(path) as f:
            means = dict(sorted({**json.load(f)['mean KL divergence'], **means}.items()))
    with open(path, 'w') as f:
        json.dump({'made by': 'tools/make_quality_reference.py, llama.cpp v0.5.0', 'mean KL divergence': means}, f, indent=1)
        f.write('\n')


if __name__ == '__main__':
    main()
