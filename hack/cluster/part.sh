#!/usr/bin/env bash
# Stops, starts or kills one part of a running cluster: etcd, containerd, kube-apiserver, kube-controller-manager, kube-scheduler,
# kubelet or kube-proxy. A killed part comes back by itself, a stopped one when it is started.
#
#   hack/cluster/part.sh stop kube-apiserver
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

verb=${1:-} part=${2:-}
alive || die "$ID does not run; make cluster brings it up"
[ -e "$run/log/$part.log" ] || die "part.sh stop|start|kill PART, where PART is one of: $(cd "$run/log" && ls | sed -n 's/^\(etcd\|k.*\|containerd\)\.log$/\1/p' | tr '\n' ' ')"

# At once: asked politely, the API server waits a minute for those who watch.
end() {
  local pid
  pid=$(cat "$run/pids/$part" 2>/dev/null) || return 0
  inside bash -c "kill -9 $pid" 2>/dev/null || true
  while [ "$(cat "$run/pids/$part" 2>/dev/null)" = "$pid" ]; do sleep 0.02; done
}

case $verb in
  stop) touch "$run/stopped/$part"; end ;;
  kill) end ;;
  start) rm -f "$run/stopped/$part" ;;
  *) die "part.sh stop|start|kill PART" ;;
esac
