#!/usr/bin/env bash
# Makes sure that Rust can be built here: cargo, a C compiler and linker (ring has C and assembly), curl for rustup.
# Installs what is missing where we are root, else names the command that does. rust-toolchain.toml names the compiler's version;
# rustup fetches it at the first call of cargo.
set -euo pipefail

die() { printf 'build-tools: %s\n' "$*" >&2; exit 1; }

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
command -v git >/dev/null || packages+=(git)
command -v python3 >/dev/null || packages+=(python3)
command -v cargo >/dev/null || command -v curl >/dev/null || packages+=(curl ca-certificates)

if [ ${#packages[@]} -gt 0 ]; then
  [ "$(id -u)" -eq 0 ] || die "missing; install with: sudo apt-get install -y ${packages[*]}"
  command -v apt-get >/dev/null || die "this is no Debian; install what these packages hold: ${packages[*]}"
  printf 'build-tools: installing %s\n' "${packages[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "${packages[@]}" >&2 ||
    { apt-get update >&2 && apt-get install -y --no-install-recommends "${packages[@]}" >&2; }
fi

command -v cargo >/dev/null ||
  die "cargo is missing; install it with: curl -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal   (then open a new shell)"
