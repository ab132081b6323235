# The commands of this project. `make demo` and `make test` need Python >= 3.10, a C++17 compiler and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install -q --disable-pip-version-check
THREADS = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
SOURCES = setup.py pyproject.toml $(shell find thinc include -name '*.pyx' -o -name '*.pxd' -o -name '*.hh' -o -name '*.cc')

.PHONY: demo build tools test test-all coverage lint format bench bench-quick bench-gpu test-gpu sanitize fuzz wheel docs clean

demo: build
	@echo "Training"
	@$(THREADS) $(BIN)/python -m thinc demo

test: tools
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not slow and not gpu"

test-all: tools
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not gpu"

coverage: tools
	$(THREADS) $(BIN)/python -m pytest -q -n auto -m "not slow and not gpu" --cov --cov-report=term:skip-covered

# On a machine with CuPy and a CUDA device, with PYTHON an interpreter that has them and the build requirements.
test-gpu:
	$(PYTHON) setup.py -q build_ext --inplace
	$(PYTHON) -m pytest -q -m gpu

bench-gpu:
	$(PYTHON) setup.py -q build_ext --inplace
	$(PYTHON) -m benchmarks.gpu

build: $(VENV)/.installed

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
tools: $(VENV)/.tools

$(VENV)/.tools: $(VENV)/.installed pyproject.toml
	@test -f $@ -a $@ -nt pyproject.toml || $(PIP) "thinc[test]"
	@touch $@

C_SOURCES = git ls-files '*.hh' '*.cc' '*.cu'

lint: tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(C_SOURCES) | xargs $(BIN)/clang-format --dry-run --Werror
	$(BIN)/mypy thinc
	$(BIN)/python -m pytest -q tests/test_architecture.py

format:
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	$(C_SOURCES) | xargs $(BIN)/clang-format -i

bench: build
	$(THREADS) $(BIN)/python -m benchmarks

bench-quick: build
	$(THREADS) $(BIN)/python -m benchmarks --quick

# The kernels and their wrappers under AddressSanitizer and UndefinedBehaviorSanitizer, in a tree of their own.
sanitize: tools
	PYTHON=$(abspath $(BIN)/python) sh tests/sanitize.sh

# Every reader against mutated files: make fuzz SECONDS=1800 READERS="model csv"
SECONDS ?= 60
fuzz: tools
	$(THREADS) $(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(READERS)

wheel: build
	$(BIN)/python -m pip install -q build
	$(BIN)/python -m build --wheel --sdist --no-isolation --outdir dist

# The documentation site in build/docs; its cells run again where they changed.
docs: build
	@$(BIN)/python docs/check.py
	$(BIN)/python -m pip install -q $(shell $(PYTHON) docs/check.py --requirements)
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs

clean:
	rm -rf build dist *.egg-info
	find thinc -name '*.so' -delete
	find thinc -name '*.cpp' -delete
