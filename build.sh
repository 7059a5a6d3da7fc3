#!/bin/bash
#
# The door for users: checks what is needed, installs what is missing (root on Debian) or says what to install, and
# calls make. Else nothing of the machine is touched but caches in the home directory.
set -euo pipefail
cd "$(dirname "$0")"
# Where Debian keeps commands like nft, which is not on everybody's PATH.
export PATH=$PATH:/usr/sbin:/sbin

usage() {
    cat <<'END'
./build.sh plugin          build the plugin and print where it is
./build.sh dist            build the plugin for every platform, test what can be tested, print where it is
./build.sh demo [--stay]   start a server with the plugin and watch what it does (--stay: keep the server up)
./build.sh test            every test of the plugin for this machine
./build.sh help            this text; `make help` lists what developers need
END
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

# --- What is needed ---------------------------------------------------------------------------------------------------

missing=()

# need PACKAGE TEST...: the package is missing unless the test succeeds.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# A command on the PATH; what only the shell has built in does not count.
has() { type -P "$1" >/dev/null; }

# A C header or library that the compiler finds; without a compiler nothing is found.
has_header() { has gcc && echo "#include <$1>" | gcc -fsyntax-only -xc -; }
has_archive() { has gcc && [ -f "$(gcc -print-file-name="$1")" ]; }

# A JDK that compiles, of a version that knows how to make the jar, with the headers of JNI.
has_jdk() {
    has javac && has jar || return 1
    local version home
    version=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    home=$(readlink -f "$(command -v javac)")
    [ "${version:-0}" -ge 17 ] && [ -f "${home%/bin/javac}/include/jni.h" ]
}

# clang comes without what -fsanitize=fuzzer links; the package that has it carries clang's version in its name.
has_fuzzer() {
    has clang || return 1
    local found=("$(clang -print-resource-dir)"/lib/*/libclang_rt.fuzzer*.a)
    [ -f "${found[0]}" ]
}

fuzzer_package() {
    local version
    if has clang; then
        version=$(clang -dumpversion)
    else
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
    fi
    version=${version%%.*}
    echo "libclang-rt-${version:-14}-dev"
}

find_missing() {
    missing=()
    need gcc has gcc
    need libc6-dev has_header stdio.h
    need binutils has readelf
    need make has make
    need libssl-dev has_header openssl/evp.h
    need libssl-dev has_archive libcrypto.a
    need default-jdk-headless has_jdk
    need maven has mvn
    [ -f "$(make_jansson)" ] || {
        # What apt-get needs to fetch and unpack a source package.
        need dpkg-dev has dpkg-source
        need xz-utils has xz
        need patch has patch
    }
    [ "$1" != dist ] || {
        # What fetches and builds for other systems, and what runs it.
        need python3-venv /usr/bin/python3 -c 'import venv, ensurepip'
        need perl perl -e 'use IPC::Cmd; use Pod::Usage; use FindBin'
        need cargo-web has_cargo
        need dpkg-dev has dpkg-source
        need xz-utils has xz
        need patch has patch
        need unzip has unzip
        need qemu-user-static has qemu-aarch64-static
        need libc6-arm64-cross test -f /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1
        need musl test -f "/lib/ld-musl-$(uname -m).so.1"
        need wine64 test -x /usr/lib/wine/wine64
        # What keeps the bill of materials to its schema.
        need python3-jsonschema /usr/bin/python3 -c 'import jsonschema'
        # Java for other systems, from PyPI.
        need python3-pip python3 -m pip --version
    }
    [ "$1" = test ] || return 0
    need libcmocka-dev has_header_cmocka
    need clang has clang
    has_fuzzer || missing+=("$(fuzzer_package)")
    need clang-format has clang-format
    need clang-tidy has clang-tidy
    need shellcheck has shellcheck
    # Prometheus' own parsers.
    need python3-prometheus-client has_prometheus_client
    # A jar is looked into.
    need unzip has unzip
    # Clients that are stopped and links that are cut.
    need procps has kill
    need nftables has nft
    # A younger Java, from PyPI.
    need python3-pip python3 -m pip --version
    # A client over WebSocket.
    need nodejs has node
    need npm has npm
    # A database that is not embedded.
    need postgresql has_postgresql
    # A browser for the pages of the console, what drives it, and the letters of the languages that they are in.
    need chromium has chromium
    need chromium-driver has chromedriver
    need fonts-noto-cjk has_font NotoSansCJK
}

# Debian keeps its programs where no PATH leads.
has_postgresql() { [ -n "$(find /usr/lib/postgresql -name initdb -print -quit 2>/dev/null)" ]; }

has_font() { [ -n "$(find /usr/share/fonts -name "$1*" -print -quit 2>/dev/null)" ]; }

make_jansson() { echo "$(native/deps/jansson --where)/lib/libjansson.a"; }

# One that knows the registry's present protocol; Debian 12 calls it cargo-web.
has_cargo() { has cargo && cargo --version | awk -F'[ .]' '{ exit !($2 > 1 || $3 >= 70) }'; }

# cmocka.h wants these before it.
has_header_cmocka() {
    has gcc && printf '#include <%s>\n' stdarg.h stddef.h stdint.h setjmp.h cmocka.h | gcc -fsyntax-only -xc -
}

has_prometheus_client() { /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser'; }

is_debian() { [ -r /etc/os-release ] && grep -qE '^ID="?debian"?$' /etc/os-release; }

# quietly NAME COMMAND...: shows its output only if it fails.
quietly() {
    local log=build/log/$1.log
    shift
    mkdir -p build/log
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 30 "$log" >&2
        die "'$*' failed; all of it is in $log"
    }
}

install() {
    find_missing "$1"
    [ ${#missing[@]} -gt 0 ] || return 0
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if ! is_debian; then
        die "this is not Debian, and something is missing. Debian's packages of it are called: ${missing[*]}"
    fi
    if [ "$(id -u)" != 0 ]; then
        cat >&2 <<END
build.sh: these packages are missing: ${missing[*]}
Install them as root and come back:

    apt-get update && apt-get install --no-install-recommends ${missing[*]}

END
        exit 1
    fi
    echo "Updating the package lists"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-update apt-get -q -o DPkg::Lock::Timeout=300 update
    # Only now is it known which clang is Debian's.
    find_missing "$1"
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    echo "Installing ${missing[*]}"
    quietly apt-install apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}"
    hash -r
    find_missing "$1"
    [ ${#missing[@]} = 0 ] || die "still missing after installing them: ${missing[*]}"
}

# --- Commands ---------------------------------------------------------------------------------------------------------

jobs=-j$(nproc)

case ${1-help} in
plugin)
    install plugin
    echo "Building the plugin"
    make --no-print-directory "$jobs" plugin
    echo "$PWD/build/heartbeat.jar"
    ;;
dist)
    install dist
    echo "Building the plugin for every platform"
    make --no-print-directory "$jobs" dist
    make --no-print-directory "$jobs" dist-test
    echo "$PWD/build/dist/heartbeat.jar"
    ;;
demo)
    install demo
    shift
    make --no-print-directory "$jobs" plugin
    exec make --no-print-directory demo ARGS="$*"
    ;;
test)
    install test
    exec make --no-print-directory "$jobs" test
    ;;
help | --help | -h)
    usage
    ;;
*)
    usage >&2
    exit 1
    ;;
esac
