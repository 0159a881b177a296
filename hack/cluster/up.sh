#!/usr/bin/env bash
# Brings up a real one-node Kubernetes: control plane and node in mount, network, process, IPC and host-name namespaces of their own,
# so that nothing of this machine's mounts, addresses, netfilter rules or settings changes. Undo: hack/cluster/down.sh. A cluster that
# runs already is kept; our images in it are brought up to date with the last build.
#
# Progress goes to standard error; what to type to use the cluster goes to standard output, `export KUBECONFIG=...` last.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ "$(id -u)" -eq 0 ] || die "namespaces, mounts and cgroups of its own need root"
case $cache/ in
  /var/* | /run/*) die "the node has a /var and a /run of its own and could not see $cache; set PILOTHOUSE_CACHE to a folder elsewhere" ;;
esac
lock

"$here/../tools.sh" cluster
"$here/build.sh"
"$here/images.sh" base

usable() {
  mkdir -p "$cache/bin"
  ln -sfn "$(cat "$run/programs/kube")/kubectl" "$cache/bin/kubectl"
  command -v kubectl >/dev/null || printf 'export PATH=$PATH:%s\n' "$cache/bin"
  printf 'export KUBECONFIG=%s\n' "$run/kubeconfig"
}

if alive && [ -e "$run/ready" ]; then
  [ "$(cat "$run/tree")" = "$tree" ] ||
    die "the cluster $ID belongs to $(cat "$run/tree"); end it with make cluster-down, or take another: make cluster ID=NAME"
  "$here/images.sh" ours
  # Who asks for it by hand keeps it, whatever the suite that began it does; and what no suite holds any more, the next one ends.
  holder=$(cat "$run/holder" 2>/dev/null || true)
  if [ -z "${HOLDER:-}" ]; then
    rm -f "$run/holder"
  elif [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
    echo "$HOLDER" >"$run/holder"
  fi
  say "$ID runs already"
  usable
  exit
fi
# What a crash left, if anything.
"$here/down.sh" --locked

began=$EPOCHREALTIME
at() { say "$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%5.1f s", b - a }')  $*"; }
# Whatever ends this script before its end, a signal too, leaves nothing behind.
failed() {
  say "$ID did not come up; the ends of its logs:"
  tail -n 5 "$run"/log/*.log >&2 || true
  "$here/down.sh" --locked
}
trap failed EXIT

mkdir -p "$run"/{etc,images,log,pids,pki,programs,stopped,var,var.work}
chmod 700 "$run"
echo "$tree" >"$run/tree"
IFS=: read -r kube_programs node_programs <<<"$("$here/build.sh" folders)"
echo "$kube_programs" >"$run/programs/kube"
echo "$node_programs" >"$run/programs/node"
PATH=$kube_programs:$node_programs:$PATH

# The first number that no other cluster has, of this user or of another. Numbers are given out under one lock.
exec 7>"$cache/run/.lock"
flock 7
free() { ! grep -qsx "$1" "$cache"/run/*/number && [ -z "$(ip -4 route show root "10.123.$1.0/30")" ]; }
number=0
until free "$number"; do
  number=$((number + 1))
  [ "$number" -lt 16 ] || die "sixteen clusters run already; make cluster-down ID=NAME ends one"
done
echo "$number" >"$run/number"
exec 7>&-
addresses "$number"

# One authority, three certificates, a token for each part.
pki=$run/pki
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key"; }
certify() {
  local name=$1 subject=$2 usage=$3 names=${4:-}
  new_key "$name"
  openssl req -new -key "$pki/$name.key" -subj "$subject" |
    openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 -out "$pki/$name.crt" \
      -extfile <(printf 'extendedKeyUsage=%s\n%s\n' "$usage" "${names:+subjectAltName=$names}")
}
certificates() {
  new_key ca
  openssl req -x509 -new -key "$pki/ca.key" -days 30 -subj "/CN=$ID" -out "$pki/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature
  certify api /CN=kube-apiserver serverAuth \
    "IP:$node_ip,IP:$api_service,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certify api-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certify kubelet "/CN=$ID" serverAuth "IP:$node_ip,DNS:$ID"
  openssl genrsa -out "$pki/accounts.key" 2048
}
certificates 2>"$run/log/openssl.log"

kubeconfig() {
  cat >"$1" <<END
apiVersion: v1
kind: Config
clusters: [{name: $ID, cluster: {server: "$api", certificate-authority: "$pki/ca.crt"}}]
users: [{name: $2, user: {token: "$3"}}]
contexts: [{name: $ID, context: {cluster: $ID, user: "$2"}}]
current-context: $ID
END
}
identity() {
  local file=$1 user=$2 group=${3:-} token
  token=$(openssl rand -hex 16)
  printf '%s,%s,%s,"%s"\n' "$token" "$user" "$user" "$group" >>"$pki/tokens.csv"
  kubeconfig "$file" "$user" "$token"
}
identity "$run/kubeconfig" admin system:masters
identity "$run/etc/controllers.kubeconfig" system:kube-controller-manager
identity "$run/etc/scheduler.kubeconfig" system:kube-scheduler
identity "$run/etc/proxy.kubeconfig" system:kube-proxy
identity "$run/etc/node.kubeconfig" "system:node:$ID" system:nodes
export KUBECONFIG=$run/kubeconfig

# One directory for the node in each hierarchy of version 1, or in the one of version 2.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p "/sys/fs/cgroup/$mark"
else
  for hierarchy in /sys/fs/cgroup/*/; do
    [ "$(basename "$hierarchy")" != unified ] && [ -e "$hierarchy/tasks" ] || continue
    mkdir -p "$hierarchy$mark"
    # A cpuset without processors takes no process.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$hierarchy$mark/$file" ] || cat "$hierarchy$file" >"$hierarchy$mark/$file"
    done
  done
fi

# The end of tini, the first process in the process namespace, is the end of all.
ID=$ID NUMBER=$number PILOTHOUSE_CACHE=${cache%/cluster} NODE_PROGRAMS=$node_programs \
  setsid unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private \
  tini -- bash "$here/node.sh" >"$run/log/node.log" 2>&1 </dev/null 8>&- &
outer=$!
first=
until [ -n "$first" ] && [ "$(readlink "/proc/$first/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
  kill -0 "$outer"
  sleep 0.02
  first=$(tr -d ' ' <"/proc/$outer/task/$outer/children")
done
echo "$first $(awk '{ print $22 }' "/proc/$first/stat")" >"$run/init"
ip link add "$mark" type veth peer name eth0 netns "$first"
ip addr add "$host_ip/30" dev "$mark"
ip link set "$mark" up
ip route add "$pod_cidr" via "$node_ip" dev "$mark"
ip route add "$service_cidr" via "$node_ip" dev "$mark"
touch "$run/connected"
at "certificates, namespaces, network"

"$here/images.sh" load 8>&- &
loading=$!
until curl --silent --fail --cacert "$pki/ca.crt" --output /dev/null "$api/readyz"; do kill -0 "$outer"; sleep 0.1; done
at "Kubernetes $(curl --silent --cacert "$pki/ca.crt" "$api/version" | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p') answers"
sed -e "s/@DNS@/$dns_service/" -e "s/@REGISTRY@/$registry/" "$here/manifests/coredns.yaml" | kubectl apply --filename - >"$run/log/apply.log" 2>&1
kubectl wait --for=create "node/$ID" --timeout=60s >/dev/null
kubectl wait --for=condition=Ready "node/$ID" --timeout=60s >/dev/null
at "the node is ready"
wait "$loading"
at "the images are there"
kubectl --namespace kube-system rollout status deployment/coredns --timeout=60s >/dev/null
[ -z "${HOLDER:-}" ] || echo "$HOLDER" >"$run/holder"
touch "$run/ready"
trap - EXIT
at "names resolve: $ID is up"
usable
