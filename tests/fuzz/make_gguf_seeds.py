#!/usr/bin/env python3
"""Writes the seeds of gguf_fuzz: a whole tiny model of each kind, the same damaged, and parts of a real file.

    tests/fuzz/make_gguf_seeds.py [a llama model.gguf]
"""
import pathlib
import struct
import sys

CORPUS = pathlib.Path(__file__).parent / "corpus" / "gguf_fuzz"
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
F32, Q8_0 = 0, 8
ALIGNMENT = 32


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def item(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def entry(key, kind, value):
    if isinstance(value, list):
        items = b"".join(item(kind, one) for one in value)
        return text(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + items
    return text(key) + struct.pack("<I", kind) + item(kind, value)


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def model(family, width=4, matrix=F32, block=(1, 4)):
    """One layer, one head, four tokens."""
    sizes = {"block_count": 1, "context_length": 8, "embedding_length": width, "feed_forward_length": width,
             "attention.head_count": 1}
    metadata = [entry("general.architecture", STRING, family)]
    metadata += [entry(f"{family}.{key}", UINT32, value) for key, value in sizes.items()]
    metadata += [
        entry(f"{family}.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        entry("tokenizer.ggml.model", STRING, "gpt2"),
        entry("tokenizer.ggml.tokens", STRING, ["<|im_end|>", "a", "b", "ab"]),
        entry("tokenizer.ggml.token_type", INT32, [3, 1, 1, 1]),
        entry("tokenizer.ggml.merges", STRING, ["a b"]),
        entry("tokenizer.ggml.eos_token_id", UINT32, 0),
        entry("tokenizer.ggml.add_bos_token", BOOL, False),
    ]
    square = [width, width]
    tensors = {"token_embd.weight": [width, 4], "output_norm.weight": [width]}
    tensors |= {f"blk.0.{name}.weight": square for name in
                ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]}
    tensors |= {f"blk.0.{name}.weight": [width] for name in ["attn_norm", "ffn_norm"]}
    if family == "qwen2":
        tensors |= {f"blk.0.attn_{name}.bias": [width] for name in "qkv"}
    if family == "qwen3":
        tensors |= {f"blk.0.attn_{name}_norm.weight": [width] for name in "qk"}
    infos, data = b"", b""
    for name, dims in tensors.items():
        kind, (values, size) = (F32, (1, 4)) if len(dims) == 1 else (matrix, block)
        infos += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
        rows = dims[1] if len(dims) == 2 else 1
        data += padded(bytes(rows * width // values * size))
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(metadata) + infos
    return padded(header) + data


def changed(data, at, value):
    return data[:at] + value + data[at + len(value):]


def parts_of(path):
    """The start of a real file, that start with flipped bits, and its tensors' descriptions without any data."""
    start = pathlib.Path(path).read_bytes()[:8 << 20]
    head = start[:1200]
    flipped = bytes(byte ^ 0x10 if at % 97 == 96 else byte for at, byte in enumerate(head))
    infos = start[start.index(text("token_embd.weight")):start.index(text("blk.3.attn_norm.weight"))]
    n_infos = infos.count(b".weight")
    bare = b"GGUF" + struct.pack("<IQQ", 3, n_infos, 1) + entry("general.architecture", STRING, "llama") + infos
    return {"damaged-real-start": head, "damaged-real-flipped": flipped, "damaged-real-without-data": bare}


llama = model("llama")
seeds = {f"whole-{family}": model(family) for family in ["llama", "qwen2", "qwen3"]}
seeds["whole-llama-q8_0"] = model("llama", 32, Q8_0, (32, 34))
seeds["whole-version-2"] = changed(llama, 4, struct.pack("<I", 2))
seeds["damaged-truncated"] = llama[:len(llama) // 2]
seeds["damaged-tensor-count"] = changed(llama, 8, struct.pack("<Q", 1 << 60))
seeds["damaged-metadata-count"] = changed(llama, 16, struct.pack("<Q", 1 << 60))
seeds["damaged-key-length"] = changed(llama, 24, struct.pack("<Q", (1 << 64) - 1))
seeds["damaged-dimensions"] = changed(llama, llama.index(b"output_norm.weight") + 18, struct.pack("<I", 1000000))
seeds["damaged-offset"] = changed(llama, llama.index(b"output_norm.weight") + 34, struct.pack("<Q", 1 << 63))
if len(sys.argv) > 1:
    seeds |= parts_of(sys.argv[1])

CORPUS.mkdir(parents=True, exist_ok=True)
for name, data in seeds.items():
    (CORPUS / name).write_bytes(data)
