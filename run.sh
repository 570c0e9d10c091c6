#!/usr/bin/env bash
# plumb in one command: installs what building needs, builds, fetches the default model (each only where missing), and runs plumb
# with the arguments given here; without any it answers a default prompt.
#   ./run.sh      ./run.sh chat      ./run.sh run -p "Why is the sky blue?"      ./run.sh --help
set -euo pipefail
# shellcheck source=tools/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/tools/setup.sh"

install_packages build
build release plumb
fetch_model
[ $# -gt 0 ] || set -- run -p "Explain in three sentences how a water wheel turns a river into work."
exec "$root/build/release/apps/plumb/plumb" "$@"
