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
[ $# -gt 0 ] || set -- run -n 200 -p "What is the capital of France, and what is it known for?"
exec "$root/build/release/apps/plumb/plumb" "$@"
