"""Changes to messages that know their structure: what a broken or foreign file may hold."""

import copy
import random

import numpy
import srsly

# What takes the place of something else.
ODD = [None, True, -1, 2**63, 0.5, float("nan"), "", "text", b"", b"\xc1\x00", [], {}, [[]], {"": {}}, [None] * 3]
ODD += [numpy.zeros((2, 3), "f"), numpy.zeros(6, "f"), numpy.ones(5, "i8"), numpy.zeros((), "d"), numpy.array(["a"])]


def places(message, path=()):
    """The path of everything in nested dicts and lists."""
    if path:
        yield path
    items = message.items() if isinstance(message, dict) else enumerate(message) if isinstance(message, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def mutated(message, rng: random.Random):
    """A copy with one to three changes: an entry dropped, doubled, moved, renamed, of another type, deeply nested."""
    message = copy.deepcopy(message)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = list(places(message))
        if not found:
            break
        *path, last = rng.choice(found)
        parent = message
        for key in path:
            parent = parent[key]
        value = parent[last]
        change = rng.choice(["drop", "add", "odd", "odd", "number", "array", "rename", "swap", "nest"])
        if change == "drop":
            del parent[last]
        elif change == "add" and isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(value))
        elif change == "rename" and isinstance(parent, dict):
            parent[rng.choice(["W", "b", "nO", "other", 5])] = parent.pop(last)
        elif change == "number" and isinstance(value, (int, float)):
            parent[last] = rng.choice([value + 1, -value, str(value), [value]])
        elif change == "array" and isinstance(value, numpy.ndarray):
            others = [value[:-1], value.T, value.astype("d"), value.astype("i"), value.reshape(-1), value[None]]
            parent[last] = rng.choice([*others, value.astype(">f4"), value.astype("c16"), value.tolist()])
        elif change == "swap":
            *path2, last2 = rng.choice(found)
            other = message
            try:
                for key in path2:
                    other = other[key]
                parent[last] = copy.deepcopy(other[last2])
            except (KeyError, IndexError, TypeError):
                continue
        elif change == "nest":
            for _ in range(rng.choice([2, 100, 400])):
                value = [value]
            parent[last] = value
        else:
            parent[last] = rng.choice(ODD)
    return message


def mutated_bytes(data: bytes, seed: int) -> bytes:
    """Bytes of a message that was changed, or that were changed themselves."""
    rng = random.Random(seed)
    if seed % 5:
        try:
            data = srsly.msgpack_dumps(mutated(srsly.msgpack_loads(data), rng))
        except ValueError:  # nested deeper than the format allows
            pass
    if seed % 5 < 2:
        at = rng.randrange(len(data) + 1)
        cut = [data[:at], data[at:], data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :], data + data[:at]]
        data = rng.choice([*cut, data[:at] + rng.randbytes(4) + data[at:]])
    return data
