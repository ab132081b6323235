"""What the unmodified spaCy wheel needs from a thinc it was not built against.

    python abi.py

Sizes, vtables and capsule names that its compiled modules look up; the modules import
without a warning; the installed package satisfies its requirement; parsers learn, with
a beam and without.
"""

import ctypes
import importlib
import importlib.metadata
import sys
import warnings
from pathlib import Path

SIZES = {
    ("thinc.backends.cblas", "CBlas"): 32,
    ("thinc.backends.linalg", "Matrix"): 40,
    ("thinc.backends.linalg", "Vec"): 24,
    ("thinc.backends.linalg", "VecVec"): 24,
    ("thinc.backends.linalg", "Mat"): 24,
    ("thinc.extra.search", "Beam"): 136,
    ("thinc.extra.search", "MaxViolation"): 104,
}
WITH_VTABLE = {"Vec": 17, "VecVec": 10, "Mat": 2, "Beam": 8, "MaxViolation": 2}
HEADERS = [
    "__init__.pxd",
    "backends/__init__.pxd",
    "backends/cblas.pxd",
    "backends/linalg.pxd",
    "backends/numpy_ops.pxd",
    "backends/cpu_kernels.hh",
    "extra/__init__.pxd",
    "extra/search.pxd",
    "py.typed",
]
COMPILED = [
    "spacy.ml.parser_model",
    "spacy.pipeline.transition_parser",
    "spacy.pipeline.dep_parser",
    "spacy.pipeline.ner",
    "spacy.pipeline._parser_internals._beam_utils",
    "spacy.pipeline._parser_internals.arc_eager",
    "spacy.pipeline._parser_internals.ner",
]

_name = ctypes.pythonapi.PyCapsule_GetName
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def check_layout():
    for (module, name), size in SIZES.items():
        cls = getattr(importlib.import_module(module), name)
        assert cls.__basicsize__ == size, (name, cls.__basicsize__, size)
        assert cls.__bases__ == (object,), name
        assert ("__pyx_vtable__" in vars(cls)) == (name in WITH_VTABLE), name
        if name in WITH_VTABLE:
            table = vars(cls)["__pyx_vtable__"]
            assert _name(table) is None, name
            slots = (ctypes.c_void_p * WITH_VTABLE[name]).from_address(_pointer(table, None))
            assert all(slots), name


def check_capsules():
    exported = importlib.import_module("thinc.backends.cblas").__pyx_capi__
    prefix = "5thinc_8backends_5cblas"
    obj = f"struct __pyx_obj_{prefix}_CBlas *"
    for name in ("sgemm", "saxpy", "daxpy"):
        typedef = f"__pyx_t_{prefix}_{name}_ptr"
        assert _name(exported[name]).decode() == f"{typedef} ({obj})"
        assert _name(exported[f"set_{name}"]).decode() == f"void ({obj}, {typedef})"


def check_installed():
    from packaging.requirements import Requirement

    wanted = importlib.metadata.requires("spacy")
    (thinc,) = [r for r in map(Requirement, wanted) if r.name == "thinc"]
    version = importlib.metadata.version("thinc")
    assert version in thinc.specifier, (version, str(thinc.specifier))
    import thinc as package

    assert package.__version__ == version
    root = Path(package.__file__).parent
    missing = [name for name in HEADERS if not (root / name).exists()]
    assert not missing, missing


def check_imports():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*size changed.*")
        warnings.filterwarnings("error", message=".*binary incompatib.*")
        for module in COMPILED:
            importlib.import_module(module)


def check_backend():
    from thinc.backends.cblas import CBlas

    from thinc.api import NumpyOps

    assert type(NumpyOps().cblas()) is CBlas


def check_parsers():
    """Each kind of transition system learns one sentence by heart."""
    import spacy
    from spacy.training import Example

    text = "Ada Byron met Charles Babbage in London"
    gold = {
        "entities": [(0, 9, "PERSON"), (14, 29, "PERSON"), (33, 39, "PLACE")],
        "heads": [1, 2, 2, 4, 2, 6, 2],
        "deps": ["compound", "nsubj", "ROOT", "compound", "obj", "case", "obl"],
    }
    for names in (["parser", "ner"], ["beam_parser", "beam_ner"]):
        spacy.util.fix_random_seed(1)
        nlp = spacy.blank("en")
        for name in names:
            nlp.add_pipe(name)
        example = Example.from_dict(nlp.make_doc(text), gold)
        # 40: a parser forgets labels that occur fewer than 30 times.
        optimizer = nlp.initialize(lambda example=example: [example] * 40)
        for _ in range(40):
            nlp.update([example] * 2, sgd=optimizer)
        doc = nlp(text)
        ents = [(e.start_char, e.end_char, e.label_) for e in doc.ents]
        assert ents == gold["entities"], (names, ents)
        assert [t.head.i for t in doc] == gold["heads"], names
        assert [t.dep_ for t in doc] == gold["deps"], names


def main():
    failed = 0
    checks = (check_layout, check_capsules, check_installed, check_imports, check_backend, check_parsers)
    for check in checks:
        try:
            check()
        except Exception as e:
            failed += 1
            print(f"FAIL {check.__name__}: {type(e).__name__}: {e}")
        else:
            print(f"ok   {check.__name__}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
