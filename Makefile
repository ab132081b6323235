# The commands of this project. `make demo` and `make test` need Python >= 3.10, a C++17 compiler and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install -q --disable-pip-version-check
THREADS = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
SOURCES = setup.py pyproject.toml $(shell find thinc include -name '*.pyx' -o -name '*.pxd' -o -name '*.hh' -o -name '*.cc')

.PHONY: help demo build tools test test-all coverage lint format bench bench-quick bench-gpu test-gpu sanitize fuzz wheel docs docs-look clean

# Each target says in its line what it does and how long it takes on two cores.
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "  One test:        $(BIN)/python -m pytest tests/layers/test_contract.py -k Maxout      seconds"
	@echo "  One CPU level:   THINC_ISA=avx2 $(BIN)/python -m pytest tests/layers                  two minutes"
	@echo "  After an edit:   make build, incremental; Python files need nothing"

demo: build ## builds, trains a tagger on the source of your own Python, shows what it learnt; 2 min, then 20 s
	@echo "Training"
	@$(THREADS) $(BIN)/python -m thinc demo

test: tools ## the quick tests; 2 min
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not slow and not gpu"

test-all: tools ## with those marked slow; long
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not gpu"

coverage: tools ## the lines of thinc/ that no test runs; some minutes
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not slow and not gpu" --cov --cov-report=term:skip-covered

# On a machine with CuPy and a CUDA device, with PYTHON an interpreter that has them and the build requirements.
test-gpu: ## on a machine with CuPy and a GPU; minutes
	$(PYTHON) setup.py -q build_ext --inplace
	$(PYTHON) -m pytest -q -m gpu

bench-gpu: ## speed against PyTorch on the same GPU; minutes
	$(PYTHON) setup.py -q build_ext --inplace
	$(PYTHON) -m benchmarks.gpu

build: $(VENV)/.installed ## the environment .venv and the extensions in place; 2 min, then seconds

# What there is to build with; then the extensions, in place; then the package, which finds them compiled. setuptools and
# Cython rebuild only what changed; pip runs again only when the requirements did.
$(VENV)/.requirements: pyproject.toml build_constraints.txt
	@echo "Environment $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) -c build_constraints.txt setuptools cython numpy cymem preshed murmurhash blis
	@touch $@

$(VENV)/.built: $(VENV)/.requirements $(SOURCES)
	@echo "Compiling"
	@THINC_BUILD_LINES=1 $(BIN)/python setup.py -q build_ext --inplace
	@touch $@

$(VENV)/.installed: $(VENV)/.built
	@test -f $@ -a $@ -nt pyproject.toml -a $@ -nt setup.py || { echo "Installing"; PYTHONWARNINGS=ignore $(PIP) --no-build-isolation -e .; }
	@touch $@

# (thinc is installed: pip adds what its extra asks for)
tools: $(VENV)/.tools ## what tests and linters need, into .venv; a minute, once

$(VENV)/.tools: $(VENV)/.installed pyproject.toml
	@test -f $@ -a $@ -nt pyproject.toml || $(PIP) "thinc[test]"
	@touch $@

C_SOURCES = git ls-files '*.hh' '*.cc' '*.cu'

lint: tools ## ruff, clang-format, mypy, the rules of the house; a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(C_SOURCES) | xargs $(BIN)/clang-format --dry-run --Werror
	$(BIN)/mypy thinc
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: ## the layout of Python and C++; a second
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	$(C_SOURCES) | xargs $(BIN)/clang-format -i

bench: build ## benchmarks against other libraries; long
	$(THREADS) $(BIN)/python -m benchmarks

bench-quick: build ## the same, rougher; minutes
	$(THREADS) $(BIN)/python -m benchmarks --quick

# The kernels and their wrappers under AddressSanitizer and UndefinedBehaviorSanitizer, in a tree of their own.
sanitize: tools ## kernels under ASan, UBSan and TSan; long
	PYTHON=$(abspath $(BIN)/python) sh tests/sanitize.sh

# Every reader against mutated files: make fuzz SECONDS=1800 READERS="model csv"
SECONDS ?= 60
fuzz: tools ## every reader against mutated files, SECONDS=60 for each
	$(THREADS) $(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(READERS)

wheel: build ## wheel and sdist in dist/; half a minute after a build
	$(BIN)/python -m pip install -q build
	$(BIN)/python -m build --quiet --wheel --sdist --no-isolation --outdir dist

# The documentation site in build/docs; its cells run again where they changed.
docs: build ## the site in build/docs, its cells run; 3 min, then seconds
	@$(BIN)/python docs/check.py
	$(BIN)/python -m pip install -q $(shell $(PYTHON) docs/check.py --requirements)
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@$(BIN)/python docs/check.py --site

docs-look: docs ## the site in Chromium: errors, widths, contrast; 3 min
	$(BIN)/python -m pip install -q playwright
	$(BIN)/python docs/browser.py

clean: ## removes what was built
	rm -rf build dist *.egg-info
	find thinc -name '*.so' -delete
	find thinc -name '*.cpp' -delete
