use pilothouse_testkit::script::{NAMESPACES, scripts};
use proptest::prelude::*;

use super::*;
use crate::fresh::{Fresh, Nothing, world};

/// What each host means to clients of a namespace, found out by looking at every service there is.
fn plainly(client: &Namespace, read: &mut Reader<'_>) -> BTreeMap<Hostname, Target> {
    let mesh = read.mesh();
    let mut picked = BTreeMap::new();
    for service in read.services() {
        if service.export_to.allows(service.namespace(), client, &mesh.service_export) {
            pick(&mut picked, service, client);
        }
    }
    let mut rules = Rules::new(client, &mesh);
    let all = picked.into_iter().map(|(host, service)| {
        let (rules, subsets) = rules.of(&service, read);
        (host, Target { service, rules, subsets })
    });
    all.collect()
}

proptest! {
    #[test]
    fn what_differs_over_what_everybody_sees_is_what_a_namespace_sees(script in scripts(60)) {
        let world = world(&script);
        let mut fresh = Fresh(&world, Nothing);
        let read = &mut Reader::new(&mut fresh);
        for namespace in NAMESPACES.into_iter().chain(["empty", ""]).map(Namespace::from) {
            let view = read.view(&namespace);
            let seen: BTreeMap<_, _> = view.iter().map(|(host, target)| (host.clone(), (**target).clone())).collect();
            prop_assert_eq!(view.iter().count(), seen.len());
            prop_assert!(view.iter().is_sorted_by_key(|(host, _)| host));
            prop_assert_eq!(&seen, &plainly(&namespace, read), "in {}", namespace);
            for (host, target) in &seen {
                prop_assert_eq!(view.get(host.as_str()).map(|one| &**one), Some(target));
            }
            for (host, differs) in &view.own.hosts {
                prop_assert_ne!(differs.shared.as_ref(), Some(&differs.own), "{} does not differ", host);
            }
        }
    }
}
