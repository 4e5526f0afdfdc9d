# SPDX-License-Identifier: BSD-3-Clause
# One non-recursive Makefile. `make help` lists the targets.

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
DESTDIR ?=
CC := gcc
SANITIZE ?= 0
V ?= 0

ifeq ($(SANITIZE),1)
BUILD := build/sanitize
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
BUILD := build
SANFLAGS :=
endif

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(2))

# Debian packages. deps.sh installs what is missing; the two lists are printed by `make help`.
PACKAGES := build-essential pkg-config dpdk-dev libdpdk-dev libisal-dev libprotobuf-c-dev \
	protobuf-c-compiler protobuf-compiler libcmocka-dev liburing-dev libuv1-dev libssl-dev libsodium-dev jq \
	libraft-dev redis-tools libcyaml-dev
LINT_PACKAGES := clang-format cppcheck shellcheck
BENCH_PACKAGES := dpdk-dev gnuplot-nox iperf3 rsync nginx-light curl iproute2 jq linux-perf
FUZZ_PACKAGES := clang libclang-rt-14-dev
FUZZ_SECONDS ?= 30
VM_PACKAGES := qemu-system-x86 busybox-static cpio

PKG_CORE := libisal libprotobuf-c libsodium libcrypto
PKG_DISK := liburing
PKG_UV := libuv
PKG_RAFT := raft
PKG_YAML := libcyaml

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wvla -Wundef -Wformat=2
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -DSNAPLINE_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS) $(SANFLAGS) \
	-fPIC -fvisibility=hidden -pthread -I. -I$(BUILD) -MMD -MP
LDFLAGS += $(SANFLAGS) -pthread

# As many jobs as processors, unless the caller has said how many.
jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# Evaluated only when a recipe needs them, so that `make deps` runs before they exist.
core_libs = $(shell pkg-config --libs $(PKG_CORE))
disk_libs = $(shell pkg-config --libs $(PKG_DISK))
uv_libs = $(shell pkg-config --libs $(PKG_UV))
raft_libs = $(shell pkg-config --libs $(PKG_RAFT))
yaml_libs = $(shell pkg-config --libs $(PKG_YAML))
dpdk_cflags = $(shell pkg-config --cflags libdpdk)
dpdk_libs = $(shell pkg-config --libs libdpdk) -lrte_net_ring

PROTOS := braft rpc snapline
PB_SRC := $(PROTOS:%=$(BUILD)/proto/%.pb-c.c)
PB_HDR := $(PROTOS:%=$(BUILD)/proto/%.pb-c.h)

# The layers, from the core outwards. Pure code links without DPDK, libuv and files.
PURE_SRC := $(wildcard dataplane/base/*.c dataplane/*.c control/*.c) hugepages/arena.c hugepages/pool.c
DISK_SRC := hugepages/hugepages.c $(wildcard dataplane/file/*.c control/storage/*.c)
RPC_SRC := $(wildcard control/rpc/*.c)
DPDK_SRC := $(wildcard dataplane/dpdk/*.c)
# The TCP path needs no device: tests of sockets and files may have it.
TCP_SRC := $(wildcard control/node/tcp_*.c)
NODE_SRC := $(wildcard control/node/*.c)
APP_SRC := $(wildcard control/cli/*.c)
# Of the commands, what is tested by itself.
OS_CLI_SRC := $(addprefix control/cli/,config.c foreground.c asker.c)
RAFT_SRC := $(wildcard control/raft/*.c)
# The key-value server: what is pure in it is tested like the core.
KV_PURE_SRC := $(addprefix control/kv/,entry.c keys.c resp.c)
KV_SRC := $(wildcard control/kv/*.c)
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
SIM_LIB_SRC := $(wildcard tests/sim/world/*.c)
DPDK_LIB_SRC := $(wildcard tests/dpdk/world/*.c)

objects = $(patsubst %.c,$(BUILD)/%.o,$(patsubst $(BUILD)/%,%,$(1)))
PB_OBJ := $(PB_SRC:.c=.o)
PURE_OBJ := $(call objects,$(PURE_SRC))
DISK_OBJ := $(call objects,$(DISK_SRC))
RPC_OBJ := $(call objects,$(RPC_SRC))
DPDK_OBJ := $(call objects,$(DPDK_SRC))
TCP_OBJ := $(call objects,$(TCP_SRC))
NODE_OBJ := $(call objects,$(NODE_SRC))
APP_OBJ := $(call objects,$(APP_SRC))
OS_CLI_OBJ := $(call objects,$(OS_CLI_SRC))
RAFT_OBJ := $(call objects,$(RAFT_SRC))
KV_PURE_OBJ := $(call objects,$(KV_PURE_SRC))
KV_OBJ := $(call objects,$(KV_SRC))
# Everything but main(): the program and the library share it.
ALL_OBJ := $(NODE_OBJ) $(RPC_OBJ) $(DPDK_OBJ) $(DISK_OBJ) $(PURE_OBJ) $(PB_OBJ)
TEST_LIB_OBJ := $(call objects,$(TEST_LIB_SRC))
SIM_LIB_OBJ := $(call objects,$(SIM_LIB_SRC))
DPDK_LIB_OBJ := $(call objects,$(DPDK_LIB_SRC))

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
SIM_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/sim/*.c))
# api* know nothing but the public header: they link the shared library and nothing else.
API_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/os/api*.c))
# raft* the same for the layer under libraft.
RAFT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/os/raft*.c))
OS_TESTS := $(filter-out $(API_TESTS) $(RAFT_TESTS),\
	$(patsubst %.c,$(BUILD)/%,$(wildcard tests/os/*.c)))
DPDK_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/dpdk/*.c))
FUZZ_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c))
FUZZ_TARGETS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/targets/*.c))
# Programs of bench/, each linked with what it measures; the other files are theirs to share.
BENCH_PURE := $(BUILD)/bench/core $(BUILD)/bench/crc $(BUILD)/bench/foreground
BENCH_SIM := $(BUILD)/bench/network
BENCH_DPDK := $(BUILD)/bench/port $(BUILD)/bench/pair
BENCH_SHIM := $(BUILD)/bench/far
BENCH_RPC := $(BUILD)/bench/getfile
BENCH := $(BENCH_PURE) $(BENCH_SIM) $(BENCH_DPDK) $(BENCH_SHIM) $(BENCH_RPC)
BENCH_LIB_OBJ := $(BUILD)/bench/end.o $(BUILD)/bench/sample.o $(BUILD)/hugepages/hugepages.o
C_TESTS := $(UNIT_TESTS) $(SIM_TESTS) $(OS_TESTS) $(API_TESTS) $(RAFT_TESTS) $(DPDK_TESTS) $(FUZZ_TESTS)

.PHONY: all deps demo test soak check-tests fuzz fuzz-targets vm bench lint format install \
	uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/snapline $(BUILD)/libsnapline.so $(BUILD)/libsnapline.a $(BUILD)/snapline-kv \
	$(BUILD)/libsnapline_raft.so $(BUILD)/libsnapline_raft.a

help:
	@echo 'make            build snapline, snapline-kv and the libraries into $(BUILD)/'
	@echo 'make demo       install what is missing, build, run the main job'
	@echo 'make test       install what is missing, build, run every test'
	@echo 'make soak       the simulated network over SEEDS=5000 seeds, a cluster for ROUNDS=100,'
	@echo '                a follower that races the log 20 times'
	@echo 'make fuzz       look for inputs that break a decoder, FUZZ_SECONDS=$(FUZZ_SECONDS) a target'
	@echo 'make vm         drivers of PCI NICs on models of them in QEMU, a minute each; NICS="e1000e"'
	@echo 'make bench      all that design and README promise, measured; QUICK=1 in three'
	@echo '                minutes, ROWS="crc memif" only these (see bench/README.md)'
	@echo 'make lint       formatting, cppcheck, shellcheck, layer rules'
	@echo 'make deps       install the Debian packages:'
	@echo '                $(PACKAGES) $(LINT_PACKAGES)'
	@echo '                and for make bench: $(BENCH_PACKAGES)'
	@echo '                and for make vm: $(VM_PACKAGES)'
	@echo 'make install    to $$(DESTDIR)$$(PREFIX); make uninstall takes it back'
	@echo 'make clean      remove build/'
	@echo 'V=1 shows commands, SANITIZE=1 builds with ASan and UBSan into build/sanitize'

# ---- packages ------------------------------------------------------------------------------

deps:
	$(Q)tests/lib/deps.sh $(PACKAGES) $(LINT_PACKAGES)

# ---- objects -------------------------------------------------------------------------------

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h: proto/%.proto
	$(call say,PROTO,$<)
	@mkdir -p $(@D)
	$(Q)protoc-c -Iproto --c_out=$(BUILD)/proto $<

# Generated code is compiled without our warnings.
$(PB_OBJ): %.o: %.c | $(PB_HDR)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(SANFLAGS) -fPIC -I$(BUILD) -I$(BUILD)/proto -c -o $@ $<

$(DPDK_OBJ) $(DPDK_LIB_OBJ) $(DPDK_TESTS:%=%.o): EXTRA_CFLAGS = $(dpdk_cflags) -Wno-undef

$(BUILD)/%.o: %.c | $(PB_HDR)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EXTRA_CFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# ---- programs ------------------------------------------------------------------------------

$(BUILD)/snapline: $(APP_OBJ) $(ALL_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) $(disk_libs) $(uv_libs) $(yaml_libs) $(dpdk_libs)

# The library exports snapline_* and nothing else, in both of its forms.
$(BUILD)/libsnapline.so: $(ALL_OBJ)
	$(call say,LINK,$@)
	$(Q)echo '{ global: snapline_*; local: *; };' >$(BUILD)/exports.map
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libsnapline.so.$(SOVERSION) \
		-Wl,--version-script=$(BUILD)/exports.map -o $@ $^ \
		$(core_libs) $(disk_libs) $(uv_libs) $(dpdk_libs)
	$(Q)ln -sf libsnapline.so $(BUILD)/libsnapline.so.$(SOVERSION)

$(BUILD)/libsnapline.a: $(ALL_OBJ)
	$(call say,AR,$@)
	$(Q)$(LD) -r -o $(BUILD)/libsnapline.o $^
	$(Q)objcopy --wildcard --keep-global-symbol='snapline_*' $(BUILD)/libsnapline.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/libsnapline.o

# The layer for libraft: on top of libsnapline, of whose core it takes what it needs.
$(RAFT_OBJ) $(KV_OBJ): EXTRA_CFLAGS = -Icontrol

$(BUILD)/libsnapline_raft.so: $(RAFT_OBJ) $(BUILD)/libcore.a $(BUILD)/libsnapline.so
	$(call say,LINK,$@)
	$(Q)echo '{ global: snapline_raft_*; local: *; };' >$(BUILD)/raft_exports.map
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libsnapline_raft.so.$(SOVERSION) \
		-Wl,--version-script=$(BUILD)/raft_exports.map -o $@ $(RAFT_OBJ) \
		$(BUILD)/libcore.a -L$(BUILD) -lsnapline $(raft_libs) $(core_libs) $(uv_libs)
	$(Q)ln -sf libsnapline_raft.so $(BUILD)/libsnapline_raft.so.$(SOVERSION)

$(BUILD)/libsnapline_raft.a: $(RAFT_OBJ) $(BUILD)/libcore.a
	$(call say,AR,$@)
	$(Q)$(LD) -r -o $(BUILD)/libsnapline_raft.o $^
	$(Q)objcopy --wildcard --keep-global-symbol='snapline_raft_*' $(BUILD)/libsnapline_raft.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/libsnapline_raft.o

$(BUILD)/libcore.a: $(PURE_OBJ) $(PB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/snapline-kv: $(KV_OBJ) $(RAFT_OBJ) $(ALL_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(raft_libs) $(core_libs) $(disk_libs) $(uv_libs) $(dpdk_libs)

# The link line is the proof of purity: unit and sim tests get no DPDK, libuv or disk code.
$(UNIT_TESTS): %: %.o $(TEST_LIB_OBJ) $(KV_PURE_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) -lcmocka

$(SIM_TESTS): %: %.o $(SIM_LIB_OBJ) $(TEST_LIB_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) -lcmocka

# One entry a target in a fuzzer, all of them side by side in the test that replays them.
$(FUZZ_TARGETS:%=%.o): EXTRA_CFLAGS = $(if $(FUZZER),,-DLLVMFuzzerTestOneInput=fuzz_$(*F))
$(BUILD)/tests/fuzz/corpus: $(FUZZ_TARGETS:%=%.o)

$(FUZZ_TARGETS): %: %.o $(KV_PURE_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(FUZZER) -o $@ $^ $(core_libs)

fuzz-targets: $(FUZZ_TARGETS)

$(FUZZ_TESTS): %: %.o $(SIM_LIB_OBJ) $(TEST_LIB_OBJ) $(KV_PURE_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) -lcmocka

$(OS_TESTS): %: %.o $(TEST_LIB_OBJ) $(BUILD)/control/kv/image.o $(OS_CLI_OBJ) $(KV_PURE_OBJ) $(TCP_OBJ) $(RPC_OBJ) $(DISK_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) $(disk_libs) $(uv_libs) $(yaml_libs) -lcmocka

$(API_TESTS:%=%.o): EXTRA_CFLAGS = -Icontrol
$(API_TESTS): %: %.o $(BUILD)/libsnapline.so
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -L$(BUILD) -lsnapline -Wl,-rpath,$(abspath $(BUILD)) \
		-lcmocka

$(RAFT_TESTS:%=%.o): EXTRA_CFLAGS = -Icontrol -Icontrol/raft
$(RAFT_TESTS): %: %.o $(BUILD)/libsnapline_raft.so
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -L$(BUILD) -lsnapline_raft -Wl,--no-as-needed -lsnapline \
		-Wl,-rpath,$(abspath $(BUILD)) $(raft_libs) $(uv_libs)

$(DPDK_TESTS): %: %.o $(DPDK_LIB_OBJ) $(TEST_LIB_OBJ) $(DPDK_OBJ) $(DISK_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) $(disk_libs) $(dpdk_libs) -lcmocka

# ---- running -------------------------------------------------------------------------------

demo:
	$(Q)tests/lib/deps.sh $(PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) all
	$(Q)tests/e2e/demo.sh $(BUILD)/snapline

test:
	$(Q)tests/lib/deps.sh $(PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) all check-tests
	$(Q)tests/run.sh $(BUILD)

# The bench is compiled with them, so that it does not rot.
check-tests: $(C_TESTS) $(BENCH)

# The simulated network over many seeds: SEEDS=5000, or SEED=n for one of them again. Then
# a real Raft group under faults, ROUNDS=100.
SEEDS ?= 5000
ROUNDS ?= 100
SOAK := $(addprefix $(BUILD)/tests/sim/,matrix loss corruption congestion incast flow sessions strangers)
soak:
	$(Q)tests/lib/deps.sh $(PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) all $(SOAK)
	$(Q)set -e; for test in $(SOAK); do SEEDS=$(SEEDS) $$test; done
	$(Q)ROUNDS=$(ROUNDS) tests/soak/cluster.sh $(BUILD)/snapline
	$(Q)ROUNDS=20 tests/e2e/converge.sh $(BUILD)/snapline

fuzz:
	$(Q)tests/lib/deps.sh $(PACKAGES) $(FUZZ_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) BUILD=$(BUILD)/fuzz CC=clang \
		FUZZER=-fsanitize=fuzzer SANFLAGS='-fsanitize=address,undefined,fuzzer-no-link \
		-fno-sanitize-recover=undefined -fno-omit-frame-pointer' fuzz-targets
	$(Q)tests/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

# The models of QEMU: e1000e vmxnet3 virtio-net-pci, unless NICS says which.
NICS ?=
vm:
	$(Q)tests/lib/deps.sh $(PACKAGES) $(VM_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) $(BUILD)/snapline
	$(Q)tests/vm/run.sh $(BUILD)/snapline $(NICS)

# QUICK=1: smaller and fewer; ROWS="crc memif": only these.
QUICK ?=
ROWS ?=
bench:
	$(Q)tests/lib/deps.sh $(PACKAGES) $(BENCH_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(jobs) $(BUILD)/snapline $(BENCH)
	$(Q)QUICK='$(QUICK)' ROWS='$(ROWS)' bench/run.sh $(BUILD)

$(BUILD)/bench/foreground: $(BUILD)/control/cli/foreground.o $(BUILD)/control/rpc/address.o
$(BENCH_PURE): %: %.o $(BENCH_LIB_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs)

$(BENCH_SIM): %: %.o $(BENCH_LIB_OBJ) $(SIM_LIB_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) -lcmocka

$(BENCH_SHIM): $(BUILD)/tests/dpdk/world/shim.o $(BUILD)/tests/dpdk/world/sight.o
$(BENCH_DPDK) $(BENCH_SHIM): %: %.o $(BUILD)/bench/ports.o $(BENCH_LIB_OBJ) $(DPDK_OBJ) $(DISK_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) $(disk_libs) $(dpdk_libs)

$(BENCH_RPC): %: %.o $(BENCH_LIB_OBJ) $(RPC_OBJ) $(DISK_OBJ) $(PURE_OBJ) $(PB_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(core_libs) $(disk_libs) $(uv_libs)

# ---- quality -------------------------------------------------------------------------------

C_FILES = $(shell find control dataplane hugepages tests bench -name '*.[ch]' | sort)
SH_FILES = $(shell find hugepages tests bench -name '*.sh' | sort) .ci/run

lint:
	$(Q)tests/lib/deps.sh $(PACKAGES) $(LINT_PACKAGES)
	$(call say,FMT,'clang-format --dry-run')
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(call say,CHECK,cppcheck)
	$(Q)mkdir -p $(BUILD)/cppcheck
	$(Q)cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j2 \
		--cppcheck-build-dir=$(BUILD)/cppcheck \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		-I. $(filter %.c,$(C_FILES))
	$(call say,CHECK,shellcheck)
	$(Q)shellcheck -x -P SCRIPTDIR $(SH_FILES)
	$(call say,CHECK,tests/layers.sh)
	$(Q)tests/layers.sh

format:
	$(Q)clang-format -i $(C_FILES)

install: all
	install -D -m 755 $(BUILD)/snapline $(DESTDIR)$(PREFIX)/bin/snapline
	install -D -m 755 $(BUILD)/snapline-kv $(DESTDIR)$(PREFIX)/bin/snapline-kv
	install -D -m 755 hugepages/hugepages.sh $(DESTDIR)$(PREFIX)/libexec/snapline/hugepages.sh
	install -D -m 644 control/snapline.h $(DESTDIR)$(PREFIX)/include/snapline.h
	install -D -m 644 $(BUILD)/libsnapline.a $(DESTDIR)$(PREFIX)/lib/libsnapline.a
	install -D -m 755 $(BUILD)/libsnapline.so \
		$(DESTDIR)$(PREFIX)/lib/libsnapline.so.$(VERSION)
	ln -sf libsnapline.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libsnapline.so.$(SOVERSION)
	ln -sf libsnapline.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/libsnapline.so
	install -D -m 644 control/raft/snapline_raft.h $(DESTDIR)$(PREFIX)/include/snapline_raft.h
	install -D -m 644 $(BUILD)/libsnapline_raft.a $(DESTDIR)$(PREFIX)/lib/libsnapline_raft.a
	install -D -m 755 $(BUILD)/libsnapline_raft.so \
		$(DESTDIR)$(PREFIX)/lib/libsnapline_raft.so.$(VERSION)
	ln -sf libsnapline_raft.so.$(VERSION) \
		$(DESTDIR)$(PREFIX)/lib/libsnapline_raft.so.$(SOVERSION)
	ln -sf libsnapline_raft.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/libsnapline_raft.so
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: snapline' \
		'Description: Raft snapshots at the speed of the network card' \
		'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' \
		'Libs: -L$${prefix}/lib -lsnapline' \
		'Libs.private: $(core_libs) $(disk_libs) $(uv_libs) $(dpdk_libs)' \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/snapline.pc
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: snapline_raft' \
		'Description: libraft catches its followers up through Snapline' \
		'Version: $(VERSION)' 'Requires: snapline raft libuv' \
		'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lsnapline_raft' \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/snapline_raft.pc

INSTALLED := bin/snapline libexec/snapline/hugepages.sh include/snapline.h lib/libsnapline.a \
	lib/libsnapline.so.$(VERSION) lib/libsnapline.so.$(SOVERSION) lib/libsnapline.so \
	lib/pkgconfig/snapline.pc bin/snapline-kv include/snapline_raft.h lib/libsnapline_raft.a \
	lib/libsnapline_raft.so.$(VERSION) lib/libsnapline_raft.so.$(SOVERSION) \
	lib/libsnapline_raft.so lib/pkgconfig/snapline_raft.pc

uninstall:
	rm -f $(INSTALLED:%=$(DESTDIR)$(PREFIX)/%)

clean:
	$(Q)rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
