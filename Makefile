# What one does with hark. Plain `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help run gen check test race bench fuzz soak e2e migration console services

# All that have tests but e2e, which needs Node and a browser.
packages = go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -v /e2e$$
generated = ent graph proto/hark ':!ent/schema'

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run the server on http://127.0.0.1:8080
	go run ./cmd/hark serve

gen: ## write the generated code anew: ent, GraphQL, protobuf; needs no network
	go generate ./ent
	go tool gqlgen generate
	go run ./proto/protogen

check: ## look for what the tests don't see: format, vet, staticcheck, vulnerabilities, stale generated code
	@files=$$(go tool gofumpt -l .); [ -z "$$files" ] || { echo "not in the form of gofumpt (go tool gofumpt -w FILE):"; echo "$$files"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	tools/govulncheck
	$(MAKE) --no-print-directory gen
	git diff --exit-code -- $(generated)
	@test -z "$$(git ls-files --others --exclude-standard -- $(generated))" || { echo "generated files are not committed"; exit 1; }

test: services ## run the tests; installs redis-server and PostgreSQL if they are absent
	@packages=$$($(packages)) && go test $$packages

race: services ## run the tests under the race detector
	@packages=$$($(packages)) && go test -race $$packages

bench: ## measure hark against the limits of this machine; FLAGS="-only fan" and the like go to the program
	go run ./bench $(FLAGS)

fuzz: ## run each fuzz target for a minute, or FUZZTIME=10s
	tools/fuzz "$(or $(FUZZTIME),1m)"

soak: ## ten minutes, or TIME=1m, of load, failing subscribers and restarts
	SOAK_TIME=$(or $(TIME),10m) go test -count=1 -v -timeout 0 ./promises/soak

e2e: ## run real clients against the built binary: Node, Chromium, the commands of the README
	npm --prefix e2e ci --no-audit --no-fund
	go test -count=1 -v ./e2e

migration: services ## write a migration for what ent/schema asks for; NAME=what_it_does
	tools/migration "$(NAME)"

console: ## build the playground's assets anew
	npm --prefix console ci --no-audit --no-fund
	npm --prefix console run build

services:
	@tools/services
