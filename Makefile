# `make demo` and `make test` set everything up themselves on a machine with Python, Rust, Node and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := build/stamps
# Proving keys made here stay here.
export CHARTSEAL_CACHE ?= $(CURDIR)/build/cache
RUST_SOURCES := $(shell find rust/adherence/src rust/algebra/src rust/circuits/src rust/core/src rust/python/src -name '*.rs') $(wildcard rust/Cargo.* rust/*/Cargo.toml) \
	$(shell find src/chartseal -name '*.tsv')

.PHONY: demo test check format drills bench lock conformance generated clean

demo: $(STAMPS)/core $(STAMPS)/anvil
	$(BIN)/python examples/demo.py

test: $(STAMPS)/web $(STAMPS)/core $(STAMPS)/node $(STAMPS)/anvil $(STAMPS)/ceremony
	cd rust && cargo test --release --quiet
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal

check: $(STAMPS)/core
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/stubtest chartseal._core
	$(BIN)/lint-imports
	cd rust && cargo fmt --check && cargo clippy --release --all-targets --quiet -- -D warnings && \
		cargo clippy --release --quiet -p chartseal-wasm -p chartseal-wasm-package -- -D warnings

format:
	$(BIN)/ruff check --fix . && $(BIN)/ruff format . && cd rust && cargo fmt

drills: $(STAMPS)/core $(STAMPS)/node $(STAMPS)/anvil $(STAMPS)/ceremony
	cd rust && CHARTSEAL_DRILL=1 cargo test --release --quiet -p chartseal-circuits --test suite mutation
	CHARTSEAL_DRILL=1 $(BIN)/pytest -m long --timeout 0 -s

bench: $(STAMPS)/web $(STAMPS)/core $(STAMPS)/node $(STAMPS)/anvil $(STAMPS)/ceremony
	$(BIN)/python benches/run.py

conformance: $(STAMPS)/core
	cd tests/conformance/hapi && mvn --quiet --batch-mode compile
	$(BIN)/pytest -m hapi -s tests/conformance/hapi

lock: $(STAMPS)/venv
	$(BIN)/uv pip compile --quiet --universal --no-header --group dev --extra validate --extra chain --extra postgres --extra ucum --extra adherence --extra spark --extra vault --extra s3 --extra keyring --extra pkcs11 --extra node pyproject.toml --generate-hashes -o requirements.txt

# Needs Maven, for HL7's definitions.
generated: $(STAMPS)/core $(STAMPS)/node
	$(BIN)/python tools/fhir_tables.py
	$(BIN)/python tools/slot_tables.py
	$(BIN)/python tools/networks.py
	$(BIN)/python tools/artifacts.py
	$(BIN)/python tools/worked_example.py
	$(BIN)/python tools/circuit_keys.py
	node tests/conformance/authority_vectors.cjs > tests/vectors/authority.json
	git diff --exit-code -- src tests docs

clean:
	rm -rf build $(VENV) rust/target

$(STAMPS)/venv: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/venv $(RUST_SOURCES) pyproject.toml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(STAMPS)/node: tests/conformance/package-lock.json
	cd tests/conformance && npm ci --ignore-scripts --silent
	mkdir -p $(STAMPS) && touch $@

# The local chain.
$(STAMPS)/anvil: tools/anvil/package-lock.json
	cd tools/anvil && npm ci --ignore-scripts --silent
	mkdir -p $(STAMPS) && touch $@

# snarkjs: ceremonies, and the peer that proves and verifies beside us.
$(STAMPS)/ceremony: tools/ceremony/package-lock.json
	cd tools/ceremony && npm ci --ignore-scripts --silent
	mkdir -p $(STAMPS) && touch $@

# The circuits for a browser.
$(STAMPS)/web: $(RUST_SOURCES) $(wildcard rust/wasm*/src/*.rs web/src/*.ts) web/package-lock.json
	rustup target add wasm32-unknown-unknown
	cd rust && cargo build --quiet --profile web --target wasm32-unknown-unknown -p chartseal-wasm
	cd rust && cargo run --quiet --release -p chartseal-wasm-package -- \
		target/wasm32-unknown-unknown/web/chartseal_wasm.wasm ../build/web
	cd web && npm ci --ignore-scripts --silent && node_modules/.bin/tsc
	mkdir -p $(STAMPS) && touch $@
