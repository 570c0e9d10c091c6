#!/usr/bin/env bash
# Every test of plumb in one command, after the same set-up as run.sh: the whole suite in Release (GCC), the suite again under the
# address and undefined-behaviour sanitizers (clang, warnings as errors there too), what runs on several threads under the
# thread sanitizer, and the backends on AArch64 processors that qemu emulates, so that the NEON kernels run on other machines too.
# One ctest covers the builds; its arguments can be given here (./test.sh -R gguf).
set -euo pipefail
# shellcheck source=tools/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/tools/setup.sh"

install_packages test
presets=(release asan tsan)
if can_emulate_aarch64; then
  presets+=(neon)
elif ! is_aarch64; then
  say "without aarch64-linux-gnu-g++, /usr/src/googletest and qemu-aarch64 the NEON kernels are not tested"
fi
for preset in "${presets[@]}"; do build "$preset" all; done
fetch_model

mkdir -p "$root/build/all"
printf 'subdirs("%s")\n' "${presets[@]/#/$root/build/}" >"$root/build/all/CTestTestfile.cmake"
cd "$root/build/all"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
exec ctest --output-on-failure --no-tests=error -j "$(nproc 2>/dev/null || echo 2)" "$@"
