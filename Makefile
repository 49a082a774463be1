# `make demo` and `make test` need Python 3.11 or newer and cargo, and nothing else: they make
# everything in .venv. Node is needed for the tests with the npm client alone.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
RUST := Cargo.toml Cargo.lock $(shell find rust/codec -name '*.rs' -o -name Cargo.toml)
JOBS ?= 2
SECONDS ?= 60
SOAK ?= 35
MUTANTS ?= 100
SEED ?= 0
PYTHONS ?= 3.12 3.13 3.14 3.15

.PHONY: demo test mutants pythons find-python bench instructions memcheck fuzz soak lint wheel clean

demo: $(VENV)/.built
	@$(BIN)/pip install --quiet convex==0.8.1
	@$(BIN)/convex-async demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

# On the further Pythons that are to be found; the official clients do not depend on them. What is
# not found says so, and in CI that is an error: `.ci/pythons` brings it there.
pythons:
	@for version in $(PYTHONS); do \
	  python=$$($(MAKE) --silent --no-print-directory find-python VERSION=$$version) || { \
	    echo "Python $$version is not here: not tested"; missing=1; continue; }; \
	  echo "Python $$version: $$python"; \
	  $(MAKE) test VENV=.venv-$$version PYTHON="$$python" ARGS="-m 'not interop' $(ARGS)" || exit 1; \
	done; test -z "$$CI" || test -z "$$missing"

# The path of the interpreter of a VERSION, one of pyenv's too.
find-python:
	@tell='import sys, venv, ensurepip; print(sys.executable)'; \
	  python$(VERSION) -c "$$tell" 2>/dev/null || \
	  PYENV_VERSION=$$(pyenv latest $(VERSION) 2>/dev/null) python$(VERSION) -c "$$tell" 2>/dev/null

# About ten minutes on two cores; what it runs is in tests/soak.py.
soak: $(VENV)/.test
	CONVEX_ASYNC_SOAK=$(SOAK) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal \
	  tests/protocol/test_conversation.py tests/protocol/test_conversation_identity.py tests/faults \
	  --timeout 1800 $(ARGS)

# Minutes: MUTANTS small breaks of the core, chosen by SEED, with a floor for how many tests notice.
mutants: $(VENV)/.test
	$(BIN)/python -m tests.mutants --count $(MUTANTS) --seed $(SEED) --jobs $(JOBS) $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python -m pytest benches/bench_codec.py benches/bench_client.py benches/bench_local.py --benchmark-columns=median,ops --benchmark-sort=name $(ARGS)
	$(BIN)/python -m benches.report

# Where valgrind is missing or the interpreter is another one, it says so and passes.
instructions: $(VENV)/.bench
	@command -v valgrind >/dev/null || test -z "$$CI" || \
	  { apt-get update -qq && apt-get install -qq -y valgrind; } >/dev/null 2>&1 || true
	$(BIN)/python -m benches.instructions

# Where valgrind is missing it says so and passes.
memcheck: $(VENV)/.test
	PYTHONPATH=. $(BIN)/python -m tests.codec.memcheck

# For SECONDS, under the address sanitizer; needs a nightly Rust, `cargo install cargo-fuzz`, and a libpython to link with.
fuzz: $(VENV)/.built
	cd rust/fuzz && PYO3_PYTHON=$(CURDIR)/$(BIN)/python \
	  PYTHONPATH=$(CURDIR)/python:$(CURDIR):$$($(CURDIR)/$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
	  LD_LIBRARY_PATH=$$($(CURDIR)/$(BIN)/python -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))') \
	  ASAN_OPTIONS=detect_leaks=0 \
	  cargo +nightly fuzz run --fuzz-dir . decode -- -dict=wire.dict -max_total_time=$(SECONDS) -timeout=10

lint: $(VENV)/.lint
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/stubtest convex_async._codec --ignore-missing-stub

wheel: $(VENV)/.base
	$(BIN)/maturin build --release --out dist

clean:
	rm -rf $(VENV) .venv-* target rust/fuzz/target rust/fuzz/corpus rust/fuzz/artifacts dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -f python/convex_async/_codec*.so
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name node_modules -prune -exec rm -rf {} +

# The environment, in steps, each redone when what it is made from changes.

$(VENV)/.base:
	@command -v cargo >/dev/null || { \
	  echo "cargo is missing: install Rust 1.93 or newer, see https://rustup.rs"; exit 1; }
	@for python in $(PYTHON) python3 python3.15 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	    2>/dev/null; then exec "$$python" -m venv $(VENV); fi; done; \
	  echo "Python 3.11 or newer, with venv, is missing: see https://python.org"; exit 1
	@$(BIN)/pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	@touch $@

$(VENV)/.built: $(VENV)/.base pyproject.toml $(RUST)
	@. $(BIN)/activate && maturin develop --quiet --release --extras cli,dotenv,local,pydantic
	@touch $@

$(VENV)/.test: $(VENV)/.built
	@$(BIN)/pip install --quiet --group test --group interop
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@$(BIN)/pip install --quiet --group lint
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@$(BIN)/pip install --quiet --group bench
	@touch $@
