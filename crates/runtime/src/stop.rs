//! The word that it is over, and who may say it.
//!
//! One value says it ([`Stopper`]), clones of another hear it ([`Stop`]). A part that wants to stop its own children without
//! stopping its siblings makes a narrower pair with [`Stop::narrower`].

use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// Says stop. Dropping it says nothing.
#[derive(Clone, Debug)]
pub struct Stopper(CancellationToken);

/// Hears stop. Cheap to clone; hand one to every task.
#[derive(Clone, Debug)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A new pair, tied to nothing else.
    pub fn pair() -> (Stopper, Stop) {
        let token = CancellationToken::new();
        (Stopper(token.clone()), Stop(token))
    }

    /// A pair that also hears this stop, but whose own stopper is not heard here.
    pub fn narrower(&self) -> (Stopper, Stop) {
        let token = self.0.child_token();
        (Stopper(token.clone()), Stop(token))
    }

    /// Returns once stop was said; at once if it was said before. Safe to use in `select!`: nothing is lost when it is dropped.
    pub async fn stopped(&self) {
        self.0.cancelled().await;
    }

    /// As [`Stop::stopped`], for callers that need a future without a borrow, such as a graceful server.
    pub fn into_stopped(self) -> impl Future<Output = ()> + Send + 'static {
        self.0.cancelled_owned()
    }

    /// Whether stop was said.
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Stopper {
    /// Says stop, once and for all. Saying it again changes nothing.
    pub fn stop(&self) {
        self.0.cancel();
    }
}
