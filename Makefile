# Four commands: make run, make test, make bench, make build. Each says what is
# missing on the machine, and installs it when run as root with HOGNOSE_INSTALL=1.

PYTHON ?= python3
export PYTHON

# What "hognose version" says. Without a repository, the Go toolchain's own record counts.
VERSION = $(shell [ ! -e .git ] || git describe --tags --always --dirty 2>/dev/null)

.PHONY: build run test bench clean

build:
	@.ci/need go cc
	go build -trimpath -ldflags '-X main.linked=$(VERSION)' -o bin/hognose ./cmd/hognose

run: build
	@examples/prepare.sh
	bin/hognose run -c config.toml.example

test:
	@.ci/test

bench: build
	@.ci/need python venv libpython
	go run ./bench

clean:
	rm -rf bin
