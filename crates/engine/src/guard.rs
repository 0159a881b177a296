//! Catches panics in answers and in their encoding, and no others.
//!
//! What answers questions and encodes plans is most of the code and depends on what users write. A bug there costs the audiences
//! whose resources need the answer, and nobody else. The engine's own bookkeeping is not caught: after a panic in it nothing
//! could be relied upon.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::bug::Bug;

/// Characters of a panic's message that are kept: it may quote what users wrote.
const MESSAGE: usize = 200;

thread_local! {
    /// Whether a panic of this thread would be caught here.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the panic being caught happened; only the hook learns that.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What was caught.
#[derive(Debug)]
pub(crate) enum Caught {
    /// A panic.
    Panic(Panic),
    /// It needed an answer that a bug stands in the way of.
    Reached(Arc<Bug>),
}

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: String,
    /// File, line and column, if [`panic_hook`] is in place.
    pub(crate) place: Option<String>,
}

/// What [`give_up`] unwinds with.
struct Reached(Arc<Bug>);

/// What the process does about a panic.
pub type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static>;

/// A hook that keeps quiet about panics that the engine catches, and hands all others to another hook. What was caught is told by
/// [`Engine::bugs`](crate::Engine::bugs), with the place if this hook is set.
pub fn panic_hook(other: PanicHook) -> PanicHook {
    Box::new(move |panic| {
        if CATCHING.get() {
            PLACE.set(panic.location().map(ToString::to_string));
        } else {
            other(panic);
        }
    })
}

/// Runs what may have a bug. It must leave everything it can change fit for use wherever it stops.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Caught> {
    let outer = CATCHING.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let theirs = CATCHING.replace(outer);
    outcome.map_err(|panic| {
        if !theirs {
            // It came from within `own`.
            resume_unwind(panic);
        }
        match panic.downcast::<Reached>() {
            Ok(reached) => Caught::Reached(reached.0),
            Err(panic) => Caught::Panic(Panic { message: message(&*panic), place: PLACE.take() }),
        }
    })
}

/// Runs a part of the engine in the midst of what is caught; a panic in it is not caught.
pub(crate) fn own<T>(run: impl FnOnce() -> T) -> T {
    let outer = CATCHING.replace(false);
    let made = run();
    CATCHING.set(outer);
    made
}

/// Ends what is being caught because it needs an answer that there is not. No panic: nobody's hook hears of it.
pub(crate) fn give_up(bug: Arc<Bug>) -> ! {
    resume_unwind(Box::new(Reached(bug)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    text.unwrap_or("no message").chars().take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_kept_and_cut() {
        let Err(Caught::Panic(panic)) = catch(|| panic!("{}", "x".repeat(1000))) else {
            panic!("not caught")
        };
        assert_eq!(panic.message.len(), MESSAGE);
    }

    #[test]
    fn a_panic_of_the_engine_goes_through() {
        let outcome = catch_unwind(|| catch(|| own(|| catch(|| own(|| panic!("ours"))).is_ok())));
        assert_eq!(message(&*outcome.unwrap_err()), "ours");
        assert!(!CATCHING.get());
    }

    #[test]
    fn a_panic_beneath_own_parts_is_caught_beneath() {
        let outcome = catch(|| own(|| catch(|| panic!("theirs")).is_err()));
        assert!(outcome.unwrap());
        assert!(!CATCHING.get());
    }
}
