# A thin front to CMake and tools/.  `make help` lists what there is.
#
# PRESET=debug or PRESET=release chooses the build (default: release, `make test` uses debug).

PRESET ?= release
B := build/$(PRESET)
SMP ?= 1
MEM ?=
FLAGS := --smp $(SMP) $(if $(MEM),--mem $(MEM)) $(if $(filter debug,$(PRESET)),--debug)

.DEFAULT_GOAL := help
.PHONY: help setup build kernel servers programs image qemu run gdb bench bench-wall measure conformance test check \
	host-test clean distclean

help:
	@echo 'make qemu               boot to a shell on this terminal (Ctrl-A X or poweroff leaves)'
	@echo 'make run CMD=...        run a command in the guest: its output, its exit status'
	@echo 'make test               build debug and release, run every test'
	@echo 'make conformance        the Open POSIX Test Suite, beside Linux (GROUPS="mmap sig*")'
	@echo 'make bench              instructions per operation, beside other systems'
	@echo 'make bench-wall         wall time per operation, beside Linux in the same run'
	@echo 'make gdb                boot stopped, with gdb and all symbols (PRESET=debug is best)'
	@echo 'make build              build everything; also: kernel servers programs image'
	@echo 'make check              the tests only, of what is built (T=regex chooses)'
	@echo 'make host-test          the host tests only'
	@echo 'make setup              install what is missing'
	@echo 'make clean, distclean   remove what was built; with what was fetched, too'
	@echo 'Variables: PRESET=debug|release (default release)  SMP=harts  MEM=memory, for instance 64M'

setup:
	@tools/setup

$(B)/build.ninja:
	@mkdir -p $(B)
	@flock $(B)/.lock cmake --preset $(PRESET) >/dev/null

# Everything; a part that fails does not keep the others from being built.
build: setup | $(B)/build.ninja
	@flock $(B)/.lock cmake --build $(B) -- -k 0

# One part alone, without a look at the others.
kernel servers programs: | $(B)/build.ninja
	@if [ -e $(B)/$@/build.ninja ]; then flock $(B)/$@/.lock cmake --build $(B)/$@ -- -k 0; \
	else flock $(B)/.lock cmake --build $(B) --target $@; fi

# The image of what is there, even when a part cannot be built just now.
image:
	-@$(MAKE) --no-print-directory servers
	-@$(MAKE) --no-print-directory programs
	@tools/mkimage $(B)

qemu: build
	@tools/qemu $(FLAGS)

run: build
	@tools/run $(FLAGS) -- '$(subst ','\'',$(value CMD))'

gdb: build
	@tools/setup --all
	@tools/gdb $(FLAGS)

conformance: build
	@tools/conformance $(if $(filter debug,$(PRESET)),--debug) --smp $(SMP) $(foreach g,$(GROUPS),'$(g)')

bench: build measure
	@tools/bench

bench-wall: build
	@tools/bench --wall

# The kernel that counts how long its locks are held (docs/locking.md); the rest is the release build's.
measure:
	@$(MAKE) --no-print-directory kernel PRESET=measure

test: setup
	@$(MAKE) --no-print-directory build PRESET=debug
	@$(MAKE) --no-print-directory build PRESET=release
	@tools/check

check:
	@tools/check $(T)

host-test: setup
	@$(MAKE) --no-print-directory build/debug/build.ninja PRESET=debug
	@flock build/debug/.lock cmake --build build/debug --target host-tests -- -k 0
	@tools/check -L host

clean:
	@rm -rf build/debug build/release

distclean:
	@rm -rf build
