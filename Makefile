# Holdfast's one-word commands. `make demo` and `make test` do all the set-up they need.
#   make demo                    the main loop on real data (KEEP=1 leaves it running)
#   make test [SUITE=unit|contract|system|clients|blob|inference|faults|check]
#   make bench [BENCH=loop|blob|blob.get_4k]   ratios against peers and physical limits
#   make faults [SUITE=kill] [SEED=1] [N=50] [BREAK=fsync]   the long fault campaigns; BREAK: a broken build that must be found out
#   make kernel-tls              files by kernel TLS, shown in a virtual machine (needs qemu)
#   make fuzz [TARGET=infer] [SECONDS=60]      libFuzzer over what comes from outside
#   make check                   format, tidy, include rules, sizes, shell scripts
.DEFAULT_GOAL := build
# ccache goes by the compiler's list of headers: no run of the preprocessor before each compilation.
export CCACHE_DEPEND := true
.PHONY: setup peers build demo test bench faults kernel-tls fuzz check clean

setup:
	@scripts/setup

peers:
	@scripts/setup --peers

build: setup
	@[ -f build/release/build.ninja ] || cmake --preset release
	@cmake --build --preset release

demo: build
	@.deps/venv/bin/python examples/digits/demo.py

test: build
	@scripts/test $(SUITE)

bench: peers build
	@.deps/venv/bin/python bench/run.py $(BENCH)

faults: build
	@.deps/venv/bin/python tests/faults/campaign.py --suite "$(or $(SUITE),kill)" --seed "$(or $(SEED),1)" --count "$(or $(N),50)" $(if $(BREAK),--break $(BREAK))

kernel-tls: build
	@.deps/venv/bin/python tests/vm/kernel_tls.py

fuzz: setup
	@scripts/fuzz "$(or $(TARGET),all)" "$(or $(SECONDS),60)"

check: build
	@scripts/check

clean:
	rm -rf build
