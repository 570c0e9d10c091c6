#!/usr/bin/env bash
# Every test of plumb in one command, after the same set-up as run.sh: the whole suite in Release (GCC), the suite again under the
# address and undefined-behaviour sanitizers (clang, warnings as errors there too), and what runs on several threads under the
# thread sanitizer. One ctest covers the three builds; its arguments can be given here (./test.sh -R gguf).
set -euo pipefail
# shellcheck source=tools/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/tools/setup.sh"

install_packages test
for preset in release asan tsan; do build "$preset" all; done
fetch_model

mkdir -p "$root/build/all"
printf 'subdirs("%s")\n' "$root"/build/{release,asan,tsan} >"$root/build/all/CTestTestfile.cmake"
cd "$root/build/all"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
exec ctest --output-on-failure --no-tests=error -j "$(nproc 2>/dev/null || echo 2)" "$@"
