# Everything here is a plain go command; the Makefile only saves typing.
.PHONY: build test race check fuzz chaos bench mutants

build:
	go build -o bin/holdfast ./cmd/holdfast

test:
	go test ./...

race:
	go test -race ./...

# What continuous integration runs.
check:
	bash .ci/run

# Each fuzz target for a minute.
fuzz:
	bash .ci/fuzz 60s

chaos:
	go run ./cmd/holdfast chaos

bench:
	go run ./cmd/holdfast bench engine
	go run ./cmd/holdfast bench

# Bugs planted in the engine one by one: which of them do the tests catch?
mutants:
	go run ./internal/mutants/cmd
