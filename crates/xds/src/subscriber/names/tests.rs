use proptest::prelude::*;

use super::*;

fn all(names: &BTreeSet<u8>) -> Layers<Resource> {
    names.iter().map(|name| Arc::new(Resource::new(name.to_string(), Vec::new(), []))).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8),
    Remove(u8),
    Follow(BTreeSet<u8>),
}

proptest! {
    #[test]
    fn is_a_set_in_either_form(
        start in prop::collection::btree_set(0u8..120, 0..120),
        listed in prop::collection::btree_set(0u8..140, 0..140),
        steps in prop::collection::vec(
            prop_oneof![
                4 => (0u8..140).prop_map(Step::Insert),
                4 => (0u8..140).prop_map(Step::Remove),
                1 => prop::collection::btree_set(0u8..120, 0..120).prop_map(Step::Follow),
            ],
            0..60,
        ),
    ) {
        let mut there = all(&start);
        let mut names = Names::from(listed.iter().map(|name| Arc::from(name.to_string())).collect::<BTreeSet<Arc<str>>>());
        let mut expected = listed;
        for step in steps {
            names.settle(&there);
            match step {
                Step::Insert(name) => {
                    names.insert(name.to_string().into());
                    expected.insert(name);
                }
                Step::Remove(name) => {
                    names.remove(&name.to_string());
                    expected.remove(&name);
                }
                Step::Follow(new) => {
                    let new = all(&new);
                    names.follow(&new, &Layers::diff(&there, &new));
                    there = new;
                }
            }
            prop_assert_eq!(names.len(), expected.len());
            prop_assert!((0..140).all(|name: u8| names.contains(&name.to_string()) == expected.contains(&name)));
            let iterated: BTreeSet<u8> = names.iter().map(|name| name.parse().unwrap()).collect();
            prop_assert_eq!(&iterated, &expected);
        }
    }
}

#[test]
fn a_subscription_to_all_there_is_lists_nothing() {
    let there: BTreeSet<u8> = (0..200).collect();
    let there = all(&there);
    let listed: BTreeSet<Arc<str>> = there.iter().map(|resource| Arc::clone(&resource.name)).collect();
    let mut names = Names::from(listed);
    names.settle(&there);
    let Names::Most(Most { less, more, .. }) = names else { panic!("{names:?}") };
    assert_eq!((less.len(), more.len()), (0, 0));
}
