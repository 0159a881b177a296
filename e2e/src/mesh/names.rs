//! What a pod's resolver would say: cluster DNS and the outside world, as one `hosts` file per pod.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::control_plane;
use super::pod::PodSpec;

/// Writes the file for one pod.
pub(super) fn hosts_file(objects: &[Value], pods: &BTreeMap<String, PodSpec>, reader: &PodSpec) -> String {
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |name: String, address: &str| {
        let addresses = known.entry(name).or_default();
        if !addresses.iter().any(|a| a == address) {
            addresses.push(address.to_owned());
        }
    };
    let discovery = control_plane::address(reader.address.is_ipv6()).to_string();
    for name in control_plane::HOSTS {
        add((*name).to_owned(), &discovery);
    }
    for pod in pods.values() {
        let address = pod.address.to_string();
        for name in &pod.hostnames {
            add(name.clone(), &address);
        }
        add(format!("{}.pod", pod.key()), &address);
    }
    for service in objects.iter().filter(|o| o["kind"] == "Service") {
        for address in service_addresses(service, pods) {
            for name in service_names(service, reader) {
                add(name, &address);
            }
        }
    }
    // A name of a ServiceEntry resolves to its address, else to whoever claims it, else to an address nobody has:
    // requests by name are routed by their name.
    let mut nowhere =
        (1_u32..).map(|n| Ipv4Addr::from_bits(Ipv4Addr::new(240, 240, 0, 0).to_bits() + n).to_string());
    for entry in objects.iter().filter(|o| o["kind"] == "ServiceEntry") {
        let address = entry["spec"]["addresses"][0].as_str().map(|a| a.trim_end_matches("/32").to_owned());
        for host in strings(&entry["spec"]["hosts"]) {
            if let Some(address) = &address {
                known.insert(host.to_owned(), vec![address.clone()]);
            } else if !host.starts_with('*') && !known.contains_key(host) {
                known.insert(host.to_owned(), nowhere.next().into_iter().collect());
            }
        }
    }
    for service in objects.iter().filter(|o| o["spec"]["type"] == "ExternalName") {
        let target = service["spec"]["externalName"].as_str().unwrap_or_default();
        if let Some(addresses) = known.get(target).cloned() {
            for name in service_names(service, reader) {
                known.insert(name, addresses.clone());
            }
        }
    }
    known.iter().fold("127.0.0.1 localhost\n".to_owned(), |mut text, (name, addresses)| {
        for address in addresses {
            writeln!(text, "{address} {name}").ok();
        }
        text
    })
}

/// The names under which a service is known in the reader's namespace.
fn service_names(service: &Value, reader: &PodSpec) -> Vec<String> {
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = service["metadata"]["namespace"].as_str().unwrap_or("default");
    let mut names = vec![
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
    ];
    if namespace == reader.namespace {
        names.push(name.to_owned());
    }
    names
}

/// The cluster address of a service, or the pods behind a headless one.
fn service_addresses(service: &Value, pods: &BTreeMap<String, PodSpec>) -> Vec<String> {
    match service["spec"]["clusterIP"].as_str() {
        Some("None") => {
            let namespace = service["metadata"]["namespace"].as_str().unwrap_or("default");
            let Some(selector) = service["spec"]["selector"].as_object() else { return Vec::new() };
            let picked = |pod: &&PodSpec| {
                pod.namespace == namespace
                    && selector.iter().all(|(k, v)| pod.labels.get(k).map(String::as_str) == v.as_str())
            };
            pods.values().filter(picked).map(|pod| pod.address.to_string()).collect()
        }
        Some(address) => vec![address.to_owned()],
        None => Vec::new(),
    }
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::manifests::Manifests;

    #[test]
    fn services_are_known_by_the_names_of_the_reader() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
        let all = Manifests::read(&root, &[root.join("cast"), root.join("tcp")]).unwrap();
        let inside = all.hosts_file(&all.pods["client.shop"]);
        let has = |text: &str, line: &str| text.lines().any(|l| l == line);
        assert!(has(&inside, "10.96.1.30 lines"));
        assert!(has(&inside, "10.96.1.30 lines.shop.svc.cluster.local"));
        assert!(has(&inside, "10.1.0.12 headless"), "a headless service is its pods");
        assert!(has(&inside, "10.2.0.10 alias"), "an ExternalName is what it names");
        assert!(has(&inside, "10.97.0.1 fixed.example.com"));
        let outside = all.hosts_file(&all.pods["outside.elsewhere"]);
        assert!(!has(&outside, "10.96.1.30 lines"));
    }
}
