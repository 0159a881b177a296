//! Bugs that tests wish for. Only the tests of this crate are built with it.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use pilothouse_view::Query;

use crate::bug::Stage;

/// Whether there is a bug. As with real ones, it depends on nothing but what the question and its answer are.
pub(crate) type Poison = Rc<dyn Fn(Stage, &Query, &dyn Debug) -> bool>;

thread_local! {
    static POISON: RefCell<Option<Poison>> = const { RefCell::new(None) };
}

/// Runs with these bugs, or with none.
pub(crate) fn with<T>(poison: Option<Poison>, run: impl FnOnce() -> T) -> T {
    let _before = Before(POISON.replace(poison));
    run()
}

/// Puts back what was before, also after a panic.
struct Before(Option<Poison>);

impl Drop for Before {
    fn drop(&mut self) {
        POISON.set(self.0.take());
    }
}

/// Panics if that is wished for.
pub(crate) fn taste(stage: Stage, query: &Query, answer: &dyn Debug) {
    let poison = POISON.with_borrow(Clone::clone);
    assert!(!poison.is_some_and(|meant| meant(stage, query, answer)), "as the test wished");
}
