//! Answers on their way out: given to a connection, not yet handed to the kernel. An application that ends waits for them.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::App;

/// The answers of one connection whose last byte was given to it, but may wait in it.
#[derive(Debug)]
pub(super) struct Given {
    app: Arc<App>,
    count: AtomicU64,
}

impl Given {
    pub(super) fn new(app: Arc<App>) -> Arc<Self> {
        Arc::new(Self { app, count: AtomicU64::new(0) })
    }

    /// All that was given to the connection has left it.
    fn left(&self) {
        let count = self.count.swap(0, Ordering::AcqRel);
        if count > 0 {
            self.app.counts(|c| c.leaving -= count);
        }
    }
}

/// Nobody reads the connection any more, so nothing of it waits.
impl Drop for Given {
    fn drop(&mut self) {
        self.left();
    }
}

/// The body of an answer, which notices when the connection has all of it.
pub(super) struct Leaving<B> {
    body: B,
    given: Arc<Given>,
}

impl<B> Leaving<B> {
    /// `body`, from now on counted as leaving by way of `given`.
    pub(super) fn new(body: B, given: Arc<Given>) -> Self {
        Self { body, given }
    }
}

impl<B> Drop for Leaving<B> {
    fn drop(&mut self) {
        self.given.count.fetch_add(1, Ordering::AcqRel);
    }
}

impl<B: Body + Unpin> Body for Leaving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream of a connection. A connection flushes it when it has written all it was given.
pub(super) struct Way<S> {
    pub(super) stream: S,
    pub(super) given: Arc<Given>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Way<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Way<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.given.left();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
