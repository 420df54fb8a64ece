#!/usr/bin/env python3
"""Writes what the `tokenizers` library (PyPI, 0.23) answers, for tokenizer tests to be held against.

  make_tokenizer_reference.py MODEL.gguf     (needs `gguf` and `tokenizers`; the model is SmolLM2-135M-Instruct)

words_reference.jsonl: random texts and the bytes of each of their words, for every pre-tokenizer; needs no vocabulary.
every_character.txt: for each block of 4096 code points (and one each where planes hold nothing but unassigned, or
private, ones) a hash of the word lengths of a text that has each of them next to letters, digits, spaces and itself.
One line a block: first code point, then a hash for each pre-tokenizer.
tokens_reference.jsonl: random texts, parsed with special tokens or not, and a hash of their token ids.
"""
import json
import pathlib
import random
import sys

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, pre_tokenizers
from tokenizers.models import BPE

SEED = 11
N_WORD_TEXTS = 500
N_TOKEN_TEXTS = 1500
BLOCK = 4096
CONTROL = 3  # token type in GGUF

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def cut_by(*patterns):
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


GPT2_BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
PRE_TOKENIZERS = {
    "gpt-2": GPT2_BYTE_LEVEL,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2_BYTE_LEVEL]),
    "llama-bpe": cut_by(LLAMA3),
    "qwen2": cut_by(QWEN2),
    "default": cut_by(r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"),
}

TELLING = [" ", "  ", "\n", "\r", "\t", "\u00a0", "\u0085", "\u180e", "\u3000", "\u2028", "\u200b", "\x1c", "\x1f", "'",
           "'s", "'S", "'\u017f", "'LL", "'re", "'\u212a", "a", "B", "é", "ß", "1", "12", "1234", "½", "²", "٣", "日",
           "本", "한", "👩", "\u200d", "\U0001f680", ".", "!", "<|im_start|>", "<|im_end|>", "<|", "|>", "_", "-",
           "\u0301", "\x00", "\x04", "\x7f", "ا", "ª", "ǅ", "Ⅷ", "\U00011de0", "\ufeff", "\u2019s", "the", "ing",
           " hello"]

rnd = random.Random(SEED)
here = pathlib.Path(__file__).parent


def is_character(code_point):
    return not 0xD800 <= code_point <= 0xDFFF


def random_character():
    limit = rnd.choice([0x250, 0x3100, 0x110000])
    code_point = rnd.randrange(limit)
    return chr(code_point) if is_character(code_point) else "?"


def random_text():
    return "".join(rnd.choice(TELLING) if rnd.random() < 0.6 else random_character()
                   for _ in range(rnd.randint(1, 20)))


def word_lengths(pre_tokenizer, text):
    # ByteLevel spells each byte as one character.
    return [len(word) for word, _ in pre_tokenizer.pre_tokenize_str(text)]


def fnv1a(numbers):
    value = 0xCBF29CE484222325
    for number in numbers:
        value = ((value ^ number) * 0x100000001B3) % 2**64
    return f"{value:016x}"


def in_every_context(character):
    return f"a{character}b 1{character}2 {character} {character}{character}'{character}s\n"


def write_words():
    with open(here / "words_reference.jsonl", "w") as out:
        for _ in range(N_WORD_TEXTS):
            text = random_text()
            case = {"text": text} | {name: word_lengths(p, text) for name, p in PRE_TOKENIZERS.items()}
            out.write(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n")


def write_every_character():
    with open(here / "every_character.txt", "w") as out:
        for first in [*range(0, 0x34000, BLOCK), 0x80000, 0xE0000, 0xF0000, 0x10F000]:
            text = "".join(in_every_context(chr(c)) for c in range(first, first + BLOCK) if is_character(c))
            hashes = [fnv1a(word_lengths(p, text)) for p in PRE_TOKENIZERS.values()]
            out.write(f"{first:x} {' '.join(hashes)}\n")


def write_tokens(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[fields["tokenizer.ggml.pre"].contents()]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)
                                  for token, type in zip(tokens, types) if type == CONTROL])
    with open(here / "tokens_reference.jsonl", "w") as out:
        for _ in range(N_TOKEN_TEXTS):
            text, special = random_text(), rnd.random() < 0.3
            tokenizer.encode_special_tokens = not special
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            case = {"text": text, "special": special, "n": len(ids), "hash": fnv1a(ids)}
            out.write(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n")


write_words()
write_every_character()
write_tokens(sys.argv[1])
