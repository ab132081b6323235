"""Mutators: of bytes, of trees (msgpack, JSON), of lines; each knows enough of the format to get past its first check.

A mutator takes a numpy RandomState-like `random.Random` and bytes, and gives bytes.
"""

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any, Callable, List

from srsly.msgpack._packer import Packer
from srsly.msgpack._unpacker import unpackb

from thinc.training import pack_archive

Mutator = Callable[[random.Random, bytes], bytes]

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53,
    2**63 - 1,
    -(2**63),
]
TEXTS = ["", "x", "W", "nodes", "<f4", "|O", "F32", "é\u0000", "\n", "layers.0.W", "a" * 300, "__metadata__", "0", "{}"]
VALUES: List[Any] = [None, True, False, 0.5, float("inf"), float("nan"), [], {}, b"", b"\xc1", *NUMBERS, *TEXTS]


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """One to four of: flip, set, insert, remove, repeat, cut, a number in any width."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        i = rng.randrange(len(out) + 1)
        n = min(rng.choice([1, 1, 2, 4, 8, 64]), len(out) - i)
        kind = rng.randrange(7)
        if kind == 0 and n:
            out[i] ^= 1 << rng.randrange(8)
        elif kind == 1 and n:
            out[i] = rng.choice([0, 1, 0x7F, 0x80, 0xC1, 0xDC, 0xDF, 0xFF, 10, 34, 44])
        elif kind == 2:
            out[i:i] = rng.randbytes(rng.choice([1, 2, 8]))
        elif kind == 3:
            del out[i : i + n]
        elif kind == 4:
            out[i:i] = out[i : i + n] * rng.choice([1, 2, 50])
        elif kind == 5 and rng.random() < 0.3:
            del out[i:]
        else:
            code = rng.choice("<B <H <I <Q >H >I >Q".split())
            number = rng.choice(NUMBERS) % 2 ** (8 * struct.calcsize(code))
            out[i : i + struct.calcsize(code)] = struct.pack(code, number)
    return bytes(out)


def mutate_tree(rng: random.Random, tree: Any, mutate_leaf: Mutator = mutate_bytes) -> Any:
    """Change one place of nested dicts and lists: another value, one more, one less, two exchanged."""
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        key = rng.choice(list(tree))
        kind = rng.randrange(12)
        out = dict(tree)
        if kind == 0:
            del out[key]
        elif kind == 1:
            out[rng.choice(TEXTS)] = out[key]
        elif kind == 2:
            out[key] = out[rng.choice(list(tree))]
        else:
            out[key] = mutate_tree(rng, out[key], mutate_leaf)
        return out
    if isinstance(tree, list) and tree and rng.random() < 0.85:
        i = rng.randrange(len(tree))
        kind = rng.randrange(12)
        if kind == 0:
            return tree[:i] + tree[i + 1 :]
        if kind == 1:
            return tree[:i] + [tree[i]] * rng.choice([2, 3]) + tree[i + 1 :]
        if kind == 2:
            return [*tree[:i], tree[rng.randrange(len(tree))], *tree[i + 1 :]]
        return [*tree[:i], mutate_tree(rng, tree[i], mutate_leaf), *tree[i + 1 :]]
    if isinstance(tree, bytes) and rng.random() < 0.8:
        return mutate_leaf(rng, tree)
    if isinstance(tree, int) and rng.random() < 0.5:
        return tree + rng.choice([-1, 1])
    if isinstance(tree, str) and tree and rng.random() < 0.5:
        i = rng.randrange(len(tree))
        return tree[:i] + chr(ord(tree[i]) ^ 1 << rng.randrange(7)) + tree[i + 1 :]
    return rng.choice(VALUES)


def mutate_msgpack(rng: random.Random, data: bytes) -> bytes:
    """A message, of which bytes inside may be messages again."""
    try:
        tree = unpackb(data, raw=False, strict_map_key=False)
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            tree = mutate_tree(rng, tree, mutate_msgpack)
        return bytes(Packer(use_bin_type=True, unicode_errors="surrogatepass").pack(tree))
    except Exception:  # no message, or none after the change
        return mutate_bytes(rng, data)


def mutate_safetensors(rng: random.Random, data: bytes) -> bytes:
    """The header as JSON with the right length, half of the time with the right checksum, too."""
    from thinc.model._safetensors import _checksum

    length = int.from_bytes(data[:8], "little")
    try:
        header = mutate_tree(rng, json.loads(data[8 : 8 + length]))
        texts = header.get("__metadata__", {})
        if "thinc_model" in texts and rng.random() < 0.5:
            texts["thinc_model"] = json.dumps(mutate_tree(rng, json.loads(texts["thinc_model"])))
        if rng.random() < 0.7:
            texts["thinc_checksum"] = _checksum(texts)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]
    except Exception:
        return mutate_bytes(rng, data)


def mutate_lines(separator: str, tokens: List[str]) -> Mutator:
    """A text: lines and the fields in them exchanged, repeated, dropped, replaced by tokens."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        lines = data.decode("utf8", "surrogateescape").split("\n")
        for _ in range(rng.randint(1, 4)):
            i = rng.randrange(len(lines))
            kind = rng.randrange(6)
            if kind == 0 and len(lines) > 1:
                del lines[i]
            elif kind == 1:
                lines.insert(i, rng.choice(lines))
            elif kind == 2:
                j = rng.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
            else:
                fields = lines[i].split(separator)
                k = rng.randrange(len(fields))
                fields[k] = rng.choice([*tokens, *TEXTS, str(rng.choice(NUMBERS)), fields[k] * 2, fields[-1]])
                lines[i] = separator.join(fields if rng.random() < 0.7 else fields[:k])
        return "\n".join(lines).encode("utf8", "surrogateescape")

    return mutate


def mutate_jsonl(rng: random.Random, data: bytes) -> bytes:
    """The object of one line."""
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    try:
        lines[i] = json.dumps(mutate_tree(rng, json.loads(lines[i]))).encode()
    except (ValueError, TypeError):
        lines[i] = rng.choice(TEXTS).encode()
    return b"\n".join(lines)


def mutate_idx(rng: random.Random, data: bytes) -> bytes:
    """The magic number and the sizes in front of the bytes."""
    out = bytearray(data)
    i = 4 * rng.randrange(4)
    out[i : i + 4] = struct.pack(">I", rng.choice([0x801, 0x803, 0x903, *NUMBERS]) % 2**32)
    return bytes(out)


def mutate_archive(part: str, inner: Mutator) -> Mutator:
    """One part of a zip file, written anew with the right checksums."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            parts[part] = inner(rng, parts[part])
        except Exception:  # mutated before
            return inner(rng, data)
        return bytes(pack_archive(parts))

    return mutate


def mutate_gzip(inner: Mutator) -> Mutator:
    """What is compressed, or the container: its flags, its checksum, a second member behind it."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        kind = rng.randrange(4)
        try:
            if kind < 2:
                return gzip.compress(inner(rng, gzip.decompress(data)), mtime=0)
            if kind == 2:
                return data + rng.choice([data, data[:20], b"\0" * 9, b"junk"])
        except (OSError, EOFError, zlib.error):
            pass
        return mutate_bytes(rng, data)

    return mutate
