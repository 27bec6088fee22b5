# Every command of the project; `make help` prints what stands behind `##`.
# STACK=lab is the default. JSON=1: one JSON document on stdout. YES=1: no question.
# fleet-…: STACKS="a b c", the first one is the canary; AT_ONCE=3 hosts at the same time.

STACK ?= lab
PYTHON := .venv/bin/python
OPS = $(PYTHON) -m ops
OPTIONS = $(if $(JSON),--json) $(if $(YES),--yes)
WITH = --stack $(STACK) $(OPTIONS)
FLEET = --stack $(STACKS) $(if $(AT_ONCE),--at-once $(AT_ONCE)) $(OPTIONS)
QUICK = tests/unit tests/integration/alerts tests/integration/grafana tests/integration/prometheus

.DEFAULT_GOAL := help
.PHONY: help up preview adopt dashboards refresh verify status history rollback report stop-predecessor end-grace \
	retire-contextforge secrets settings rotate pin alert-drill dashboard-picture backup restore-drill restore reboot-check \
	fleet-up fleet-preview fleet-status fleet-verify fleet-rollback env doctor test unit bench soak locks lint down clean venv

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{gsub(/\$$\$$/, "$$"); printf "make %-17s %s\n", $$1, $$2}' Makefile
	@echo "STACK=$(STACK) · JSON=1 one JSON document on stdout · YES=1 no question"

up: venv ## install what is missing, then pulumi up; says what runs where
	@$(OPS) up $(WITH)

preview: venv ## the changes that up would make
	@$(OPS) preview $(WITH)

refresh: venv ## bring the stack's state in line with its host
	@$(OPS) refresh $(WITH)

adopt: venv ## a state for a host that runs the stack already: from its copy there, or rebuilt
	@$(OPS) adopt $(WITH)

dashboards: venv ## write the dashboard's JSON from its code
	@$(PYTHON) -m dashboards

verify: venv ## one call per backend through the port
	@$(OPS) verify $(WITH)

status: venv ## which gateway serves, since when, whether it answers
	@$(OPS) status $(WITH)

history: venv ## every update of the stack
	@$(OPS) history $(WITH)

rollback: venv ## the rollback: to ContextForge, or TO=N to what update N ran with; FORCE=1 passes failing gates
	@$(OPS) rollback $(WITH) $(if $(TO),--to $(TO)) $(if $(FORCE),--force)

report: venv ## one page of evidence of the last cutover, into reports/; SEND=1 posts its short form
	@$(OPS) report $(WITH) $(if $(SEND),--send)

stop-predecessor: venv ## stop the predecessor in standby; a rollback then starts it first
	@$(OPS) stop-predecessor $(WITH)

end-grace: venv ## refuse ContextForge's token from now on, before its grace period is over
	@$(OPS) end-grace $(WITH)

retire-contextforge: venv ## ContextForge leaves the host for good; STALE=1 takes networks along that nobody is on
	@$(OPS) retire-contextforge $(WITH) $(if $(STALE),--stale)

secrets: venv ## make every secret that is missing; never overwrites one
	@$(OPS) secrets $(WITH)

settings: venv ## every value of the stack, and the file that it comes from
	@$(OPS) settings $(WITH)

rotate: venv ## a new value for SECRET=name, everywhere at once; says what it costs
	@$(OPS) rotate $(WITH) --secret "$(SECRET)"

pin: venv ## the digest of every image into Pulumi.STACK.yaml, from its registry
	@$(OPS) pin $(WITH)

alert-drill: venv ## one marked test message by each way of the alerts
	@$(OPS) alert-drill $(WITH)

dashboard-picture: venv ## the five panels of the last MINUTES=60 as a PNG, without Grafana
	@$(OPS) dashboard-picture $(WITH) $(if $(MINUTES),--minutes $(MINUTES))

backup: venv ## a backup of Sentinel's database now, read back whole
	@$(OPS) backup $(WITH)

restore-drill: venv ## the newest backup into a one-shot Postgres: good, bad or could-not-check
	@$(OPS) restore-drill $(WITH)

restore: venv ## the backup FROM=file in the live database's place; keeps what was live
	@$(OPS) restore $(WITH) --from "$(FROM)"

reboot-check: venv ## before a boot: the marker; after it: whether everything came back (AGAIN=1 a new marker)
	@$(OPS) reboot-check $(WITH) $(if $(AGAIN),--again)

fleet-up: venv ## make up on STACKS="a b c": a first, then AT_ONCE=3 at the same time, until one fails
	@$(OPS) fleet-up $(FLEET)

fleet-preview: venv ## make preview on STACKS="a b c"
	@$(OPS) fleet-preview $(FLEET)

fleet-status: venv ## make status on STACKS="a b c", one line each
	@$(OPS) fleet-status $(FLEET)

fleet-verify: venv ## make verify on STACKS="a b c", one line each
	@$(OPS) fleet-verify $(FLEET)

fleet-rollback: venv ## make rollback on STACKS="a b c"; goes on past a host that fails
	@$(OPS) fleet-rollback $(FLEET)

env: venv ## eval "$$(make env)": plain pulumi works in this shell
	@$(OPS) env $(WITH)

doctor: venv ## every part of this machine, and what is wrong on the host
	@$(OPS) doctor $(WITH)

# Where a machine forbids bytecode, each worker would compile every test module on its own.
test unit soak: export PYTHONDONTWRITEBYTECODE :=
# The engine, dockerd and runc are Go: fewer of their collections leave the two processors to the tests.
test soak: export GOGC ?= 400

# A lab that broke fails everything after it: the first failures say why, and they are reported within an hour and a half.
test: venv ## the tests; needs nothing done before it
	@$(OPS) ready --stack lab
	@$(PYTHON) -m pytest $(if $(ARGS),,--numprocesses 2) --maxfail=40 --session-timeout=5000 tests $(ARGS)

unit: venv ## the tests that need no lab, in under a minute
	@$(PYTHON) -m pytest -q --numprocesses auto --dist loadfile -m "not lab and not engine and not prometheus" $(wildcard $(QUICK)) $(ARGS)

bench: venv ## downtimes and the bridge's cost on the lab, written to docs/measured.json (minutes)
	@$(PYTHON) -m lab.benchmarks bench $(ARGS)

soak: venv ## the rollback cut off at every point, the disaster drill, three hosts, more steps of the model, more documents: hours
	@$(OPS) ready --stack lab
	@SOAK=1 $(PYTHON) -m pytest tests/docker tests/engine/backends tests/lab tests/unit/hostctl tests/unit/settings $(ARGS)

locks: venv ## every lock of Python packages in line with its requirements; UPGRADE=1 takes the newest that fit
	@toolchain/locks.sh $(if $(UPGRADE),--upgrade)

lint: venv ## ruff and pyright
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m pyright

down: venv ## take the stack down; the lab leaves nothing behind
	@$(OPS) down $(WITH)

clean: ## remove what can be made again (.work, .venv); state stays
	@rm -rf .work .venv

venv:
	@toolchain/bootstrap.sh
