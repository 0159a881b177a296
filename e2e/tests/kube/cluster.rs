//! The cluster itself: kubelet, names, services, the test application, parts that go and come back.

use std::time::Duration;

use anyhow::{Result, ensure};
use pilothouse_e2e::client::Request;
use pilothouse_e2e::kube::{Namespace, Workload};
use pilothouse_e2e::mesh::until;

#[test]
fn pods_reach_each_other_by_the_names_of_services() -> Result<()> {
    Namespace::with("harness", &[], |namespace| {
        let (client, server) = (Workload::new("client", "v1"), Workload::new("server", "v1").replicas(2));
        namespace.apply_all(&[client.objects(), server.objects(), vec![server.service()]].concat())?;
        namespace.rolled_out("deployment/server-v1", 60)?;
        let client = namespace.pod("app=client")?;
        let answer = until("the service to answer", Duration::from_secs(20), || {
            let answer = client.fetch("http://server/")?;
            ensure!(answer.who() == "server-v1", "{}", answer.who());
            Ok(answer)
        })?;
        ensure!(answer.field("peer").starts_with(&client.address), "{answer:?}");
        let echo = client.send(&Request::tcp("server.harness.svc.cluster.local:9000", "hello"))?;
        ensure!(echo.body == "server v1 hello", "{echo:?}");
        let curl =
            namespace.run(&["exec", "deploy/client-v1", "--", "curl", "-s", "http://server.harness/"])?;
        ensure!(curl.contains("\"name\":\"server\""), "{curl}");

        // An application that is asked to end finishes what it has begun.
        let seen = std::thread::scope(|scope| {
            let slow = scope.spawn(|| client.fetch("http://server/slow?delay=1500"));
            until("the request to be in work", Duration::from_secs(5), || {
                let pods = namespace.pods("app=server")?;
                let busy =
                    pods.iter().map(|pod| namespace.reach(pod)?.counts()).collect::<Result<Vec<_>>>()?;
                ensure!(busy.iter().any(|counts| counts.in_flight > 0), "{busy:?}");
                Ok(())
            })?;
            namespace.run(&["delete", "pods", "--selector=app=server"])?;
            slow.join().expect("the request does not panic")
        })?;
        ensure!(seen.status == 200, "{seen:?}");
        Ok(())
    })
}

#[test]
fn a_part_that_is_killed_comes_back_and_pods_do_not_notice() -> Result<()> {
    Namespace::alone("outage", &[], |namespace| {
        let (client, server) = (Workload::new("client", "v1"), Workload::new("server", "v1"));
        namespace.apply_all(&[client.objects(), server.objects(), vec![server.service()]].concat())?;
        namespace.rolled_out("deployment/server-v1", 60)?;
        let client = namespace.pod("app=client")?;
        let reach = || {
            let answer = client.fetch("http://server/")?;
            ensure!(answer.who() == "server-v1", "{}", answer.who());
            Ok(())
        };
        until("the service to answer", Duration::from_secs(20), reach)?;

        namespace.cluster.part("stop", "kube-apiserver")?;
        let refused = namespace.say(&["get", "pods"], "")?;
        ensure!(!refused.fine, "the API server is stopped and answers: {}", refused.out);
        reach()?;
        namespace.cluster.part("kill", "etcd")?;
        namespace.cluster.part("start", "kube-apiserver")?;
        until("the API server to answer", Duration::from_mins(1), || namespace.run(&["get", "pods"]))?;
        reach()
    })
}
