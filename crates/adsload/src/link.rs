//! The connection and stream of one proxy: HTTP/2 and gRPC as far as aggregated discovery needs them.

use std::io;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request as Call, Response as Answer, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::frames::{FrameError, Frames, framed};
use crate::message::{Protocol, Request, Response, Unreadable};
use crate::proxy::Token;
use crate::target::{Target, Tls};

/// Bytes that may be on their way to a proxy, as in the bootstrap that Istio writes.
const WINDOW: u32 = 1 << 20;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("HTTP/2: {0}")]
    Http(#[from] h2::Error),
    #[error("the answer is no gRPC: {0}")]
    NotGrpc(StatusCode),
    #[error("refused with gRPC status {code}: {message}")]
    Refused { code: String, message: String },
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error("the server ended the stream")]
    Ended,
    #[error("the call cannot be made: {0}")]
    Call(#[from] http::Error),
}

/// The two ends of a proxy's stream, as its owner sees them.
pub(crate) trait Talk {
    /// What it says first.
    fn open(&mut self) -> Request;
    /// What it says to a response of so many bytes.
    fn receive(&mut self, response: &Response, bytes: usize) -> Vec<Request>;
    /// Its last words have been handed to the connection.
    fn said(&mut self);
}

/// Connects and talks until the stream breaks.
pub(crate) async fn talk(
    target: &Target,
    protocol: Protocol,
    token: Option<&Token>,
    with: &mut impl Talk,
) -> Broken {
    let Err(broken) = try_talk(target, protocol, token, with).await;
    broken
}

async fn try_talk(
    target: &Target,
    protocol: Protocol,
    token: Option<&Token>,
    with: &mut impl Talk,
) -> Result<std::convert::Infallible, Broken> {
    let Target { address, tls } = target;
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut call = Call::post(format!("{scheme}://{address}{}", protocol.path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(token) = token {
        call = call.header("authorization", format!("Bearer {}", token.expose()));
    }
    let call = call.body(())?;
    match tls {
        None => over(socket, call, protocol, with).await,
        Some(Tls { config, name }) => {
            let socket = TlsConnector::from(config.clone()).connect(name.clone(), socket).await?;
            over(socket, call, protocol, with).await
        }
    }
}

async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    call: Call<()>,
    protocol: Protocol,
    with: &mut impl Talk,
) -> Result<std::convert::Infallible, Broken> {
    let (calls, connection) = client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .enable_push(false)
        .handshake::<_, Bytes>(socket)
        .await?;
    tokio::select! {
        ended = connection => Err(ended.err().map_or(Broken::Ended, Broken::Http)),
        result = converse(calls, call, protocol, with) => result,
    }
}

async fn converse(
    calls: SendRequest<Bytes>,
    call: Call<()>,
    protocol: Protocol,
    with: &mut impl Talk,
) -> Result<std::convert::Infallible, Broken> {
    let (answer, mut out) = calls.ready().await?.send_request(call, false)?;
    send(&mut out, &with.open())?;
    let answer = answer.await?;
    refused(&answer)?;
    let mut body: RecvStream = answer.into_body();
    let mut frames = Frames::default();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        frames.push(&chunk);
        while let Some(message) = frames.next()? {
            let bytes = message.len();
            let response = Response::decode(protocol, message)?;
            for request in with.receive(&response, bytes) {
                send(&mut out, &request)?;
            }
            with.said();
        }
    }
    if let Some(trailers) = body.trailers().await? {
        status(&trailers)?;
    }
    Err(Broken::Ended)
}

fn send(out: &mut SendStream<Bytes>, request: &Request) -> Result<(), h2::Error> {
    out.send_data(framed(&request.encode()), false)
}

fn refused(answer: &Answer<RecvStream>) -> Result<(), Broken> {
    if answer.status() != StatusCode::OK {
        return Err(Broken::NotGrpc(answer.status()));
    }
    status(answer.headers())
}

fn status(headers: &HeaderMap) -> Result<(), Broken> {
    let text = |name: &str| {
        let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        value.unwrap_or_default()
    };
    match text("grpc-status").as_str() {
        "" | "0" => Ok(()),
        code => Err(Broken::Refused { code: code.to_owned(), message: text("grpc-message") }),
    }
}
