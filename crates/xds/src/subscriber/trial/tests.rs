use super::*;

fn refusal(names: &[Arc<str>]) -> Refusal {
    let resources = names.iter().map(|name| Arc::new(Resource::new(Arc::clone(name), Vec::new(), [])));
    Refusal { resources: resources.collect(), message: Arc::from("no"), revision: 1 }
}

fn blamed(refusals: &[Refusal]) -> Vec<&str> {
    refusals.iter().flat_map(|refusal| &refusal.resources).map(|resource| &*resource.name).collect()
}

/// Runs a search over `names` with a client that refuses every group holding one of `bad`; returns who is blamed
/// in the end and how many responses it took.
fn search(names: &[&str], bad: &[&str]) -> (Vec<String>, usize) {
    let (mut trial, mut sent) = (Trial::default(), 0);
    let mut group: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
    loop {
        sent += 1;
        assert!(sent < 1_000, "ends");
        let ended = if group.iter().any(|name| bad.contains(&&**name)) {
            trial.refused(refusal(&group), &BTreeSet::new())
        } else {
            trial.accepted()
        };
        match trial.next() {
            Some(next) => group = next,
            None => return (blamed(&ended).into_iter().map(ToOwned::to_owned).collect(), sent),
        }
        assert!(ended.is_empty(), "nobody is blamed before the end");
    }
}

#[test]
fn halves_find_the_culprit() {
    let names: Vec<String> = (0..1_000).map(|i| format!("{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (blamed, sent) = search(&names, &["0700"]);
    assert_eq!(blamed, ["0700"]);
    assert!(sent <= 1 + 2 * 10 + 1, "{sent} responses");
    assert_eq!(search(&names[..3], &["0000", "0002"]).0, ["0000", "0002"]);
    assert_eq!(search(&names[..1], &["0000"]), (vec!["0000".to_owned()], 1));
}

#[test]
fn when_everything_is_refused_the_search_ends() {
    let names: Vec<String> = (0..1_000).map(|i| format!("{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (blamed, sent) = search(&names, &names);
    assert_eq!(blamed.len(), 1_000);
    assert!(sent < 100, "{sent} responses");
}

#[test]
fn what_the_client_names_goes_alone_and_gets_another_chance() {
    let names: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).into();
    let bad: [Arc<str>; 1] = [Arc::from("b")];
    let mut trial = Trial::default();
    assert!(trial.refused(refusal(&names), &bad.clone().into()).is_empty());
    assert_eq!(trial.next().unwrap(), ["a", "c"].map(Arc::from));
    assert!(trial.accepted().is_empty());
    assert_eq!(trial.next().unwrap(), bad);
    assert!(trial.refused(refusal(&bad), &BTreeSet::new()).is_empty());
    assert_eq!(trial.next().unwrap(), bad, "one more chance");
    assert_eq!(blamed(&trial.refused(refusal(&bad), &BTreeSet::new())), ["b"]);
    assert!(trial.next().is_none());
}

#[test]
fn what_is_not_wanted_any_more_is_not_tried() {
    let names: Vec<Arc<str>> = ["a", "b"].map(Arc::from).into();
    let mut trial = Trial::default();
    trial.refused(refusal(&names), &BTreeSet::new());
    trial.forget("a");
    assert!(trial.next().unwrap().is_empty());
    assert!(trial.skipped().is_empty());
    assert_eq!(trial.next().unwrap(), [Arc::from("b")]);
    assert!(trial.skipped().is_empty());
    assert!(!trial.is_running());
}
