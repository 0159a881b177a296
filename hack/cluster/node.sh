#!/usr/bin/env bash
# The node: runs below tini in namespaces of its own, started by up.sh. Sets up what a machine has of its own, then keeps etcd, the
# API server, controller manager, scheduler, containerd, kubelet and kube-proxy running until the first process is killed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
addresses "$NUMBER"
logs=$run/log pki=$run/pki etc=$run/etc

hostname "$ID"
# Volumes that kubelet mounts are to be seen by containers.
mount --make-rshared /
# A /run of its own and a copy-on-write /var: the host's stay as they are.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
mount -t overlay -o "lowerdir=/var,upperdir=$run/var,workdir=$run/var.work" overlay /var
# kubelet sets these for the whole machine unless they read as it wants.
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=/run/sysctl/${setting%%=*}
  mkdir -p "$(dirname "$file")"
  echo "${setting##*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%%=*}"
done

until [ -e "$run/connected" ]; do sleep 0.02; done
ip link set lo up
ip addr add "$node_ip/30" dev eth0
ip link set eth0 up
ip route add default via "$host_ip"
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true

cat >"$etc/containerd.toml" <<END
version = 3
root = "$run/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "$registry/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  enable_selinux = false
  # Without CAP_SYS_RESOURCE nobody may lower the score, which every sandbox asks for.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$NODE_PROGRAMS"]
    conf_dir = "$etc/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "$NODE_PROGRAMS/runc"
        SystemdCgroup = false
END
mkdir -p "$etc/cni"
cat >"$etc/cni/10-bridge.conflist" <<END
{ "cniVersion": "1.0.0", "name": "node", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "ipMasq": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "$pod_cidr"}]] } },
  { "type": "portmap", "capabilities": {"portMappings": true} } ] }
END
echo "nameserver $host_ip" >"$etc/resolv.conf"
cat >"$etc/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$mark
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
failSwapOn: false
clusterDNS: [$dns_service]
clusterDomain: cluster.local
resolvConf: $etc/resolv.conf
podLogsDir: /var/log/pods
volumePluginDir: $run/kubelet/volumeplugins
staticPodPath: ""
# The disk is that of the machine, which others fill: a test must not end because of that.
evictionHard: {memory.available: "1Mi", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 2s
syncFrequency: 10s
maxPods: 200
registryPullQPS: 0
kubeAPIQPS: 500
kubeAPIBurst: 1000
serializeImagePulls: false
eventRecordQPS: 0
END
cat >"$etc/kube-proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $etc/proxy.kubeconfig}
mode: nftables
clusterCIDR: $pod_cidr
hostnameOverride: $ID
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
# The size of the table is the whole machine's: leave it alone.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 100ms}
END

# Keeps a part running: what ends is started again, unless part.sh stopped it.
keep() {
  local name=$1
  shift
  while :; do
    if [ ! -e "$run/stopped/$name" ]; then
      "$@" >>"$logs/$name.log" 2>&1 &
      echo $! >"$run/pids/$name"
      wait $! || echo "$(date +%T) $name ended with $?"
      rm -f "$run/pids/$name"
    fi
    sleep 0.1
  done
}

keep etcd etcd --data-dir "$run/etcd" --unsafe-no-fsync --log-level error \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster default=http://127.0.0.1:2380 &
keep containerd containerd -c "$etc/containerd.toml" &
keep kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=0.0.0.0 \
  --advertise-address="$node_ip" --tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" --client-ca-file="$pki/ca.crt" \
  --token-auth-file="$pki/tokens.csv" --kubelet-client-certificate="$pki/api-kubelet.crt" \
  --kubelet-client-key="$pki/api-kubelet.key" --kubelet-certificate-authority="$pki/ca.crt" \
  --kubelet-preferred-address-types=InternalIP --service-account-key-file="$pki/accounts.key" \
  --service-account-signing-key-file="$pki/accounts.key" --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --service-cluster-ip-range="$service_cidr" \
  --allow-privileged=true --profiling=false &

until curl --silent --fail --cacert "$pki/ca.crt" --output /dev/null "$api/readyz"; do sleep 0.1; done

# The defaults of 20 requests a second would make the controllers themselves what a test waits for.
keep kube-controller-manager kube-controller-manager --kubeconfig="$etc/controllers.kubeconfig" --root-ca-file="$pki/ca.crt" \
  --service-account-private-key-file="$pki/accounts.key" --cluster-signing-cert-file="$pki/ca.crt" \
  --cluster-signing-key-file="$pki/ca.key" --use-service-account-credentials=true --leader-elect=false --kube-api-qps=500 \
  --kube-api-burst=1000 --node-monitor-period=2s --secure-port=0 --profiling=false &
keep kube-scheduler kube-scheduler --kubeconfig="$etc/scheduler.kubeconfig" --leader-elect=false --kube-api-qps=500 \
  --kube-api-burst=1000 --secure-port=0 --profiling=false &
keep kubelet kubelet --config="$etc/kubelet.yaml" --kubeconfig="$etc/node.kubeconfig" --root-dir="$run/kubelet" \
  --cert-dir="$run/kubelet/pki" --hostname-override="$ID" --node-ip="$node_ip" &
keep kube-proxy kube-proxy --config="$etc/kube-proxy.yaml" &
wait
