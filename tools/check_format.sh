#!/usr/bin/env bash
# Is every C++ file as clang-format wants it? With --fix it makes it so. Debian 12's clang-format (14) is the judge.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(--dry-run -Werror)
[ "${1:-}" != --fix ] || mode=(-i)
find src apps tests \( -name '*.h' -o -name '*.cpp' \) -print0 | xargs -0 clang-format "${mode[@]}"
