//! One request, one answer, over a connection that may be kept.

use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::tls;
use super::{Answer, Protocol, Request};

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}
type Stream = Pin<Box<dyn Wire>>;

/// An open HTTP connection.
pub(super) enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// Sends on a connection of its own.
pub(super) async fn once(request: &Request) -> Answer {
    let started = Instant::now();
    let limit = Duration::from_millis(request.timeout_ms);
    let result = tokio::time::timeout(limit, async {
        if request.protocol == Protocol::Tcp {
            return line(request).await;
        }
        let mut connection = open(request).await?;
        send(&mut connection, request).await
    });
    finish(started, result.await)
}

/// Turns what happened into an answer.
pub(super) fn finish(
    started: Instant,
    result: Result<Result<Answer>, tokio::time::error::Elapsed>,
) -> Answer {
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(Ok(answer)) => Answer { ms, ..answer },
        Ok(Err(error)) => Answer { ms, error: Some(format!("{error:#}")), ..Answer::default() },
        Err(_) => Answer { ms, error: Some("no answer in time".into()), ..Answer::default() },
    }
}

/// Dials, and speaks TLS if asked to.
async fn dial(request: &Request) -> Result<Stream> {
    let uri: http::Uri = request.url.parse().with_context(|| format!("`{}` is no URL", request.url))?;
    let host = uri.host().with_context(|| format!("`{}` names no host", request.url))?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let to = request.connect.clone().unwrap_or_else(|| format!("{host}:{port}"));
    let stream = TcpStream::connect(&to).await.with_context(|| format!("connect {to}"))?;
    stream.set_nodelay(true)?;
    match &request.tls {
        None => Ok(Box::pin(stream)),
        Some(settings) => Ok(Box::pin(tls::connect(stream, host, settings).await.context("TLS")?)),
    }
}

/// Opens an HTTP connection for requests like this one.
pub(super) async fn open(request: &Request) -> Result<Connection> {
    let io = TokioIo::new(dial(request).await?);
    if matches!(request.protocol, Protocol::Http2 | Protocol::Grpc) {
        let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(driver);
        Ok(Connection::Two(sender))
    } else {
        let (sender, driver) = http1::handshake(io).await?;
        tokio::spawn(driver);
        Ok(Connection::One(sender))
    }
}

/// Sends one request on an open connection.
pub(super) async fn send(connection: &mut Connection, request: &Request) -> Result<Answer> {
    let uri: http::Uri = request.url.parse()?;
    let authority = uri.authority().context("the URL names no host")?.clone();
    let mut head = http::Request::builder().method(request.method.as_str());
    if let Connection::One(_) = connection {
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        head = head.uri(path);
        if !request.headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
            head = head.header("host", authority.as_str());
        }
    } else {
        head = head.uri(uri);
    }
    let mut body = Bytes::from(request.body.clone());
    if request.protocol == Protocol::Grpc {
        head = head.method("POST").header("content-type", "application/grpc").header("te", "trailers");
        let mut frame = vec![0_u8];
        frame.extend(u32::try_from(body.len())?.to_be_bytes());
        frame.extend(&body);
        body = frame.into();
    }
    for (name, value) in &request.headers {
        head = head.header(name, value);
    }
    let message = head.body(Full::new(body))?;
    let response = match connection {
        Connection::One(sender) => {
            sender.ready().await?;
            sender.send_request(message).await?
        }
        Connection::Two(sender) => {
            sender.ready().await?;
            sender.send_request(message).await?
        }
    };
    read(response, request.protocol).await
}

async fn read(response: http::Response<Incoming>, protocol: Protocol) -> Result<Answer> {
    let (head, body) = response.into_parts();
    let mut answer = Answer { status: head.status.as_u16(), ..Answer::default() };
    let body = body.collect().await.context("reading the body")?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    for (name, value) in head.headers.iter().chain(trailers.iter()) {
        let value = String::from_utf8_lossy(value.as_bytes());
        answer
            .headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    let bytes = body.to_bytes();
    let text = if protocol == Protocol::Grpc { bytes.get(5..).unwrap_or_default() } else { &bytes };
    answer.body = String::from_utf8_lossy(text).into_owned();
    Ok(answer)
}

/// Sends a line (or nothing) over TCP and reads the first line back.
async fn line(request: &Request) -> Result<Answer> {
    let stream = dial(request).await?;
    let (reader, mut writer) = tokio::io::split(stream);
    if !request.body.is_empty() {
        writer.write_all(format!("{}\n", request.body).as_bytes()).await?;
    }
    let mut lines = BufReader::new(reader).lines();
    match lines.next_line().await? {
        Some(body) => Ok(Answer { status: 200, body, ..Answer::default() }),
        None => Err(anyhow!("closed without an answer")),
    }
}
