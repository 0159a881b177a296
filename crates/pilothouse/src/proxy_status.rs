//! `proxy-status`: how the proxies of a running daemon stand.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use pilothouse_serve::status::{Gone, ProxyStatus, REPORT_PATH, Refused, Report, State, TypeReport};
use tokio::net::TcpStream;

use crate::exit::{Exit, Failure};
use crate::output::{Form, Output};

/// Shows how the proxies stand.
///
/// It asks the running daemon on its admin port. Per proxy and type: synced, pending since when, or rejected and why. Proxies that
/// went in the last half hour and did not come back are listed below, with the reason.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pilothouse proxy-status\n  pilothouse proxy-status web-1.shop\n  \
    pilothouse proxy-status -o json")]
pub(crate) struct Arguments {
    /// Only this proxy, in detail
    #[arg(value_name = "POD.NAMESPACE")]
    proxy: Option<String>,
    /// The admin port of the daemon
    #[arg(long, default_value = "http://127.0.0.1:15014", value_name = "URL")]
    admin: String,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MOST_BYTES: usize = 256 << 20;
/// The types in the order of columns.
const COLUMNS: [&str; 6] = ["CDS", "EDS", "LDS", "RDS", "VHDS", "SDS"];

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let Arguments { proxy, admin, output: form } = arguments;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::bug)?;
    let body = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, ask(admin))
            .await
            .unwrap_or_else(|_| Err(Failure::unavailable(format_args!("{admin} does not answer"))))
    })?;
    let mut report: Report = serde_json::from_slice(&body).map_err(|error| {
        Failure::unavailable(format_args!("{admin} is no Pilothouse of this version: {error}"))
    })?;
    if let Some(proxy) = proxy {
        report.proxies.retain(|one| one.proxy == *proxy);
        report.gone.retain(|one| one.last.proxy == *proxy);
        if report.proxies.is_empty() && report.gone.is_empty() {
            return Err(Failure::not_found(format_args!("no proxy {proxy} is connected")));
        }
    }
    if *form == Form::Text {
        let text = if proxy.is_some() { details(&report) } else { table(&report) };
        output.answer(&text);
    } else {
        output.value(*form, &report)?;
    }
    Ok(Exit::Fine)
}

async fn ask(admin: &str) -> Result<Bytes, Failure> {
    let host = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::unavailable(format_args!("cannot ask the daemon at {admin}: {error}"))
    };
    let socket = TcpStream::connect(host).await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await.map_err(|error| unreachable(&error))?;
    let request = Request::get(REPORT_PATH)
        .header(header::HOST, host)
        .body(Empty::<Bytes>::new())
        .map_err(Failure::usage)?;
    let answer = async move {
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(unreachable(&format_args!("it answers {status}")));
        }
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        Ok(body.map_err(|error| unreachable(&error))?.to_bytes())
    };
    // The sender goes with the first half, so that the connection ends when the answer is complete.
    let (answer, _closed) = tokio::join!(answer, connection);
    answer
}

/// One line for each stream.
fn table(report: &Report) -> String {
    let mut text =
        if report.proxies.is_empty() { "no proxy is connected\n".to_owned() } else { connected(report) };
    if !report.gone.is_empty() {
        text.push('\n');
        text.push_str(&gone(report));
    }
    text
}

/// Proxies that went and did not come back.
fn gone(report: &Report) -> String {
    let mut rows = vec![["GONE", "ENVOY", "SINCE", "REASON"].map(str::to_owned).to_vec()];
    rows.extend(report.gone.iter().map(|Gone { last, since, reason }| {
        let envoy = last.envoy.clone().unwrap_or_else(|| "-".to_owned());
        vec![last.proxy.clone(), envoy, ago(report.at, *since), reason.clone()]
    }));
    aligned(&rows)
}

fn connected(report: &Report) -> String {
    let mut rows = vec![["PROXY", "ENVOY"].into_iter().chain(COLUMNS).map(str::to_owned).collect::<Vec<_>>()];
    for proxy in &report.proxies {
        let mut row = vec![proxy.proxy.clone(), proxy.envoy.clone().unwrap_or_else(|| "-".to_owned())];
        row.extend(
            COLUMNS.map(|column| proxy.types.get(column).map_or("-".to_owned(), |one| word(one, report.at))),
        );
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let rejected: String = report.proxies.iter().map(rejections).collect();
    if !rejected.is_empty() {
        text.push('\n');
        text.push_str(&rejected);
    }
    text
}

/// Everything about a proxy.
fn details(report: &Report) -> String {
    let mut text = String::new();
    for Gone { last, since, reason } in &report.gone {
        let _ = writeln!(text, "{} is not connected since {}: {reason}", last.proxy, ago(report.at, *since));
        let _ = writeln!(text, "how it stood then:");
    }
    for proxy in report.proxies.iter().chain(report.gone.iter().map(|gone| &gone.last)) {
        let ProxyStatus {
            proxy: name,
            role,
            protocol,
            envoy,
            identity,
            authenticated,
            peer,
            stream: _,
            connected,
            revision,
            acknowledged,
            types,
            certificate,
        } = proxy;
        let proof = if *authenticated { "proved by token" } else { "not proved: loopback" };
        let envoy = envoy.as_deref().unwrap_or("of unknown version");
        let _ = writeln!(text, "{name}: {role}, Envoy {envoy}, {protocol}, from {peer}");
        let _ = writeln!(text, "  identity:    {identity} ({proof})");
        let _ = writeln!(text, "  connected:   {} ago", ago(report.at, *connected));
        let _ = writeln!(text, "  revision:    {revision}, answered up to {acknowledged}");
        if let Some(certificate) = certificate {
            let left = ago(certificate.not_after, report.at);
            let _ = writeln!(
                text,
                "  certificate: {left} left, renewed in {}",
                ago(certificate.renews, report.at)
            );
        }
        for (kind, one) in types {
            let _ =
                writeln!(text, "  {:<12} {} ({} names)", format!("{kind}:"), word(one, report.at), one.names);
        }
        text.push_str(&rejections(proxy));
    }
    text
}

fn rejections(proxy: &ProxyStatus) -> String {
    let mut text = String::new();
    for (kind, one) in &proxy.types {
        for Refused { resources, message, objects, revision, count } in &one.rejected {
            let _ = writeln!(
                text,
                "{} rejected {kind} {} (revision {revision}, {count} times)",
                proxy.proxy,
                resources.join(", ")
            );
            let _ = writeln!(text, "  Envoy says: {}", message.trim());
            for object in objects {
                let _ = writeln!(text, "  made from:  {object}");
            }
        }
    }
    text
}

fn word(one: &TypeReport, now: u64) -> String {
    match one.state {
        State::Synced => "synced".to_owned(),
        State::Pending => match one.pending_since {
            Some(since) => format!("pending {}", ago(now, since)),
            None => "pending".to_owned(),
        },
        State::Rejected => "rejected".to_owned(),
    }
}

/// The time between two instants in its largest unit.
fn ago(now: u64, then: u64) -> String {
    match now.saturating_sub(then) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests;
