# The doors of the project. Each does its own set-up from nothing on Debian 12.
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
BUILD := build/release

.PHONY: help deps build demo demo-copy test test-all test-real package test-package check format bench clean

help:
	@echo "make demo      build, then move a table that is being written to, with a kill -9, between simulated databases"
	@echo "make demo-copy build, then copy a real data set between the two: needs no Python"
	@echo "make build     messina and messina-sim, in $(BUILD)/bin"
	@echo "make test      everything that must pass before a change lands"
	@echo "make test-all  that, and the long suites: sanitizers, 100,000 seeds, 500 chaos runs"
	@echo "make package   a .deb and a tarball, in $(BUILD)/packages"
	@echo "make test-package  install the .deb in a bare Debian, and copy a table there (root)"
	@echo "make test-real  messina selftest on the servers in MESSINA_REAL_ENDPOINTS"
	@echo "make check     formatting and layering"
	@echo "make format    rewrite the sources as clang-format wants them"
	@echo "make bench     measure, and write bench/RESULTS*.md: about an hour, on a machine with nothing else to do"

deps:
	@tools/install-debian.sh build

build: deps
	@cmake --preset release -DMESSINA_TESTS=OFF -DMESSINA_BENCH=OFF >/dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target messina messina-sim

demo: build
	@tools/install-debian.sh demo
	@demo/live.sh $(BUILD)

demo-copy: build
	@demo/copy.sh $(BUILD)/bin

test:
	@tools/test.sh

test-all:
	@tools/test-all.sh

package: build
	@tools/install-debian.sh package
	@cmake --build $(BUILD) --target messina_pages
	@rm -rf $(BUILD)/packages
	@cpack --config $(BUILD)/CPackConfig.cmake >/dev/null
	@ls $(BUILD)/packages/*.deb $(BUILD)/packages/*.tar.gz

test-package: package
	@tools/test-package.sh $(BUILD)

test-real: build
	@tools/test-real.sh $(BUILD)

check:
	@tools/check.sh

format:
	@tools/install-debian.sh test
	@git ls-files '*.h' '*.cc' '*.ipp' | xargs clang-format-19 -i

bench:
	@tools/install-debian.sh test
	@cmake --preset release -DMESSINA_TESTS=ON -DMESSINA_BENCH=ON >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@python3 bench/run.py --build $(BUILD)
	@python3 bench/pace.py --build $(BUILD)
	@python3 bench/tables.py --build $(BUILD)
	@python3 bench/live.py --build $(BUILD)
	@python3 bench/spool.py --build $(BUILD) --big-if-possible --no-goal
	@python3 bench/verify.py --build $(BUILD)

clean:
	@rm -rf build
