#!/usr/bin/env bash
# Runs one libFuzzer target for as long as one likes:
#
#   tools/fuzz.sh TARGET [SECONDS]     TARGET: gguf, tokenizer, template, ... (tests/fuzz/TARGET_fuzz.cpp); default 1200 s
#
# Builds the fuzz preset (clang, address and undefined-behaviour sanitizers) and starts from the committed corpus
# tests/fuzz/corpus/TARGET. What it learns stays in build/fuzz-corpus/TARGET and is used the next time; inputs that crash, hang (30 s)
# or take more than 2 GiB are kept in build/fuzz-findings/TARGET. To keep a case for good, copy it into the committed corpus: the
# tests replay every file there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${1:?usage: tools/fuzz.sh TARGET [SECONDS]}
seconds=${2:-1200}
[ -f "tests/fuzz/${target}_fuzz.cpp" ] || {
  echo "tools/fuzz.sh: expected one of $(cd tests/fuzz && echo *_fuzz.cpp | sed 's/_fuzz\.cpp//g'), got $target" >&2
  exit 2
}
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${target}_fuzz"
learnt=build/fuzz-corpus/$target findings=build/fuzz-findings/$target
mkdir -p "$learnt" "$findings"
dictionary=tests/fuzz/$target.dict
options=(-max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -max_len=65536 -artifact_prefix="$findings/" -print_final_stats=1)
[ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
"build/fuzz/tests/fuzz/${target}_fuzz" "${options[@]}" "$learnt" "tests/fuzz/corpus/$target"
