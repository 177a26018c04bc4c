# make demo       upscale the photos that ship with the weights that ship, and compare with bicubic
# make test       all tests
# make quick      a fast subset of the tests: the unit tests of every package, under a minute on two cores
# make lint       ruff: rules and format
# make type       pyright
# make licences   the licences of all that is installed for each extra: tools/release/licences.toml says what is allowed
# make audit      known vulnerabilities of constraints.txt (asks the package index)
# make coverage   all tests, and which lines and branches of src/ they never reach; fails under 90 %
# make mutation   small mistakes made in the code one by one: do the tests notice each? (an hour of a CPU; GROUP=... for one group)
# make chaos      a training run that is killed 50 times: does it end as one that was left alone? (half an hour of one CPU)
# make attack     hostile clients of a service: bombs, slow-loris, killed processes; what it answers, how fast, in how much memory
# make schemathesis    a service against its OpenAPI description, all checks (five minutes)
# make fuzz       files of pictures and checkpoints that are changed without end: does each give one line? (ten minutes for each
#                 of the fuzzers; FUZZ_SECONDS=... for another time)
# make interrupts stops every command by signals at 40 moments of its work: does anything stay behind? (some minutes)
# make full-disk  runs every command where the disk is full at some byte: is it said, and does anything stay behind? (some minutes)
# make same-bytes runs every command with 1, 2 and 3 threads: do they write the same bytes? (some minutes)
# make dist       the wheel and the sdist of the last commit, checked and tried out: dist/
# make sbom       make dist, and its bill of materials as CycloneDX: sbom/
# make docs       the documentation as a site: site/index.html (builds and reads without a network)
# make browser    a page that upscales in the browser, on ttsr-lite: http://127.0.0.1:8000
# make bench      time and memory against the textbook form: benchmarks/results (wants a quiet machine)
# make quality DEV=... TRAIN=...    measure the models on your test set and training photos: docs/quality.md, docs/models.md
# make peers DEV=...                networks of others on your test set: benchmarks/results/peers.json (an environment of its own)
# make ablation DEV=... TRAIN=...   what each part of the network contributes at short training: docs/ablation.md
# make retrain TRAIN=...            train ttsr-lite, and from it ttsr-lite-gan, from random weights (a day of a CPU; resumes if stopped)
# make clean      remove .venv and what the commands above have built
#
# Everything is installed into .venv. PYTHON=python3.12 selects another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help demo test coverage mutation chaos attack schemathesis fuzz interrupts full-disk same-bytes chromium quick lint type licences audit dist sbom docs browser bench quality peers ablation retrain clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.core
	$(BIN)/python examples/demo.py

# A process for each core, of one thread. The tests of a file stay together, as they share what is expensive; files in their
# order, in which short ones come last and no process waits long for the other.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(VENV)/.test $(VENV)/.browser-example chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL)

# Half as long again as the tests. In those left out the disk is full for the measurement too.
FULL_DISK := tests/integration/test_train_command.py::test_a_full_disk_keeps_the_last_checkpoint \
	tests/tools/test_faults.py::test_commands_leave_nothing_behind tests/weights/test_download.py::test_a_full_disk_leaves_nothing
coverage: $(VENV)/.dev $(VENV)/.browser-example chromium
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 PYTHONPATH=tools $(BIN)/coverage run -m pytest -p coverage_of_workers $(PARALLEL) $(FULL_DISK:%=--deselect=%)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutation: $(VENV)/.test
	PYTHONPATH=tools $(BIN)/python -m mutation $(GROUP)

# With other seeds, other moments. The second run has two processes, of which one alone may be killed.
chaos: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python tools/chaos_training.py --kills 50 --steps 300
	OMP_NUM_THREADS=1 $(BIN)/python tools/chaos_training.py --kills 20 --steps 120 --processes 2 --precision bf16 --seed 1

# On Linux, some ten minutes.
attack: $(VENV)/.test
	$(BIN)/python benchmarks/service_attack.py --output benchmarks/results/service_attack.json

schemathesis: $(VENV)/.dev
	$(BIN)/python benchmarks/check_description.py

# What one finds is in fuzz/found. mutated_pictures.py runs anywhere, the others on Linux.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.dev
	$(BIN)/python fuzz/picture_reader.py -max_total_time=$(FUZZ_SECONDS)
	$(BIN)/python fuzz/mutated_pictures.py -max_total_time=$(FUZZ_SECONDS)
	$(BIN)/python fuzz/checkpoint_reader.py -max_total_time=$(FUZZ_SECONDS)

interrupts: $(VENV)/.test
	PYTHONPATH=tools OMP_NUM_THREADS=1 $(BIN)/python -m faults.interrupts

full-disk: $(VENV)/.test
	PYTHONPATH=tools OMP_NUM_THREADS=1 $(BIN)/python -m faults.full_disk

# Root on Debian gets it from there. Without it the tests of the page fail.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || if [ "$$(id -u)" = 0 ] && grep -qs '^ID=debian' /etc/os-release; \
	then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else echo "the tests of the page need Chromium: install it (on Debian: apt-get install chromium)"; fi

# Prefixes of the tests that `make quick` leaves out: those that start processes, train, score test sets, or take seconds each.
SLOW := tests/integration tests/page tests/tools tests/cli/test_evaluate.py tests/cli/test_pairs.py tests/data/mining/test_pipeline.py \
	tests/images/test_odd_pictures.py \
	tests/evaluation/test_report_page.py tests/evaluation/test_scoring.py tests/inference/test_upscaler.py::test_small_blocks \
	tests/models/correspondence/test_exact.py tests/models/correspondence/test_refine.py::test_gradients \
	tests/models/correspondence/test_refine.py::test_streamed tests/models/test_parity.py tests/models/test_ttsr.py::test_streamed \
	tests/system/test_distributed.py tests/cli/test_convert.py::test_scores_go \
	tests/training/test_golden.py tests/training/test_loop.py tests/training/test_training_log.py tests/weights/test_loading.py::test_loaded_network
quick: $(VENV)/.test
	$(BIN)/python -m pytest $(SLOW:%=--deselect=%)

same-bytes: $(VENV)/.test
	PYTHONPATH=tools $(BIN)/python -m faults.same_bytes

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.dev
	$(BIN)/pyright

licences: $(VENV)/.dev
	PYTHONPATH=tools $(BIN)/python -m release.licences

# Tools that build and check a release have an environment of their own, with their hashes checked.
RELEASE := $(VENV)-release
audit: $(RELEASE)/.installed
	@for list in constraints.txt tools/release/requirements.txt; do \
		$(RELEASE)/bin/pip-audit --strict --progress-spinner off --disable-pip --no-deps --requirement $$list \
		|| { echo "$$list: vulnerable, or NOT CHECKED because the package index told nothing: see above"; exit 1; }; done

dist: $(RELEASE)/.installed
	PYTHONPATH=tools $(RELEASE)/bin/python -m release.build
	PYTHONPATH=tools $(RELEASE)/bin/python -m release.smoke_test $(VENV)-wheel

sbom: dist
	PYTHONPATH=tools $(RELEASE)/bin/python -m release.bill_of_materials $(VENV)-wheel

# The variable silences an advertisement of the theme.
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "wrote site/index.html"

browser: $(VENV)/.test $(VENV)/.browser-example
	$(BIN)/ttsr export --out examples/browser/model
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory examples/browser 8000

bench: $(VENV)/.test
	$(BIN)/python benchmarks/search.py --output benchmarks/results/search.json
	$(BIN)/python benchmarks/matchers.py --output benchmarks/results/matchers.json
	$(BIN)/python benchmarks/upscale.py --output benchmarks/results/upscale.json
	$(BIN)/python benchmarks/stages.py --output benchmarks/results/stages.json
	$(BIN)/python benchmarks/people.py --output benchmarks/results/people.json
	$(BIN)/python benchmarks/training.py --output benchmarks/results/training.json
	$(BIN)/python benchmarks/loading.py --output benchmarks/results/loading.json

# MODEL=... names other models than those that ship. Without DEV or TRAIN, the parts that need it stay as they are.
quality: $(VENV)/.test
	PYTHONPATH=tools $(BIN)/python -m model_card $(if $(DEV),--dev "$(DEV)") $(if $(TRAIN),--train "$(TRAIN)") \
		$(if $(wildcard runs/peers/*/run.json),--peer-pictures runs/peers) $(foreach name,$(MODEL),--model "$(name)")

# Some minutes on one thread. The example pairs by others are committed, their pictures of the test set are not.
PEERS := $(VENV)-peers
peers: $(VENV)/.test
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers-requirements.txt
	$(PEERS)/bin/python benchmarks/peers.py examples/pairs benchmarks/results/peers
	$(PEERS)/bin/python benchmarks/peers.py "$(DEV)" runs/peers
	$(BIN)/python benchmarks/score_peers.py "$(DEV)" runs/peers --output benchmarks/results/peers.json

# An hour on one CPU thread; a second call resumes. MORE=... adds options: PYTHONPATH=tools python -m ablation --help.
ablation: $(VENV)/.test
	PYTHONPATH=tools $(BIN)/python -m ablation $(if $(TRAIN),--data "$(TRAIN)") $(if $(DEV),--validate "$(DEV)") \
		--json tools/ablation/results.json --doc docs/ablation.md $(MORE)

# A day of a CPU; a second call resumes.
retrain: $(VENV)/.test
	$(BIN)/ttsr train ttsr-lite --data "$(TRAIN)" --out runs/ttsr-lite --resume
	$(BIN)/ttsr train ttsr-lite-gan --data "$(TRAIN)" --out runs/ttsr-lite-gan --resume \
		--start runs/ttsr-lite/ttsr-lite.safetensors

clean:
	rm -rf $(VENV) $(PEERS) $(RELEASE) $(VENV)-wheel dist sbom demo site examples/browser/onnxruntime examples/browser/model

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(RELEASE)/.installed: tools/release/requirements.txt
	$(PYTHON) -m venv --clear $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

# What examples/browser needs of onnxruntime-web; with npm, which comes with Node.js.
ORT_FILES := ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm
$(VENV)/.browser-example: examples/browser/package-lock.json $(VENV)/.python
	mkdir -p $(VENV)/npm examples/browser/onnxruntime
	cp examples/browser/package.json examples/browser/package-lock.json $(VENV)/npm
	npm ci --prefix $(VENV)/npm --no-audit --no-fund --ignore-scripts --loglevel=error
	cp $(ORT_FILES:%=$(VENV)/npm/node_modules/onnxruntime-web/dist/%) examples/browser/onnxruntime
	touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) ".[test]"
	touch $@ $(VENV)/.core

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) ".[dev]"
	touch $@ $(VENV)/.core $(VENV)/.test
