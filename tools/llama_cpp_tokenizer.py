"""llama.cpp's tokenizer from Python: an oracle for scripts in this folder. No program of its own.

Loads the shared libraries of the npm package node-llama-cpp 3.22.1 (folder PEER_LIBS, see ../shared/peer/README.md) with ctypes.
The layout of llama_model_params below is that of this version's llama.h.
"""
import ctypes as c
import os
from pathlib import Path


class ModelParams(c.Structure):
    _fields_ = [("devices", c.c_void_p), ("overrides", c.c_void_p), ("n_gpu_layers", c.c_int32), ("split_mode", c.c_int),
                ("load_mode", c.c_int), ("lazy_mode", c.c_int), ("main_gpu", c.c_int32), ("tensor_split", c.c_void_p),
                ("progress", c.c_void_p), ("progress_data", c.c_void_p), ("kv_overrides", c.c_void_p),
                ("vocab_only", c.c_bool), ("check_tensors", c.c_bool), ("use_extra_bufts", c.c_bool), ("no_host", c.c_bool),
                ("no_alloc", c.c_bool), ("load_mtp", c.c_bool)]


def library():
    folder = Path(os.environ["PEER_LIBS"])
    for pattern in ("libggml-base*.so", "libggml.*so"):
        c.CDLL(str(next(folder.glob(pattern))), c.RTLD_GLOBAL)
    lib = c.CDLL(str(next(folder.glob("libllama.*so"))))
    lib.llama_model_default_params.restype = ModelParams
    lib.llama_model_load_from_file.argtypes = [c.c_char_p, ModelParams]
    lib.llama_model_load_from_file.restype = c.c_void_p
    lib.llama_model_get_vocab.argtypes = [c.c_void_p]
    lib.llama_model_get_vocab.restype = c.c_void_p
    lib.llama_tokenize.argtypes = [c.c_void_p, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]
    lib.llama_token_to_piece.argtypes = [c.c_void_p, c.c_int32, c.c_char_p, c.c_int32, c.c_int32, c.c_bool]
    lib.llama_vocab_is_eog.argtypes = [c.c_void_p, c.c_int32]
    lib.llama_vocab_is_eog.restype = c.c_bool
    lib.llama_vocab_n_tokens.argtypes = [c.c_void_p]
    lib.llama_log_set(LOG, None)
    lib.llama_backend_init()
    return lib


LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda level, text, data: None)


class LlamaCpp:
    lib = None

    def __init__(self, path):
        LlamaCpp.lib = LlamaCpp.lib or library()
        params = self.lib.llama_model_default_params()
        params.vocab_only = True
        model = self.lib.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise RuntimeError(f"llama.cpp does not load {path}")
        self.vocab = self.lib.llama_model_get_vocab(model)

    def ids(self, texts):
        return [self.encode(text) for text in texts]

    def encode(self, text, add_special=False, parse_special=False):
        """ids of `text` (bytes)."""
        room = len(text) + 16
        ids = (c.c_int32 * room)()
        n = self.lib.llama_tokenize(self.vocab, text, len(text), ids, room, add_special, parse_special)
        assert n >= 0
        return list(ids[:n])

    def piece(self, token, special=False):
        out = c.create_string_buffer(4096)
        length = self.lib.llama_token_to_piece(self.vocab, token, out, len(out), 0, special)
        return out.raw[:length]

    def end_tokens(self):
        return [i for i in range(self.lib.llama_vocab_n_tokens(self.vocab)) if self.lib.llama_vocab_is_eog(self.vocab, i)]
