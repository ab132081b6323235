"""Real corpora as spaCy Examples.

The folder is $THINC_SHARED/data, or shared/data beside the repository. Nothing here
imports thinc: the same programs run over any implementation of it.
"""

import csv
import gzip
import json
import os
from pathlib import Path

from spacy.tokens import Doc, Span
from spacy.training import Example

_ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("THINC_SHARED", _ROOT.parent / "shared")) / "data"


def _open(name):
    return gzip.open(DATA / name, "rt", encoding="utf8", newline="")


def _blocks(name):
    """Sentences of a column file: lists of field lists, without comments."""
    block = []
    with _open(name) as file:
        for line in file:
            line = line.rstrip("\r\n")
            if not line:
                if block:
                    yield block
                block = []
            elif "\t" in line:
                block.append(line.split("\t"))
    if block:
        yield block


def _groups(sentences, size, limit):
    sentences = list(sentences)[:limit]
    return [sentences[i : i + size] for i in range(0, len(sentences), size)]


def treebank(nlp, part, limit, per_doc=4):
    """UD English EWT: tags, morphology, lemmas, trees and sentence starts.

    Several sentences to a document, so that their borders have to be found.
    """
    examples = []
    sentences = _blocks(f"ud_english_ewt/en_ewt-ud-{part}.conllu.gz")
    for group in _groups(sentences, per_doc, limit):
        words, spaces, rest = [], [], []
        heads, starts = [], []
        for sentence in group:
            rows = [row for row in sentence if row[0].isdigit()]
            offset = len(words)
            for i, row in enumerate(rows):
                words.append(row[1])
                spaces.append("SpaceAfter=No" not in row[9])
                heads.append(offset + (int(row[6]) - 1 if row[6] != "0" else i))
                starts.append(i == 0)
                rest.append(row)
        reference = Doc(
            nlp.vocab,
            words=words,
            spaces=spaces,
            tags=[row[4] for row in rest],
            pos=[row[3] for row in rest],
            morphs=[row[5] if row[5] != "_" else "" for row in rest],
            lemmas=[row[2] for row in rest],
            heads=heads,
            deps=["ROOT" if row[6] == "0" else row[7] for row in rest],
        )
        examples.append(Example(Doc(nlp.vocab, words=words, spaces=spaces), reference))
    return examples


def raw_texts(part, limit, per_doc=2):
    """Untokenized text of the treebank, a few sentences each."""
    texts = []
    sentences = _blocks(f"ud_english_ewt/en_ewt-ud-{part}.conllu.gz")
    for group in _groups(sentences, per_doc, limit * per_doc):
        text = ""
        for sentence in group:
            for row in sentence:
                if row[0].isdigit():
                    text += row[1] + ("" if "SpaceAfter=No" in row[9] else " ")
            text = text.rstrip() + " "
        texts.append(text.rstrip())
    return texts


def _entity_examples(nlp, sentences, word, tag, per_doc, limit):
    examples = []
    for group in _groups(sentences, per_doc, limit):
        # A few lines of WNUT have no word.
        rows = [row for sentence in group for row in sentence if row[word].strip()]
        words = [row[word] for row in rows]
        examples.append(
            Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words, ents=[row[tag] for row in rows]))
        )
    return examples


def entities(nlp, part, limit=None):
    """UNER English EWT: PER, ORG, LOC. Parts: dev, test."""
    sentences = _blocks(f"uner_english_ewt/en_ewt-ud-{part}.iob2.gz")
    return _entity_examples(nlp, sentences, 1, 2, 3, limit)


def emerging_entities(nlp, part, limit=None):
    """WNUT 17: six types in social media. Parts: train, dev."""
    name = {"train": "wnut17train.conll.gz", "dev": "emerging.dev.conll.gz"}[part]
    return _entity_examples(nlp, _blocks(f"wnut17/{name}"), 0, 1, 1, limit)


def _text_example(nlp, text, cats):
    doc = nlp.make_doc(text)
    return Example(doc, _with_cats(doc.copy(), cats))


def _with_cats(doc, cats):
    doc.cats = cats
    return doc


def intents(nlp, part, classes, limit=None):
    """banking77: one of the first `classes` classes (by name) for each text."""
    with _open(f"banking77/{part}.csv.gz") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["category"] for row in rows})[:classes]
    rows = [row for row in rows if row["category"] in labels]
    # The file is sorted by class; every k-th row is a fair part of it.
    step = max(1, len(rows) // limit) if limit else 1
    return [
        _text_example(nlp, row["text"], {name: float(name == row["category"]) for name in labels})
        for row in rows[::step]
    ]


def _nlupp(domain):
    with _open(f"nlupp/{domain}.jsonl.gz") as file:
        return [json.loads(line) for line in file]


def multi_intents(nlp, test_folds=(16, 17, 18, 19), domain="hotels"):
    """nlupp: any number of intents for each text. -> (train, test)"""
    rows = _nlupp(domain)
    labels = sorted({name for row in rows for name in row.get("intents", ())})
    parts = ([], [])
    for row in rows:
        cats = {name: float(name in row.get("intents", ())) for name in labels}
        example = _text_example(nlp, row["text"], cats)
        parts[row["fold"] in test_folds].append(example)
    return parts


def slots(nlp, key, test_folds=(16, 17, 18, 19)):
    """nlupp: character spans of slot values, in doc.spans[key]. -> (train, test)"""
    parts = ([], [])
    for row in _nlupp("hotels") + _nlupp("banking"):
        doc = nlp.make_doc(row["text"])
        reference = doc.copy()
        spans = []
        for label, slot in row.get("slots", {}).items():
            span = reference.char_span(*slot["span"], label=label, alignment_mode="expand")
            if span is not None:
                spans.append(span)
        reference.spans[key] = spans
        if spans:
            parts[row["fold"] in test_folds].append(Example(doc, reference))
    return parts


# Pseudo-names (after Gale, Church and Schuetze 1992): two unrelated names share one
# alias, so that the linker has to read the sentence to know which of them is meant.
NAMES = [("Bush", "Google"), ("Enron", "Iraq"), ("US", "Houston"), ("Israel", "Texas")]


def mentions(nlp, part, limit=None):
    """EWT sentences with one of NAMES: an entity whose kb_id is Q_<name>."""
    known = {name for pair in NAMES for name in pair}
    examples = []
    for sentence in _blocks(f"ud_english_ewt/en_ewt-ud-{part}.conllu.gz"):
        words = [row[1] for row in sentence if row[0].isdigit()]
        places = [i for i, word in enumerate(words) if word in known]
        if len(places) != 1:
            continue
        docs = [Doc(nlp.vocab, words=words, sent_starts=[i == 0 for i in range(len(words))]) for _ in range(2)]
        i = places[0]
        docs[0].ents = [Span(docs[0], i, i + 1, label="NAME")]
        docs[1].ents = [Span(docs[1], i, i + 1, label="NAME", kb_id=f"Q_{words[i]}")]
        examples.append(Example(*docs))
    return examples[:limit]
