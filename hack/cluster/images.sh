#!/usr/bin/env bash
# Makes container images out of what this machine has, and loads them into the cluster $ID; nothing is pulled.
#
#   hack/cluster/images.sh        pilothouse and the test application from the last build, into the running cluster
#   hack/cluster/images.sh base   the images that only a changed pin changes: pause, CoreDNS, both Envoys
#   hack/cluster/images.sh ours   as without a word
#   hack/cluster/images.sh load   all of them, into a cluster that comes up
#
# The names: pilothouse.local/pilothouse:dev, pilothouse.local/app:dev (the test application and client, with busybox and curl),
# pilothouse.local/envoy:v1.37.0 and :v1.40.0 (Envoy and nothing else, as in its distroless image).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

built=${PILOTHOUSE_BUILT:-${CARGO_TARGET_DIR:-$tree/target}/debug}
envoys=(1.37.0 1.40.0)

# Copies programs of this machine into a root folder, with the libraries they name.
put() {
  local root=$1 file library
  shift
  for file; do
    [ -e "$root$file" ] || { mkdir -p "$root$(dirname "$file")"; cp -L "$file" "$root$file"; }
    for library in $(ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' || true); do
      mkdir -p "$root$(dirname "$library")"
      cp -Lnu "$library" "$root$library"
    done
  done
}

# Libraries of a program that stands elsewhere than in the image.
put_libraries() {
  local root=$1 library
  for library in $(ldd "$2" | grep -oE '/[^ ]+'); do
    mkdir -p "$root$(dirname "$library")"
    cp -Lnu "$library" "$root$library"
  done
}

# What every image has: users, a name service, roots of the web.
skeleton() {
  local root=$1
  mkdir -p "$root"/{etc/ssl/certs,tmp,proc,sys,dev,run,var/run,usr/local/bin}
  chmod 1777 "$root/tmp"
  printf 'root:x:0:0::/:/bin/sh\nistio-proxy:x:1337:1337::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nistio-proxy:x:1337:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
}

make_pause() {
  gcc -static -Os -s -o "$1/pause" "$here/pause/pause.c"
  python3 "$here/image.py" "$2" "$registry/pause:1" "$1" --entrypoint /pause --user 65535:65535
}

make_coredns() {
  mkdir "$1/tmp"
  cp "$3" "$1/coredns"
  python3 "$here/image.py" "$2" "$registry/coredns:1" "$1" --entrypoint /coredns
}

make_envoy() {
  skeleton "$1"
  put_libraries "$1" "$3"
  cp "$3" "$1/usr/local/bin/envoy"
  python3 "$here/image.py" "$2" "$registry/envoy:v$4" "$1" --entrypoint /usr/local/bin/envoy
}

# The programs that `pilothouse capture` runs: iptables, of the kernel's newer interface, and ip.
make_pilothouse() {
  local root=$1 iptables plugins name
  skeleton "$root"
  iptables=$(readlink -f "$(command -v xtables-nft-multi)")
  plugins=$(dpkg -L iptables | sed -n 's#/[^/]*\.so$##p' | sort -u)
  put "$root" "$iptables" "$(readlink -f "$(command -v ip)")"
  mkdir -p "$root$plugins" "$root/usr/sbin"
  cp -L "$plugins"/*.so "$root$plugins/"
  for name in {iptables,ip6tables}{,-save,-restore}; do ln -sf "$iptables" "$root/usr/sbin/$name"; done
  ln -sf "$(readlink -f "$(command -v ip)")" "$root/usr/sbin/ip"
  put_libraries "$root" "$3"
  strip -o "$root/usr/local/bin/pilothouse" "$3"
  python3 "$here/image.py" "$2" "$registry/pilothouse:dev" "$root" --entrypoint /usr/local/bin/pilothouse --user 65534:65534
}

make_app() {
  local root=$1 name
  skeleton "$root"
  put_libraries "$root" "$3"
  strip -o "$root/usr/local/bin/e2e" "$3"
  mkdir -p "$root/bin"
  cp -L "$(command -v busybox)" "$root/bin/busybox"
  for name in $("$root/bin/busybox" --list | grep -vx busybox); do ln -s busybox "$root/bin/$name"; done
  put "$root" "$(readlink -f "$(command -v curl)")"
  # The C library opens these by name when it resolves one.
  for name in $(ldconfig -p | sed -n 's/.*=> \(.*libnss_\(dns\|files\)\.so.*\)/\1/p'); do put "$root" "$name"; done
  python3 "$here/image.py" "$2" "$registry/app:dev" "$root" --entrypoint /usr/local/bin/e2e --user 65534:65534
}

# image FOLDER NAME RECIPE PROGRAM [WORD...]: makes FOLDER/NAME.tar unless it was made from this very program by this very recipe.
image() {
  local folder=$1 name=$2 recipe=$3 program=$4 stamp root
  shift 4
  stamp=$({ cat "$here/image.py"; declare -f put put_libraries skeleton "$recipe"; stat -Lc '%n %s %y' "$program"; } | sha256sum)
  [ "$(cat "$folder/$name.stamp" 2>/dev/null)" != "$stamp" ] || return 0
  root=$(mktemp -d)
  chmod 755 "$root"
  "$recipe" "$root" "$folder/$name.tar.part" "$program" "$@"
  rm -rf "$root"
  mv "$folder/$name.tar.part" "$folder/$name.tar"
  echo "$stamp" >"$folder/$name.stamp"
}

base() {
  local version missing=
  for version in "${envoys[@]}"; do [ -x "$("$here/../tools.sh" envoy-path "$version")" ] || missing=yes; done
  [ -z "$missing" ] || "$here/../tools.sh" envoy
  mkdir -p "$images"
  # Two runs at the same time would write the same files.
  exec 6>"$images/.lock"
  flock 6
  image "$images" pause make_pause "$here/pause/pause.c"
  image "$images" coredns make_coredns "$("$here/build.sh" folders | cut -d : -f 2)/coredns"
  for version in "${envoys[@]}"; do
    image "$images" "envoy-$version" make_envoy "$("$here/../tools.sh" envoy-path "$version")" "$version"
  done
  exec 6>&-
}

ours() {
  local name
  for name in pilothouse e2e; do
    [ -x "$built/$name" ] || die "$built/$name is missing; make cluster builds it"
  done
  image "$run/images" pilothouse make_pilothouse "$built/pilothouse"
  image "$run/images" app make_app "$built/e2e"
}

# Loads image files that the node does not have yet.
load() {
  local file stamp loaded
  until inside test -S /run/containerd/containerd.sock; do alive || die "$ID has ended"; sleep 0.05; done
  mkdir -p "$run/images/loaded"
  for file; do
    stamp=$(cat "${file%.tar}.stamp")
    loaded=$run/images/loaded/$(basename "$file")
    [ "$(cat "$loaded" 2>/dev/null)" != "$stamp" ] || continue
    "$here/ctr.sh" images import --all-platforms --local "$file" >>"$run/log/images.log" 2>&1 || { tail -3 "$run/log/images.log" >&2; die "loading $file failed"; }
    echo "$stamp" >"$loaded"
  done
}

bases=("$images"/{pause,coredns}.tar)
for version in "${envoys[@]}"; do bases+=("$images/envoy-$version.tar"); done

case ${1:-ours} in
  base) base ;;
  ours)
    alive || die "$ID does not run; make cluster brings it up"
    ours
    load "$run"/images/{pilothouse,app}.tar
    ;;
  load)
    ours &
    load "${bases[@]}"
    wait $!
    load "$run"/images/{pilothouse,app}.tar
    ;;
  *) die "unknown: $1 (base, ours, load)" ;;
esac
