"""The parts of spaCy's own tests that reach this library, under two thincs, compared.

    python suite.py OURS [REFERENCE]      (each the python of an environment)

A test that fails under both says nothing about us; it is listed. Exit status 1 when one
fails, or is missing, under OURS alone. Without REFERENCE every failure counts.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

PARTS = [
    "spacy.tests.pipeline",
    "spacy.tests.training",
    "spacy.tests.serialize",
    "spacy.tests.parser",
    "spacy.tests.vocab_vectors",
    "spacy.tests.test_language",
    "spacy.tests.test_models",
    "spacy.tests.test_misc",
    "spacy.tests.test_scorer",
    "spacy.tests.test_cli_app",
]
# Need the network.
ONLINE = ["project_clone", "project_assets", "project_git", "project_push_pull"]


def start(python, folder):
    # A directory of its own: no configuration file and no thinc beside it may be seen.
    where = "import spacy, pathlib; print(pathlib.Path(spacy.__file__).parents[1])"
    root = subprocess.check_output([python, "-P", "-c", where], text=True).strip()
    offline = " and ".join(f"not {name}" for name in ONLINE)
    command = [python, "-P", "-m", "pytest", "-q", "-k", offline]
    command += ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", root]
    command += [f"--junitxml={folder}/result.xml", "--pyargs", *PARTS]
    log = open(folder / "log.txt", "w", encoding="utf8")
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def outcome(folder):
    """-> (names of all tests, number skipped, name -> report of those that failed)"""
    path = folder / "result.xml"
    if not path.exists():
        raise SystemExit(f"pytest did not finish:\n{(folder / 'log.txt').read_text()}")
    cases = list(ElementTree.parse(path).iter("testcase"))
    names = [f"{case.attrib['classname']}::{case.attrib['name']}" for case in cases]
    failed = {}
    for name, case in zip(names, cases):
        for node in (*case.iter("failure"), *case.iter("error")):
            failed[name] = node.text or ""
    skipped = sum(case.find("skipped") is not None for case in cases)
    return set(names), skipped, failed


def main(pythons):
    folders = [Path(tempfile.mkdtemp(prefix="spacy-suite-")) for _ in pythons]
    runs = [start(python, folder) for python, folder in zip(pythons, folders)]
    for run in runs:
        run.wait()
    results = [outcome(folder) for folder in folders]
    for label, (names, skipped, failed) in zip(("ours", "reference"), results):
        print(f"{label}: {len(names)} tests, {skipped} skipped, {len(failed)} failed")
    names, _, ours = results[0]
    all_names, _, theirs = results[-1] if len(results) > 1 else (names, 0, {})
    for name in sorted(ours.keys() & theirs.keys()):
        print(f"fails under both: {name}")
    for name in sorted(theirs.keys() - ours.keys()):
        print(f"fails under the reference only: {name}")
    missing = sorted(all_names - names)
    for name in missing:
        print(f"MISSING {name}")
    alone = sorted(ours.keys() - theirs.keys())
    for name in alone:
        print(f"FAIL {name}\n{ours[name][-3000:]}")
    return bool(alone or missing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
