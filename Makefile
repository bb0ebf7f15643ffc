# Four commands: make run, make test, make bench, make build. Each says what is
# missing on the machine, and installs it when run as root with HOGNOSE_INSTALL=1.

PYTHON ?= python3
export PYTHON

.PHONY: build run test bench clean

build:
	@.ci/need go cc
	go build -trimpath -o bin/hognose ./cmd/hognose

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
