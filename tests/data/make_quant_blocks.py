#!/usr/bin/env python3
"""Writes quant_blocks.txt: random blocks of every tensor type and their values, as the `gguf` package (PyPI) reads them.

One block a line: type, the block's bytes in hex, its values as the hex of little-endian f32.
"""
import pathlib

import gguf
import numpy

SEED = 7
BLOCKS_PER_TYPE = 2
# Where a block has 16-bit floats; random bytes there would be infinities.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}

random = numpy.random.default_rng(SEED)


def random_block(name, n_bytes):
    if name == "F32":
        return random.standard_normal(1, dtype=numpy.float32).view(numpy.uint8)
    if name == "F16":
        return random.standard_normal(1).astype(numpy.float16).view(numpy.uint8)
    block = random.integers(0, 256, n_bytes, dtype=numpy.uint8)
    if name == "BF16":
        block[1] = 0xBF  # of ordinary size
    for at in HALVES.get(name, []):
        block[at:at + 2] = random.standard_normal(1).astype(numpy.float16).view(numpy.uint8)
    return block


lines = []
for name in ["F32", "F16", "BF16", *HALVES]:
    kind = gguf.GGMLQuantizationType[name]
    n_bytes = gguf.GGML_QUANT_SIZES[kind][1]
    for _ in range(BLOCKS_PER_TYPE):
        block = random_block(name, n_bytes)
        values = gguf.quants.dequantize(block.reshape(1, -1), kind).astype("<f4")
        lines.append(f"{name.lower()} {block.tobytes().hex()} {values.tobytes().hex()}\n")
pathlib.Path(__file__).with_name("quant_blocks.txt").write_text("".join(lines))
