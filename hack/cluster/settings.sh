# Settings shared by the scripts of this folder; sourced, never run.
#
# ID names one cluster (default: mesh); several run side by side. Everything a running cluster has lies in $run, its network interface
# and its cgroups are called ph-$ID. Programs and images are shared by all clusters of the machine.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
cache=${PILOTHOUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pilothouse}/cluster
ID=${ID:-mesh}
run=$cache/run/$ID
mark=ph-$ID
images=$cache/images
registry=pilothouse.local
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'cluster: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The name of an interface has at most fifteen characters.
[[ $ID =~ ^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$ ]] || die "ID=$ID: a name of up to twelve of a-z, 0-9 and - is wanted"

# Addresses, all in namespaces of the cluster's own: a number from 0 to 15 that up.sh chose tells clusters apart.
addresses() {
  local n=$1
  host_ip=10.123.$n.1
  node_ip=10.123.$n.2
  pod_cidr=10.244.$n.0/24
  service_cidr=10.96.$((n * 16)).0/20
  api_service=10.96.$((n * 16)).1
  dns_service=10.96.$((n * 16)).10
  api=https://$node_ip:6443
}

# Takes the lock of this cluster, for those who change whether it runs. File descriptor 8 holds it.
lock() {
  mkdir -p "$cache/run"
  exec 8>"$cache/run/.lock-$ID"
  flock --nonblock 8 || { say "$ID is being brought up or down by another run; waiting for it"; flock 8; }
}

# Whether the recorded first process of the node runs: the same process, not another one with its number.
alive() {
  [ -s "$run/init" ] || return 1
  local pid start
  read -r pid start <"$run/init"
  [ "$(awk '{ print $22 }' "/proc/$pid/stat" 2>/dev/null)" = "$start" ]
}

init_pid() { cut -d ' ' -f 1 "$run/init"; }

# Runs a program in the node's namespaces.
inside() { nsenter --target "$(init_pid)" --mount --net --pid --ipc -- "$@"; }
