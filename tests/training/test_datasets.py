"""The corpora of the command line, on small files written here."""

import gzip
import struct

import numpy
import pytest

from thinc.api import registry
from thinc.training import MISSING, DatasetError, Source, most_frequent_baseline, tag_python
from thinc.training.readers import read_conllu, read_idx


def conllu_text(sentences):
    lines = ["# a comment"]
    for words in sentences:
        for i, (word, tag) in enumerate(words, 1):
            lines.append(f"{i}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_")
        lines.append("")
    return "\n".join(lines) + "\n"


def write(path, text):
    data = text.encode("utf8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


SENTENCES = [[("the", "DET"), ("cat", "NOUN")], [("cats", "NOUN"), ("sleep", "VERB")]]


@pytest.mark.parametrize("name", ["train.conllu", "train.conllu.gz"])
def test_conllu(tmp_path, name):
    path = write(tmp_path / name, conllu_text(SENTENCES))
    dev = write(tmp_path / "dev.conllu", conllu_text([[("cat", "X"), ("the", "_")]]))
    corpus = registry.datasets.get("conllu.v1")(path, dev)
    corpus.check()
    data = corpus.read()
    assert data.labels == ["DET", "NOUN", "VERB"] and data.sequences
    assert data.train.X == [["the", "cat"], ["cats", "sleep"]]
    assert [y.tolist() for y in data.train.Y] == [[0, 1], [1, 2]]
    # A tag that training never saw is a class of its own, no tag is none.
    assert data.dev.Y[0].tolist() == [3, MISSING]


def test_conllu_leaves_out_multiword_tokens_and_empty_nodes(tmp_path):
    path = tmp_path / "x.conllu"
    row = "\t_" * 8
    path.write_text(f"1-2\tdu{row}\n1\tde{row}\n1.1\tx{row}\n2\tle{row}", encoding="utf8")
    assert read_conllu(path, 3) == [(["de", "le"], [None, None])]


def test_conllu_names_the_line_that_is_wrong(tmp_path):
    path = tmp_path / "x.conllu"
    path.write_text("# c\n1\tde\tX\n")
    with pytest.raises(DatasetError, match="line 2: expected 10 columns.*got 3"):
        read_conllu(path, 3)


def test_conllu_refuses_an_unknown_column():
    with pytest.raises(DatasetError, match="tag is 'pos', expected one of upos, xpos"):
        registry.datasets.get("conllu.v1")("x", tag="pos")


def test_missing_and_empty_files(tmp_path):
    corpus = registry.datasets.get("conllu.v1")(str(tmp_path / "none.conllu"))
    with pytest.raises(DatasetError, match="no file .*none.conllu"):
        corpus.check()
    empty = write(tmp_path / "empty.conllu", "")
    with pytest.raises(DatasetError, match="no words in it"):
        registry.datasets.get("conllu.v1")(empty).read()


SOURCE = """\
import os.path
class A:
    def f(self, x=1):
        y = x + os.sep
        self.z = g(y, key=y)
        return y.strip()
LIMIT = 3
"""


def test_roles_of_names():
    named = [
        (word, role) for words, roles in tag_python(SOURCE) for word, role in zip(words, roles) if role is not None
    ]
    assert named == [
        ("os", "import"),
        ("path", "import"),
        ("A", "class"),
        ("f", "function"),
        ("self", "argument"),
        ("x", "argument"),
        ("y", "local_write"),
        ("x", "local_read"),
        ("os", "global_read"),
        ("sep", "attribute"),
        ("self", "local_read"),
        ("z", "attribute_write"),
        ("g", "call"),
        ("y", "local_read"),
        ("key", "keyword_argument"),
        ("y", "local_read"),
        ("y", "local_read"),
        ("strip", "method_call"),
        ("LIMIT", "global_write"),
    ]


def test_names_after_other_alphabets_are_found():
    ((words, roles),) = tag_python("ä = 'ü'; f(ä)\n")
    assert dict(zip(words, roles))["f"] == "call"


def test_python_source_is_the_same_each_time():
    corpus = registry.datasets.get("python_source.v1")(limit=12)
    first, second = corpus.read(), corpus.read()
    assert first.labels == second.labels
    assert first.train.X == second.train.X
    assert all(numpy.array_equal(a, b) for a, b in zip(first.dev.Y, second.dev.Y))
    held_out = {" ".join(words) for words in first.dev.X if len(words) > 30}
    assert not held_out & {" ".join(words) for words in first.train.X}
    assert 0.2 < most_frequent_baseline(first) < 0.8


def test_baseline_counts_by_hand(tmp_path):
    train = [[("a", "X"), ("a", "X"), ("a", "Y"), ("b", "Y")]]
    dev = [[("a", "X"), ("b", "X"), ("c", "X"), ("d", "_")]]
    data = registry.datasets.get("conllu.v1")(
        write(tmp_path / "t.conllu", conllu_text(train)), write(tmp_path / "d.conllu", conllu_text(dev))
    ).read()
    # a is X, b is Y, an unseen word the commonest: X and Y tie, and X came first.
    assert most_frequent_baseline(data) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_csv_text(tmp_path, name):
    path = write(tmp_path / name, 'text,category\n"one, \ntwo",b\nthree,a\n')
    dev = write(tmp_path / "d.csv", "category,text\nc,four\n")
    data = registry.datasets.get("csv_text.v1")(path, dev).read()
    assert data.labels == ["a", "b"] and not data.sequences
    assert data.train.X == ["one, \ntwo", "three"]
    assert data.train.Y.tolist() == [1, 0] and data.dev.Y.tolist() == [2]


def test_csv_text_names_the_missing_column(tmp_path):
    path = write(tmp_path / "t.csv", "txt,category\nx,y\n")
    with pytest.raises(DatasetError, match="no column 'text'; the header has txt, category"):
        registry.datasets.get("csv_text.v1")(path).read()


def idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype("uint8").tobytes())
    return str(path)


def test_idx_images(tmp_path):
    images = numpy.arange(2 * 3 * 3).reshape((2, 3, 3))
    files = [
        idx(tmp_path / "a", images),
        idx(tmp_path / "b", numpy.array([0, 2])),
        idx(tmp_path / "c", images[:1]),
        idx(tmp_path / "d", numpy.array([1])),
    ]
    corpus = registry.datasets.get("idx_images.v1")(*files)
    data = corpus.read()
    assert data.labels == ["0", "1", "2"]
    assert data.train.X.dtype == "float32"
    assert numpy.allclose(data.train.X, images.reshape((2, 9)) / 255)
    assert numpy.allclose(corpus.parse(Source.read(tmp_path / "c"), "").items, images.reshape((2, 9))[:1] / 255)
    short = registry.datasets.get("idx_images.v1")(files[0], files[3], *files[2:])
    with pytest.raises(DatasetError, match="2 images, but 1 labels"):
        short.read()


@pytest.mark.parametrize("data", [b"", b"\0\0\x0d\x01" + bytes(8), b"\0\0\x08\x01\0\0\0\x05ab"])
def test_idx_refuses_other_files(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(DatasetError):
        read_idx(tmp_path / "x")


def test_digits():
    pytest.importorskip("sklearn")
    data = registry.datasets.get("digits.v1")().read()
    assert data.train.X.shape[1] == 64 and len(data.train) + len(data.dev) == 1797
    assert data.train.X.max() == 1.0 and len(data.labels) == 10
