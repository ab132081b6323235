"""How good answers are: accuracy, precision, recall and F for each label, micro and macro, spans, errors of numbers.

    precision = right / given,  recall = right / wanted,  F = 2 P R / (P + R);  0 where nothing was given or wanted

micro: over all labels at once. macro: the mean over the labels that were wanted or given. Answers that are not known
are not scored.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

import numpy

from .datasets import MISSING, Data

# For each kind of answer, the scores that can keep the best model: the first by default. Higher is better, but for
# those in LOWER_IS_BETTER.
SCORES: Dict[str, Tuple[str, ...]] = {
    "class": ("accuracy", "macro_f", "macro_precision", "macro_recall"),
    "sequence": ("accuracy", "macro_f", "macro_precision", "macro_recall", "span_f", "span_precision", "span_recall"),
    "several": ("micro_f", "macro_f", "micro_precision", "micro_recall", "accuracy"),
    "number": ("r2", "mean_absolute_error", "root_mean_squared_error"),
}
LOWER_IS_BETTER = ("mean_absolute_error", "root_mean_squared_error")
BIO = re.compile(r"O|[BI]-.+")
UNSEEN = "(not in training)"


@dataclass
class Scores:
    """What an evaluation found.

    values: by name.  count: of what was scored.  labels, spans: precision, recall and f of each.  confusion: [right,
    given, how often] of the errors.

    >>> scores = score_answers(numpy.array([0, 1, 1]), numpy.array([0, 1, 0]), ["cat", "dog"], "class")
    >>> round(scores.values["accuracy"], 3), scores.confusion
    (0.667, [['cat', 'dog', 1]])
    """

    values: Dict[str, float]  # by the names in SCORES
    count: int  # of what was scored: words, texts, images
    labels: Dict[str, Dict[str, float]] = field(default_factory=dict)  # label -> precision, recall, f, count
    spans: Dict[str, Dict[str, float]] = field(default_factory=dict)  # the same for kinds of spans
    confusion: List[List[Any]] = field(default_factory=list)  # [wanted, given, count] of the errors, commonest first

    def to_json(self) -> Dict[str, Any]:
        """As a dict for scores.json."""
        found = {"scores": self.values, "count": self.count, "labels": self.labels}
        if self.spans:
            found["spans"] = self.spans
        return {**found, "confusion": self.confusion} if self.confusion else found


def is_bio(labels: Sequence[str]) -> bool:
    """Whether the labels mark spans: O, B-… and I-… alone."""
    return any(label.startswith("B-") for label in labels) and all(BIO.fullmatch(label) for label in labels)


def default_score(data: Data) -> str:
    """The score that keeps the best model if the config names none.

    data: says of which kind the answers are.

    >>> default_score(Data(Examples([], []), Examples([], []), ["O", "B-PER", "I-PER"], kind="sequence"))
    'span_f'
    """
    return "span_f" if data.kind == "sequence" and is_bio(data.labels) else SCORES[data.kind][0]


def known_scores(data: Data) -> List[str]:
    """The scores that this kind of answers has.

    data: says of which kind the answers are.

    >>> known_scores(Data(Examples([], []), Examples([], []), ["cat", "dog"]))
    ['accuracy', 'macro_f', 'macro_precision', 'macro_recall']
    """
    spans = data.kind == "sequence" and is_bio(data.labels)
    return [name for name in SCORES[data.kind] if spans or not name.startswith("span")]


def score_answers(guesses: Any, answers: Any, labels: List[str], kind: str) -> Scores:
    """Compare decoded guesses (see `decode`) with the Y of examples.

    guesses: decoded.  answers: Y.  labels: names of the classes.  kind: of the answers.

    >>> score_answers(numpy.array([0, 1, 1]), numpy.array([0, 1, 0]), ["cat", "dog"], "class").count
    3
    """
    if kind == "number":
        return _score_numbers(numpy.asarray(guesses).reshape(-1), numpy.asarray(answers).reshape(-1))
    if kind == "several":
        return _score_several(numpy.asarray(guesses), numpy.asarray(answers), labels)
    flat_guess = numpy.concatenate(guesses) if kind == "sequence" and len(guesses) else numpy.asarray(guesses)
    flat = numpy.concatenate(answers) if kind == "sequence" and len(answers) else numpy.asarray(answers)
    scores = _score_classes(flat_guess, flat, labels)
    if kind == "sequence" and is_bio(labels):
        names = [*labels, "B-" + UNSEEN]
        wanted = [_spans(names[i] if i != MISSING else "O" for i in y) for y in answers]
        given = [_spans(names[i] for i in y) for y in guesses]
        scores.spans, micro, _ = _by_label(
            Counter(kind for a, b in zip(wanted, given) for kind, *_ in a & b),
            Counter(kind for spans in given for kind, *_ in spans),
            Counter(kind for spans in wanted for kind, *_ in spans),
        )
        scores.values.update({f"span_{name}": micro[name] for name in ("precision", "recall", "f")})
    return scores


def _by_label(right: Counter, given: Counter, wanted: Counter) -> Tuple[Dict[str, Dict[str, float]], Dict, Dict]:
    """Of each label, micro and macro: precision, recall, f."""
    rows = {
        name: {**_prf(right[name], given[name], wanted[name]), "count": wanted[name]} for name in sorted(given | wanted)
    }
    micro = _prf(sum(right.values()), sum(given.values()), sum(wanted.values()))
    n = max(len(rows), 1)
    return rows, micro, {key: sum(row[key] for row in rows.values()) / n for key in micro}


def _prf(right: int, given: int, wanted: int) -> Dict[str, float]:
    precision, recall = right / given if given else 0.0, right / wanted if wanted else 0.0
    total = given + wanted
    return {"precision": precision, "recall": recall, "f": 2 * right / total if total else 0.0}


def _score_classes(guess: numpy.ndarray, gold: numpy.ndarray, labels: List[str]) -> Scores:
    known = gold != MISSING
    guess, gold = guess[known], gold[known]
    names = [*labels, UNSEEN]
    pairs = Counter(zip(gold.tolist(), guess.tolist()))
    right = Counter({names[a]: n for (a, b), n in pairs.items() if a == b})
    given, wanted = Counter(), Counter()  # type: Counter[str], Counter[str]
    for (a, b), n in pairs.items():
        wanted[names[a]] += n
        given[names[b]] += n
    rows, _, macro = _by_label(right, given, wanted)
    total = len(gold)
    values = {"accuracy": sum(right.values()) / total if total else 0.0}
    values.update({f"macro_{name}": value for name, value in macro.items()})
    errors = [[names[a], names[b], n] for (a, b), n in pairs.items() if a != b]
    return Scores(values, total, rows, confusion=sorted(errors, key=lambda e: (-e[2], e[0], e[1])))


def _score_several(guess: numpy.ndarray, gold: numpy.ndarray, labels: List[str]) -> Scores:
    a, b = guess > 0.5, gold > 0.5
    count = [Counter(dict(zip(labels, x.sum(axis=0).tolist()))) for x in (a & b, a, b)]
    rows, micro, macro = _by_label(*count)
    values = {f"micro_{k}": v for k, v in micro.items()} | {f"macro_{k}": v for k, v in macro.items()}
    values["accuracy"] = float((a == b).all(axis=1).mean()) if len(a) else 0.0  # all labels of a text right
    return Scores(values, len(gold), rows)


def _score_numbers(guess: numpy.ndarray, gold: numpy.ndarray) -> Scores:
    errors = guess.astype("float64") - gold
    spread = float(((gold - gold.mean(dtype="float64")) ** 2).sum()) if len(gold) else 0.0
    squares = float((errors**2).sum())
    n = max(len(gold), 1)
    values = {
        "r2": 1 - squares / spread if spread else float(squares == 0.0),  # share of the variance that is explained
        "mean_absolute_error": float(numpy.abs(errors).sum()) / n,
        "root_mean_squared_error": (squares / n) ** 0.5,
    }
    return Scores(values, len(gold))


def _spans(tags: Iterable[str]) -> Set[Tuple[str, int, int]]:
    """(kind, start, end) of BIO tags. An I without a beginning begins a span, as in the CoNLL-2000 scorer."""
    found: Set[Tuple[str, int, int]] = set()
    kind: Optional[str] = None
    start = 0
    i = -1
    for i, tag in enumerate(tags):
        mark, name = tag[:1], tag[2:]
        if kind is not None and (mark != "I" or name != kind):
            found.add((kind, start, i))
            kind = None
        if mark != "O" and kind is None:
            kind, start = name, i
    if kind is not None:
        found.add((kind, start, i + 1))
    return found


def baseline(data: Data) -> float:
    """What a model has to beat: the score of the commonest label of the training part (of each word, for words); of
    numbers, that of their mean. In the score `accuracy` or `r2`; 0 for several labels.

    data: the corpus.

    >>> pets = Examples(["meow", "woof", "purr", "miau"], numpy.array([0, 1, 0, 0]))
    >>> baseline(Data(pets, pets, ["cat", "dog"]))
    0.75
    """
    if data.kind == "number" or data.kind == "several":
        return 0.0
    if data.kind == "sequence":
        return most_frequent_baseline(data)
    common = Counter(data.train.Y.tolist()).most_common(1)[0][0]
    return float((data.dev.Y == common).mean())


def most_frequent_baseline(data: Data) -> float:
    """The accuracy of giving each word the tag it most often has in the training part; the commonest tag if unseen.

    What a tagger has to beat.

    data: of sequences.

    >>> train_part = Examples([["the", "cat", "sees"]], [numpy.array([0, 1, 2])])
    >>> dev_part = Examples([["the", "dog", "sees", "cat"]], [numpy.array([0, 1, 2, 1])])
    >>> most_frequent_baseline(Data(train_part, dev_part, ["DET", "NOUN", "VERB"], kind="sequence"))
    0.75
    """
    counts: Dict[str, Dict[int, int]] = {}
    totals: Dict[int, int] = {}
    for words, tags in zip(data.train.X, data.train.Y):
        for word, tag in zip(words, tags.tolist()):
            if tag != MISSING:
                by_tag = counts.setdefault(word, {})
                by_tag[tag] = by_tag.get(tag, 0) + 1
                totals[tag] = totals.get(tag, 0) + 1
    common = max(totals, key=lambda tag: totals[tag])
    best = {word: max(by_tag, key=lambda tag: by_tag[tag]) for word, by_tag in counts.items()}
    pairs = [
        (best.get(word, common), tag)
        for words, tags in zip(data.dev.X, data.dev.Y)
        for word, tag in zip(words, tags.tolist())
        if tag != MISSING
    ]
    return sum(guess == tag for guess, tag in pairs) / max(len(pairs), 1)


def decode(scores: Any, kind: str) -> Any:
    """What a model says, as answers: numbers of classes (an array, or one for each sequence); a matrix of 0 and 1
    where each label has a score of its own; or the numbers themselves.

    scores: what the model gave.  kind: of the answers.

    >>> decode(numpy.array([[0.9, 0.1], [0.2, 0.8]]), "class")
    array([0, 1])
    """
    if kind == "sequence":
        return [item.argmax(axis=-1) for item in scores]
    if kind == "class":
        return scores.argmax(axis=-1)
    return scores if kind == "number" else (scores > 0.5).astype("float32")


__all__ = [
    "LOWER_IS_BETTER",
    "SCORES",
    "Scores",
    "baseline",
    "decode",
    "default_score",
    "is_bio",
    "known_scores",
    "most_frequent_baseline",
    "score_answers",
]
