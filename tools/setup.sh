# What run.sh and test.sh share; sourced by them. Makes a bare Debian 12 ready to build plumb (what is missing comes from the
# package manager), builds a preset, and puts the default model into the model folder. Everything it has to say goes to stderr.
# Homebrew's names are used on macOS, untested.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

debian_build="g++ cmake ninja-build pkg-config libfmt-dev libcli11-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev
  libedit-dev libgtest-dev libgmock-dev libbenchmark-dev"
debian_test="clang libclang-rt-14-dev llvm clang-format"
debian_emulation="g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" # tests of the NEON kernels on x86-64
homebrew_build="cmake ninja pkg-config fmt cli11 nlohmann-json pcre2 utf8proc libedit googletest google-benchmark rust"
homebrew_test="llvm clang-format"
cargo_needed=1.85 # what src/text/jinja asks for

say() { echo "plumb: $*" >&2; }
die() {
  say "$@"
  exit 1
}

# quietly COMMAND ...: its output is shown only when it fails.
quietly() {
  local log
  log=$(mktemp)
  if "$@" >"$log" 2>&1 </dev/null; then
    rm -f "$log"
  else
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "failed: $*"
  fi
}

is_debian_12() { grep -qx 'ID=debian' /etc/os-release 2>/dev/null && grep -qx 'VERSION_ID="12"' /etc/os-release; }

is_aarch64() { [[ "$(uname -m)" =~ ^(aarch64|arm64)$ ]]; }

can_emulate_aarch64() {
  ! is_aarch64 && [ -e /usr/src/googletest/CMakeLists.txt ] && command -v aarch64-linux-gnu-g++ >/dev/null &&
    command -v qemu-aarch64 >/dev/null
}

cargo_is_new_enough() {
  local have
  have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || return 1
  [ "$(printf '%s\n' "$cargo_needed" "$have" | sort -V | head -n 1)" = "$cargo_needed" ]
}

# missing_debian PACKAGE ...: those that are not installed.
missing_debian() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  for package in "$@"; do grep -qxF -- "$package" <<<"$installed" || echo "$package"; done
}

# install_debian PACKAGE ...: asks the package manager only when something is missing.
install_debian() {
  local missing as_root=()
  mapfile -t missing < <(missing_debian "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "neither root nor sudo; as root, please: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing with apt-get: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  quietly "${apt[@]}" update
  quietly "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

install_homebrew() {
  local missing
  command -v brew >/dev/null || die "needs Homebrew for: $*"
  missing=$(comm -23 <(printf '%s\n' "$@" | sort) <(brew list --formula -1 | sort))
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # a list of names
  say "installing with brew:" $missing
  # shellcheck disable=SC2086
  quietly brew install -q $missing
}

# install_packages build | test: what building needs, or that and what testing needs too.
install_packages() {
  local debian=$debian_build homebrew=$homebrew_build
  if [ "$1" = test ]; then debian+=" $debian_test" homebrew+=" $homebrew_test"; fi
  if [ "$1" = test ] && [ "$(uname -m)" = x86_64 ]; then debian+=" $debian_emulation"; fi
  # shellcheck disable=SC2086 # lists of names
  if is_debian_12; then
    cargo_is_new_enough || debian+=" cargo-web"
    model_is_there || python3 -m pip --version >/dev/null 2>&1 || debian+=" python3-pip"
    install_debian $debian
  elif [ "$(uname)" = Darwin ]; then
    install_homebrew $homebrew
  elif [ ! -e "$root/build/release/build.ninja" ]; then
    say "this script installs packages on Debian 12 only; here, please see to these yourself:" $debian "cargo >= $cargo_needed"
  fi
}

# configure PRESET: when it has not been done with these presets. Ninja sees every other change by itself.
configure() {
  [ "$root/build/$1/build.ninja" -nt "$root/CMakePresets.json" ] || (cd "$root" && quietly cmake --preset "$1")
}

# build PRESET TARGET ...: with ninja's progress where there is something to do; one at a time.
build() {
  mkdir -p "$root/build"
  (
    ! command -v flock >/dev/null || flock 9
    build_alone "$@" 9>&-
  ) 9>"$root/build/.lock"
}

build_alone() {
  local preset=$1 stamp="$root/build/$1/.built-$2"
  shift
  configure "$preset"
  if [ -e "$stamp" ] && [ -z "$(find "$root"/{src,apps,tests,cmake,CMakeLists.txt} -newer "$stamp" -print -quit)" ]; then
    quietly cmake --build "$root/build/$preset" --target "$@"
  else
    say "building ($preset)"
    cmake --build "$root/build/$preset" --target "$@" >&2 </dev/null || die "the $preset build failed"
    touch "$stamp"
  fi
}

model_is_there() { python3 "$root/tools/fetch_model.py" --is-there; }

# fetch_model: the default model, once.
fetch_model() {
  model_is_there || python3 "$root/tools/fetch_model.py" </dev/null >&2 || die "no default model"
}
