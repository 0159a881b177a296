#!/usr/bin/env bash
# Ends a cluster, whatever state it is in. The death of the first process in the node's process namespace ends every process in it;
# mounts, addresses, rules and interfaces go with their namespaces; what is left are cgroups and the folder.
#
#   hack/cluster/down.sh          end the cluster $ID (default: mesh)
#   hack/cluster/down.sh --all    end every cluster of this user
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

if [ "${1:-}" = --all ]; then
  for folder in "$cache"/run/*/; do
    [ -d "$folder" ] && ID=$(basename "$folder") "$here/down.sh"
  done
  exit
fi

# Whoever calls us from up.sh holds the lock already.
[ "${1:-}" = --locked ] || lock

began=$EPOCHREALTIME
if alive; then
  pid=$(init_pid)
  kill -9 "$pid"
  for _ in {1..200}; do [ -e "/proc/$pid" ] || break; sleep 0.05; done
fi
# Only up.sh makes an interface of this name.
if ip link show "$mark" >/dev/null 2>&1; then ip link del "$mark"; fi

# A cgroup can be removed once the kernel has buried the last of its processes.
cgroups() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$mark"; }
for _ in {1..50}; do
  [ -n "$(cgroups)" ] || break
  cgroups | while read -r group; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; done
  [ -n "$(cgroups)" ] || break
  sleep 0.1
done
was=$([ -d "$run" ] && echo yes)
# Never across a file system: if a mount were left, what is mounted there would go.
rm -rf --one-file-system "$run"

left=$(cgroups; [ -e "$run" ] && echo "$run"; grep -F " $run/" /proc/mounts; ip link show "$mark" 2>/dev/null)
[ -z "$left" ] || die "left behind: $left"
[ -z "$was" ] || say "$ID is gone ($(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s)"
