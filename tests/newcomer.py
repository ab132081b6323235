"""What a newcomer types, and what comes: a table of command, exit code, and a line that says what is wrong and where.

Each row runs in a folder with the small files that `make_files` writes, in one process, through `main`. No row may
show a traceback, and an error is one line on standard error. Rows that need a terminal, a pipe or a signal are in
tests/cli/test_terminals.py.
"""

import gzip
import json
import shutil
import struct

import numpy
import pytest

from thinc.cli import main
from thinc.training import read_archive, write_archive

N = 40
SMALL = "--training.max_epochs=1 --training.batch_size=8 --model.*.linear.length=512"

TAGGER = """\
[corpus]
@datasets = "conllu.v1"
path = "t.conllu"

[model]
@layers = "chain.v1"

[model.*.features]
@layers = "token_features.v1"

[model.*.tag]
@layers = "with_array.v1"

[model.*.tag.layer]
@layers = "chain.v1"

[model.*.tag.layer.*.embed]
@layers = "HashEmbed.v1"
nO = 8
nV = 50
column = 0
dropout = 0.1

[model.*.tag.layer.*.output]
@layers = "Softmax.v1"
nI = 8

[optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02

[training]
batch_size = 4
max_epochs = 1

[training.loss]
@losses = "cross_entropy.v1"
"""


def conllu(n=N):
    lines = ["# newdoc"]
    for i in range(n):
        lines += [f"{k + 1}\tw{(i + k) % 8}\t_\t{'ABCD'[(i + k) % 4]}" + "\t_" * 6 for k in range(3)] + [""]
    return "\n".join(lines) + "\n"


def rows(n=N):
    return [(f"{'good' if i % 2 else 'bad'} thing {i % 7}", "POS" if i % 2 else "NEG") for i in range(n)]


def table(rows, header="text,category", sep=","):
    return "\n".join([header, *(sep.join(row) for row in rows)]) + "\n"


def idx(*shape, data=None):
    size = int(numpy.prod(shape))
    return struct.pack(f">BBBB{len(shape)}i", 0, 0, 8, len(shape), *shape) + (data or bytes(i % 7 for i in range(size)))


def make_files(folder):
    """Everything that the rows name."""
    files = {
        "tags.cfg": TAGGER,
        "t.conllu": conllu(),
        "t.csv": table(rows()),
        "semicolon.csv": table(rows(), "text;category", ";"),
        "bom.csv": b"\xef\xbb\xbf" + table(rows()).encode(),
        "odd.csv": table([*rows(), ("odd", " thing 7", "ODD")]),
        "quote.csv": table([*rows(5), ('"open', "NEG"), *rows(5)]),
        "twice.csv": table([(*row, "x") for row in rows()], "text,text,category"),
        "empty_label.csv": table([*rows(), ("one more", "")]),
        "one_label.csv": table([("a thing", "POS")] * 30),
        "blanks.csv": table([(f"{text} ", f" {label} ") for text, label in rows()]),
        "header.csv": "text,category\n",
        "empty": "",
        "latin.csv": table([("cafß", "POS")] * 9).encode("latin-1"),
        "utf16.csv": table(rows()).encode("utf-16"),
        "cr.txt": "one\rtwo\nthree\n",
        "nul.txt": "one\0two\n",
        "three.txt": "good thing\n\nbad thing\n",
        "numbers.csv": table([(text, str(i % 5)) for i, (text, _) in enumerate(rows())], "text,score"),
        "words.csv": table([(text, "many") for text, _ in rows()], "text,score"),
        "t.jsonl": "".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in rows()),
        "bad.jsonl": '{"text": "a", "label": "x"}\n{"text": "b", "label": ["x"]}\n',
        "broken.jsonl": '{"text": "a", "label": "x"}\n{"text": \n',
        "twice.jsonl": '{"text": "a", "text": "b", "label": "x"}\n',
        "several.jsonl": "".join(json.dumps({"text": t, "labels": [label, "ANY"]}) + "\n" for t, label in rows()),
        "bio.tsv": "".join(f"w{i % 5}\t{'B-X' if i % 5 == 0 else 'O'}\n{'' if i % 3 else chr(10)}" for i in range(99)),
        "short.tsv": "a\tO\nb\n",
        "short.conllu": "# c\n1\tde\tX\n",
        "images": idx(20, 4, 4),
        "labels": idx(20),
        "labels.19": idx(19),
        "negative": struct.pack(">BBBB3i", 0, 0, 8, 3, -30, -4, 4),
        "huge": struct.pack(">BBBB4i", 0, 0, 8, 4, *[65536] * 4),
        "nodims": bytes([0, 0, 8, 0]) + b"x",
        "manydims": bytes([0, 0, 8, 65]) + b"x" * 300,
        "ended": idx(20, 4, 4)[:9],
        "nopixels": struct.pack(">BBBB3i", 0, 0, 8, 3, 30, 0, 0),
        "good.gz": gzip.compress(table(rows()).encode(), mtime=0),
        "notgz.csv.gz": table(rows()),
        "mod.py": "import os\n\ndef f(x):\n    return os.path(x)\n",
        "broken.py": "def f(:\n",
        "code.py": CODE,
        "raises.py": "import os\n\n1 / 0\n",
        "mine.cfg": TAGGER.replace("Softmax.v1", "my_softmax.v1"),
        "noblock.cfg": TAGGER.replace('[model.*.features]\n@layers = "token_features.v1"', "[model.*.features]"),
        "missing.cfg": TAGGER.replace("[model.*.features]", "[model.*.x.*.features]"),
        "dollar.cfg": TAGGER.replace('path = "t.conllu"', 'path = "$t"'),
        "twice.cfg": TAGGER.replace("batch_size = 4", "batch_size = 4\nbatch_size = 5"),
        "quotes.cfg": TAGGER.replace('"t.conllu"', "'t.conllu'"),
        "nosection.cfg": "a = 1\n",
        "latin.cfg": ("# ß\n" + TAGGER).encode("latin-1"),
        "text.cfg": "This is not a config.\n",
        "wide.cfg": TAGGER.replace("nI = 8", "nI = 9"),
        "bounds.cfg": TAGGER.replace("batch_size = 4", "batch_size = 0"),
        "keys.cfg": TAGGER.replace("batch_size", "batch_sise"),
        "names.cfg": TAGGER.replace("Adam.v1", "Adm.v1"),
        "model.cfg": '[model]\n@layers = "Relu.v1"\nnO = 4\n',
        "five.cfg": TAGGER.replace("nI = 8", "nI = 8\nnO = 5"),
    }
    files["flipped.csv.gz"] = files["good.gz"][:30] + bytes([files["good.gz"][30] ^ 0xFF]) + files["good.gz"][31:]
    files["cut.csv.gz"] = files["good.gz"][:-9]
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    for label in ("NEG", "POS"):
        (folder / "tree" / label).mkdir(parents=True)
        for i in range(12):
            (folder / "tree" / label / f"{i}.txt").write_text(f"{label.lower()} thing {i}\n")


CODE = """\
from thinc.api import Softmax, registry

@registry.layers("my_softmax.v1")
def my_softmax(nI: int):
    return Softmax(nI=nI)
"""

TEXT = f"train textcat {SMALL} --corpus.path="
IMAGES = "train images --training.max_epochs=1 --corpus.path={} --corpus.labels_path={} "
IMAGES += "--corpus.dev_path=images --corpus.dev_labels_path=labels"

# (what is typed, exit code, what the one line says; for a success, what the output holds). "text" and "tags" are
# trained runs.
TABLE = [
    # the command
    ("", 0, "exit codes:"),
    ("--help", 0, "examples:"),
    ("train --help", 0, "--section.key=value"),
    ("evaluate --help", 0, "exit codes:"),
    ("predict --help", 0, "examples:"),
    ("trian", 2, "invalid choice: 'trian'"),
    ("train", 2, "which config? A file, or one of attention"),
    ("train tager", 2, "Did you mean 'tagger'"),
    ("train xyzzy", 2, "Those that come with thinc: attention, bilstm"),
    ("train tags.cfg --verbose", 2, "unknown argument --verbose"),
    ("train tags.cfg --resume", 2, "--resume needs --output"),
    ("train tags.cfg --resume --output none", 2, "no run to go on with in none"),
    ("train tags.cfg --resume --overwrite --output tags", 2, "keep one"),
    ("train tags.cfg --output t.csv", 2, "t.csv is a file, expected a folder"),
    ("train tags.cfg --output tags", 2, "tags holds a run of 1 epoch (100.00 %): --resume, --overwrite or another"),
    ("train tags.cfg --output .", 0, "Saved in ."),
    ("train tags.cfg --checkpoint-every -1 --output x", 2, "--checkpoint-every: expected a number of steps"),
    ("train tags.cfg --checkpoint-every 3", 2, "need --output"),
    ("train tags.cfg --corpus.limit", 2, "--corpus.limit has no value"),
    ("train tags.cfg --corpus.limit=3 --corpus.limit=4", 2, "--corpus.limit is given twice"),
    ("train tags.cfg --trainig.max_epochs=1", 2, "no section [trainig]. Did you mean 'training'"),
    ("info --a.b=1", 2, "--a.b: this command takes no overrides"),
    ("train tags.cfg", 0, "Nothing will be kept: there is no --output"),
    # the config
    ("train tags.cfg --training.max_epoch=3", 2, "--training.max_epoch: [training] max_epoch = 3: unknown key. Did"),
    ("train tags.cfg --training.batch_size=0", 2, "expected a number of at least 1"),
    ("train tags.cfg --optimizer.learn_rate=1e3", 2, "learn_rate = 1000.0: expected a number from 0 to 10"),
    ("train tags.cfg --optimizer.learn_rate=NaN", 2, "learn_rate"),
    ("train tags.cfg --optimizer.learn_rate=fast", 2, "--optimizer.learn_rate: [optimizer]"),
    ("train tags.cfg --model.*.tag.layer.*.embed.dropout=1.5", 2, "dropout = 1.5: expected a number from 0 to 1"),
    ('train tags.cfg --model.*.tag.layer.*.embed.nO="96"', 2, "nO = '96': expected a whole number"),
    ("train tags.cfg --corpus.tag=pos", 2, "expected one of upos"),
    ("train tags.cfg --training.score=span_f", 2, "this corpus has accuracy"),
    ("train tags.cfg --training.score=acuracy", 2, "Did you mean 'accuracy'"),
    ("train nowhere.cfg", 2, "there is no config nowhere.cfg"),
    ("train empty", 2, "empty is empty, expected a config"),
    (
        "train noblock.cfg",
        2,
        "noblock.cfg, line 8: [model.*.features] names no function: it needs a line such as @layers",
    ),
    ("train missing.cfg", 2, "missing.cfg: a section lies below one that is missing"),
    ("train dollar.cfg", 2, "dollar.cfg: not a config: '$' must be followed"),
    ("train twice.cfg", 2, "twice.cfg, line 34: not a config: option 'batch_size'"),
    ("train quotes.cfg", 2, "quotes.cfg: not a config"),
    ("train nosection.cfg", 2, "nosection.cfg, line 1: not a config"),
    ("train text.cfg", 2, "text.cfg, line 1: not a config"),
    ("train latin.cfg", 2, "latin.cfg, line 1: byte 0xdf is not UTF-8"),
    (
        "train wide.cfg",
        2,
        "wide.cfg, line 14: [model.*.tag.layer] chain: layer 'ints-getitem>>hashembed' (0) gives nO=8",
    ),
    ("train five.cfg", 2, "nO"),
    ("train ./labels", 2, "labels, line 1: a NUL character: this is no text"),
    ("train conllu", 2, "conllu, line 3: [corpus] conllu.v1 needs the argument path: --corpus.path=…"),
    # configs by themselves
    ("config", 2, "the following arguments are required: check|fill|diff|schema"),
    ("config chekc tags.cfg", 2, "invalid choice: 'chekc'"),
    ("config check tager", 2, "Did you mean 'tagger'"),
    ("config check tagger", 0, "tagger: nothing is wrong"),
    ("config check tags.cfg", 0, "tags.cfg: nothing is wrong"),
    ("config check five.cfg --model.*.tag.layer.*.output.nO=0", 2, "nO = 0: expected a number of at least 1"),
    ("config check bounds.cfg", 2, "bounds.cfg:33:1: [training] batch_size = 0: expected a number of at least 1"),
    ("config check keys.cfg", 2, "keys.cfg:33:1: [training] batch_sise = 4: unknown key. Did you mean 'batch_size'"),
    (
        "config check names.cfg",
        2,
        "names.cfg:29:1: [optimizer] @optimizers = 'Adm.v1': no such name is registered. Did",
    ),
    ("config check wide.cfg", 2, "wide.cfg:14:1: [model.*.tag.layer] chain: layer 'ints-getitem>>hashembed' (0)"),
    ("config check twice.cfg", 2, "twice.cfg:34:1: not a config: option 'batch_size'"),
    ("config check missing.cfg", 2, "missing.cfg: a section lies below one that is missing"),
    ("config check mine.cfg", 2, "'my_softmax.v1': no such name is registered"),
    ("config check model.cfg", 0, "model.cfg: nothing is wrong"),
    ("config check model.cfg --model.nO=many", 2, "--model.nO: [model] nO = 'many': expected a whole number"),
    ("config check empty", 2, "empty is empty, expected a config"),
    ("config fill model.cfg", 0, "normalize = false"),
    ("config fill tags.cfg --training.seed=5", 0, "seed = 5"),
    ("config fill tags.cfg --output none/x.cfg", 1, "No such file or directory"),
    ("config fill conllu", 2, "conllu, line 3: [corpus] conllu.v1 needs the argument path: --corpus.path=…"),
    ("config diff tags.cfg five.cfg", 0, "model.*.tag.layer.*.output.nO = null -> 5"),
    ("config diff tags.cfg", 0, "bilstm -> tags.cfg"),
    ("config diff tags.cfg tags.cfg", 0, "The same values."),
    ("config diff tags.cfg tags.cfg --training.seed=1", 2, "config diff takes no overrides"),
    ("config diff tags.cfg none.cfg", 2, "there is no config none.cfg"),
    ("config schema", 0, '"$schema"'),
    # code of one's own
    ("train mine.cfg", 2, "'my_softmax.v1': no such name is registered"),
    ("config check mine.cfg --code code.py", 0, "mine.cfg: nothing is wrong"),
    ("train mine.cfg --code code.py --output mine", 0, "Saved in mine"),
    ("train mine.cfg --code none.py", 2, "There is no file none.py"),
    ("train mine.cfg --code broken.py", 2, "broken.py, line 1: SyntaxError"),
    ("train mine.cfg --code raises.py", 2, "raises.py, line 3: ZeroDivisionError"),
    # tables and JSON lines
    (TEXT + "t.csv", 0, "held out: 4 of 40 examples"),
    (TEXT + "bom.csv", 0, "36 training"),
    (TEXT + "good.gz", 0, "36 training"),
    (TEXT + "blanks.csv", 0, "2 labels"),
    (TEXT + "semicolon.csv --corpus.delimiter=;", 0, "36 training"),
    (TEXT + "semicolon.csv", 1, "no column 'text'; the header has text;category. Is the delimiter ';'?"),
    (TEXT + "odd.csv", 1, "odd.csv, line 42: expected 2 fields as in the header, got 3"),
    (TEXT + "quote.csv", 1, "quote.csv, line 7: not a row of a table"),
    (TEXT + "twice.csv", 1, "twice.csv, line 1: the header has 'text' twice"),
    (TEXT + "empty_label.csv", 1, "empty_label.csv, line 42: there is no label"),
    (TEXT + "header.csv", 1, "header.csv: there are no texts in it"),
    (TEXT + "empty", 1, "empty is empty, expected a table"),
    (TEXT + "latin.csv", 1, "latin.csv, line 2: byte 0xdf is not UTF-8"),
    (TEXT + "latin.csv --corpus.encoding=latin-1", 0, "1 labels"),
    (TEXT + "latin.csv --corpus.encoding=klingon", 1, "there is no encoding 'klingon'"),
    (TEXT + "utf16.csv", 1, "utf16.csv is UTF-16, expected UTF-8"),
    (TEXT + "nowhere.csv", 1, "There is no file nowhere.csv"),
    (TEXT + "tree", 1, "tree is a folder, expected a file"),
    (TEXT + "flipped.csv.gz", 1, "flipped.csv.gz is a damaged gzip file"),
    (TEXT + "cut.csv.gz", 1, "cut.csv.gz is a damaged gzip file"),
    (TEXT + "notgz.csv.gz", 1, "notgz.csv.gz is no gzip file"),
    (TEXT + "t.csv --corpus.held_out=2", 2, "held_out is 2"),
    (f"train jsonl {SMALL} --corpus.path=t.jsonl", 0, "36 training"),
    (f"train jsonl {SMALL} --corpus.path=bad.jsonl", 1, "bad.jsonl, line 2: expected a label, got ['x']"),
    (f"train jsonl {SMALL} --corpus.path=broken.jsonl", 1, "broken.jsonl, line 2: not a line of JSON"),
    (
        f"train jsonl {SMALL} --corpus.path=twice.jsonl",
        1,
        "twice.jsonl, line 1: not a line of JSON: a key stands twice",
    ),
    (f"train labels {SMALL} --corpus.path=several.jsonl", 0, "Best micro f"),
    (f"train number {SMALL} --corpus.path=numbers.csv", 0, "Best r2"),
    (f"train number {SMALL} --corpus.path=words.csv", 1, "words.csv, line 2: expected a number as the answer"),
    (f"train folders {SMALL} --corpus.path=tree", 0, "2 labels"),
    (f"train folders {SMALL} --corpus.path=t.csv", 1, "t.csv is no folder"),
    # tagged words
    ("train bio --training.max_epochs=1 --corpus.path=bio.tsv", 0, "Best span f"),
    ("train bio --training.max_epochs=1 --corpus.path=short.tsv", 1, "short.tsv, line 2: expected 2 columns"),
    (
        "train tags.cfg --corpus.path=short.conllu",
        1,
        "short.conllu, line 2: expected 10 columns divided by tabs, got 3",
    ),
    ("train tags.cfg --corpus.path=empty", 1, "empty: there are no words in it"),
    # images
    (IMAGES.format("images", "labels"), 0, "7 labels"),
    (IMAGES.format("labels", "labels"), 1, "labels: an IDX file of 1 dimensions, expected 2 or 3: is it the file of"),
    (IMAGES.format("images", "images"), 1, "images: an IDX file of 3 dimensions, expected 1: is it the file of the"),
    (IMAGES.format("images", "labels.19"), 1, "20 images, but 19 labels"),
    (IMAGES.format("negative", "labels"), 1, "negative: the header says (-30, -4, 4)"),
    (IMAGES.format("huge", "labels"), 1, "huge: an IDX file of 4 dimensions"),
    (IMAGES.format("nodims", "labels"), 1, "nodims: an IDX file of 0 dimensions"),
    (IMAGES.format("manydims", "labels"), 1, "manydims: an IDX file of 65 dimensions"),
    (IMAGES.format("ended", "labels"), 1, "ended: the file ends within its header of 16 bytes"),
    (IMAGES.format("nopixels", "labels"), 1, "nopixels: the header says (30, 0, 0)"),
    (IMAGES.format("t.csv", "labels"), 1, "t.csv: not an IDX file of bytes"),
    # predict
    ("predict tags three.txt", 0, "good/"),
    ("predict tags t.conllu --conllu", 0, "1\tw0\t_\tA\t_"),
    ("predict tags t.csv", 1, "t.csv: a tagger does not read a table file"),
    ("predict tags bio.tsv --json", 0, '"words": ["w0", '),
    ("predict tags t.conllu --as text", 1, "this looks like CoNLL-U"),
    ("predict tags latin.csv --as text", 1, "latin.csv, line 2: byte 0xdf"),
    ("predict tags labels", 1, "labels"),
    ("predict tags nul.txt", 1, "nul.txt, line 1: a NUL character"),
    ("predict tags cr.txt", 1, "cr.txt, line 1: a carriage return"),
    ("predict tags nothing.txt", 1, "There is no file nothing.txt"),
    ("predict tags tree", 1, "tree is a folder"),
    ("predict text three.txt", 0, "\tgood thing\n\n"),
    ("predict text t.csv --json", 0, '{"text": "bad thing 0", "label": '),
    ("predict text t.conllu", 1, "t.conllu: texts are not read from a CoNLL-U file"),
    ("predict text three.txt --conllu", 2, "labels whole inputs"),
    ("predict text semicolon.csv --corpus.delimiter=;", 0, "\tbad thing 0"),
    ("predict text three.txt --model.*.features.ngram_size=3", 2, "cannot act here"),
    ("predict text three.txt --training.seed=3", 2, "cannot act here"),
    ("predict text three.txt --corpus.path=x", 2, "cannot act here"),
    ("predict none three.txt", 1, "There is no run none"),
    ("predict tree three.txt", 1, "tree holds no trained model: there is no model.bin"),
    ("predict python mod.py", 0, "os\t"),
    ("predict python broken.py", 1, "broken.py, line 1: not Python"),
    # evaluate
    ("evaluate tags", 0, "accuracy 100.00 % on 12 words"),
    ("evaluate tags t.conllu --labels", 0, "precision"),
    ("evaluate text t.csv --json", 0, '"macro_f": '),
    ("evaluate text t.jsonl", 1, "t.jsonl, line 1: there is no column 'text'"),
    ("evaluate text --optimizer.learn_rate=1", 2, "only [corpus] can be overridden"),
    ("evaluate none", 1, "There is no run none"),
    # a run that goes on
    ("train --resume --output tags", 0, "Nothing is left to do: 1 epochs are done"),
    ("train --resume --output tags --training.max_epochs=3", 0, "epoch   3"),
    ("train --resume --output tags --model.*.tag.layer.*.embed.nV=60", 2, "nV was 50 and cannot become 60"),
    ("train --resume --output tags --corpus.path=short.conllu", 1, "short.conllu, line 2"),
    ("train --resume --output tags --corpus.limit=9", 2, "the corpus is not the one that the run began with"),
    ("train --resume --output tags --training.seed=1", 2, "training.seed was 0 and cannot become 1"),
]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The files, and three trained runs."""
    folder = tmp_path_factory.mktemp("newcomer")
    make_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        text = f"train textcat --corpus.path=t.csv {SMALL} --training.max_epochs=5 --output text"
        assert main(text.replace("--training.max_epochs=1 ", "").split()) == 0
        assert main("train tags.cfg --output tags --optimizer.learn_rate=0.2".split()) == 0
        assert main("train tagger --corpus.limit=6 --training.max_epochs=1 --output python".split()) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def call(line, capsys):
    """(exit code, standard output, standard error) of a command, as the shell would see it."""
    capsys.readouterr()
    try:
        code = main(line.split())
    except SystemExit as e:  # --help
        code = e.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def check(line, expected_code, text, code, out, err):
    assert code == expected_code, (code, out, err)
    assert "Traceback" not in out + err
    if expected_code == 0:
        assert text in out, out
    else:
        complaint = [row for row in err.splitlines() if not row.startswith("Warning: ")]
        assert len(complaint) == 1 and text in complaint[0], err
        name = line.split()[0]
        assert complaint[0].startswith(f"thinc {name}: ") or name == "trian"


@pytest.mark.parametrize("line,code,text", TABLE, ids=[row[0][:60] or "nothing" for row in TABLE])
def test_newcomer(folder, capsys, line, code, text):
    check(line, code, text, *call(line, capsys))


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def change(part, new):
    def apply(path):
        parts = read_archive(path)
        parts[part] = new(parts[part])
        write_archive(path, parts)

    return apply


# (which file of the run, how it is damaged, what is typed, what the line says)
DAMAGES = {
    "model cut": ("model.bin", lambda p: p.write_bytes(p.read_bytes()[:-40]), "is damaged"),
    "model empty": ("model.bin", lambda p: p.write_bytes(b""), "is damaged"),
    "model flipped": ("model.bin", lambda p: p.write_bytes(flip(p.read_bytes(), p.stat().st_size // 2)), "is damaged"),
    "model of msgpack": ("model.bin", lambda p: p.write_bytes(b"\x84\xa5nodes\x90"), "is damaged"),
    "labels for two": ("labels.json", lambda p: p.write_text('["A", "B", "C"]'), "labels.json differs"),
    "labels a text": ("labels.json", lambda p: p.write_text('"XY"'), "labels.json differs"),
    "config changed": ("config.cfg", lambda p: p.write_text("[corpus]\n"), "config.cfg differs"),
    "labels within": ("model.bin", change("labels.json", lambda _: b'["A", "A"]'), "differs"),
    "weights of another": ("model.bin", change("weights.bin", lambda _: b"\x80"), "the weights do not fit"),
    "no labels": ("model.bin", change("run.json", lambda _: b"{}"), "cannot read"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_runs_are_refused(folder, capsys, name):
    file, damage, text = DAMAGES[name]
    damage(folder / "text" / file)
    for command in ("predict text three.txt", "evaluate text t.csv"):
        check(command, 1, text, *call(command, capsys))


@pytest.mark.parametrize("within", [b'["A", "B", "C"]', b'"XY"', b"[null, null]", b'["A", "A"]', b"[]x"])
def test_labels_are_not_believed(folder, capsys, within):
    """Even where the container itself was written anew."""
    change("labels.json", lambda _: within)(folder / "text" / "model.bin")
    (folder / "text" / "labels.json").unlink()
    code, out, err = call("predict text three.txt", capsys)
    assert code == 1 and "label" in err or "no file of a run" in err, (out, err)


def test_a_checkpoint_of_another_version_is_refused(folder, capsys):
    import srsly

    def without(state):
        message = srsly.msgpack_loads(state)
        message["progress"].pop("items")
        return srsly.msgpack_dumps(message)

    def more(state):
        message = srsly.msgpack_loads(state)
        message["progress"]["extra"] = 1
        return srsly.msgpack_dumps(message)

    path, line = folder / "tags" / "checkpoint.bin", "train --resume --output tags --training.max_epochs=2"
    before = path.read_bytes()
    for edit in (without, more):
        path.write_bytes(before)
        change("state", edit)(path)
        check(line, 1, "was written by another version of thinc", *call(line, capsys))
    for damaged in (before[:-30], b"", b"junk", flip(before, len(before) // 2)):
        path.write_bytes(damaged)
        check(line, 1, "is not a checkpoint of thinc train", *call(line, capsys))


def test_every_command_has_a_help_page(capsys):
    from thinc.cli import COMMANDS

    for name, command in COMMANDS.items():
        code, out, _ = call(f"{name} --help", capsys)
        assert code == 0 and "exit codes:" in out and "examples:" in out and "usage:" in out
        assert command.summary and command.examples


def test_a_bug_of_ours_has_a_code_of_its_own(folder, capsys, monkeypatch):
    from thinc.cli import COMMANDS

    def broken(args, overrides):
        raise AssertionError("who\nwould have thought")

    monkeypatch.setattr(COMMANDS["info"], "run", broken)
    check("info", 70, "a bug of thinc: AssertionError: who would have thought", *call("info", capsys))
    _, _, err = call("info --traceback", capsys)
    assert "Traceback" in err
