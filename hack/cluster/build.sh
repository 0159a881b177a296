#!/usr/bin/env bash
# Builds every program of the test cluster once, from the pinned Go modules beside this file: kube/ (Kubernetes and etcd) and node/
# (containerd, its shim and ctr, runc, the CNI plugins, CoreDNS). They are kept outside the tree, below $PILOTHOUSE_CACHE, under a key
# made of everything that decides what comes out; so a fresh clone finds them again, and a changed pin builds what it changes.
#
#   hack/cluster/build.sh           build what is missing
#   hack/cluster/build.sh folders   print the folders that hold the programs, as a search path
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${PILOTHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pilothouse}/cluster

say() { printf 'cluster: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The version a module is pinned to, as its go.mod says.
pin() { awk -v module="$2" '$1 == module && $2 ~ /^v/ { print $2; exit } $2 == module && $3 ~ /^v/ { print $3; exit }' "$here/$1/go.mod"; }

started=$SECONDS
elapsed() { printf '%d:%02d' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

# Says every quarter of a minute how many packages the compiler has named; keeps what it said.
progress() {
  local most=$1 log=$2 line next=$((SECONDS + 15))
  while :; do
    if IFS= read -r -t 15 line; then
      printf '%s\n' "$line" >>"$log"
    elif [ $? -le 128 ]; then
      return
    fi
    if [ "$SECONDS" -ge "$next" ]; then
      say "$(elapsed)  $(wc -l <"$log") of at most $most packages compiled"
      next=$((SECONDS + 15))
    fi
  done
}

# compile MODULE CGO TAGS LINKER-FLAGS TARGET PACKAGE...
compile() {
  local module=$1 tags=$3 flags=$4 target=$5 log most
  local -x CGO_ENABLED=$2 GOFLAGS=
  shift 5
  log=$(mktemp)
  # Looking at all packages fetches them.
  if ! { most=$(cd "$here/$module" && go list -mod=readonly -tags "$tags" -deps "$@" 2>"$log" | wc -l) && : >"$log" &&
         (cd "$here/$module" && nice go build -v -mod=readonly -trimpath -buildvcs=false -tags "$tags" -ldflags "-s -w $flags" \
            -o "$target" "$@" 2>&1) | progress "$most" "$log"; }; then
    tail -20 "$log" >&2
    rm -f "$log"
    die "building the programs of hack/cluster/$module failed"
  fi
  rm -f "$log"
}

build_kube() {
  local version out=$kube.part
  version=$(pin kube k8s.io/kubernetes)
  rm -rf "$out" "$kube"
  mkdir -p "$out"
  say "$(elapsed)  Kubernetes $version and etcd $(pin kube go.etcd.io/etcd/server/v3)"
  compile kube 0 "" "-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=$(cut -d . -f 2 <<<"$version")" "$out/" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl}
  compile kube 0 "" "" "$out/etcd" go.etcd.io/etcd/server/v3
  touch "$out/.complete"
  mv "$out" "$kube"
}

build_node() {
  local version out=$node.part
  version=$(pin node github.com/containerd/containerd/v2)
  rm -rf "$out" "$node"
  mkdir -p "$out"
  say "$(elapsed)  containerd $version, runc $(pin node github.com/opencontainers/runc), CoreDNS $(pin node github.com/coredns/coredns)"
  compile node 0 "no_btrfs no_zfs no_devmapper no_aufs" "-X github.com/containerd/containerd/v2/version.Version=$version" "$out/" \
    github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
  compile node 1 "runc_nocriu seccomp" "-X main.version=$(pin node github.com/opencontainers/runc | tr -d v)" "$out/" \
    github.com/opencontainers/runc
  compile node 0 "" "" "$out/" ./coredns \
    github.com/containernetworking/plugins/plugins/{main/bridge,main/loopback,ipam/host-local,meta/portmap}
  touch "$out/.complete"
  mv "$out" "$node"
}

# Twelve digits that stand for the pins of one of the two modules and for the way it is built: the text of its functions here.
key() {
  { cat "$here/$1"/go.{mod,sum}; find "$here/$1" -name '*.go' | sort | xargs --no-run-if-empty cat; declare -f compile "build_$1"; } |
    sha256sum | cut -c 1-12
}

kube=$cache/kube-$(key kube)
node=$cache/node-$(key node)

if [ "${1:-}" = folders ]; then
  printf '%s:%s\n' "$kube" "$node"
  exit
fi
if [ -e "$kube/.complete" ] && [ -e "$node/.complete" ]; then
  exit
fi

"$here/../tools.sh" cluster
go=$("$here/../tools.sh" go)
PATH=${go%/*}:$PATH

mkdir -p "$cache"
# Two runs at the same time build once: the second waits here and then finds the programs.
exec 9>"$cache/.lock"
flock --nonblock 9 || { say "another run builds the programs; waiting for it"; flock 9; }

say "building Kubernetes and what a node needs, once: about 10 minutes on two idle cores, 700 MB kept in $cache"
[ -e "$kube/.complete" ] || build_kube
[ -e "$node/.complete" ] || build_node
say "$(elapsed)  all programs are built"
