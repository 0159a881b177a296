#!/usr/bin/env bash
# ctr inside the node: what containerd has. For example: hack/cluster/ctr.sh images ls
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
alive || die "$ID does not run; make cluster brings it up"
inside "$(cat "$run/programs/node")/ctr" --address /run/containerd/containerd.sock --namespace k8s.io "$@"
