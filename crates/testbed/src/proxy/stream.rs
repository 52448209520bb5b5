//! Watches: lines of JSON, an event each, and what may happen to them on the way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::mpsc;

use crate::proxy::exchange::Body;
use crate::proxy::{Seen, Shared};

/// How long an event waits for a later one to be overtaken by.
const OVERTAKING: Duration = Duration::from_millis(150);

/// What happens to watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Nothing comes any more, and the connection stays.
    Freeze,
    /// Every event comes twice.
    Repeat,
    /// Of two events in a row the later one comes first, unless an object's end is one of them.
    Swap,
    /// It ends, as the API server ends one whose time is over.
    End,
    /// The connection breaks within an event.
    Break,
    /// It ends with the error that what the client saw last is too old to go on from.
    Expire,
}

impl Disturbance {
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::End | Self::Break | Self::Expire)
    }
}

/// Which watches something happens to.
pub(crate) struct Disturbed {
    pub(crate) when: Box<dyn Fn(&Seen) -> bool + Send + Sync>,
    pub(crate) disturbance: Disturbance,
    /// Watches from this number on are spared.
    pub(crate) until: usize,
}

/// What is sent to the client; an error breaks the connection.
type Sink = mpsc::Sender<Result<Bytes>>;

/// The lines of a body.
struct Lines {
    body: kube::client::Body,
    read: BytesMut,
}

impl Lines {
    fn new(body: kube::client::Body) -> Self {
        Self { body, read: BytesMut::new() }
    }

    /// The next whole line with its end; nothing when there is none. May be cancelled without a loss.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                return Some(self.read.split_to(end + 1).freeze());
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}

/// The body of a watch, as it comes from the API server and may be disturbed.
pub(crate) fn follow(shared: Arc<Shared>, seen: Seen, body: kube::client::Body) -> Body {
    let (sink, answer) = channel();
    let number = {
        let mut state = shared.state();
        state.watches += 1;
        state.watches - 1
    };
    // An error means that the client is gone.
    tokio::spawn(async move { pump(&shared, &seen, number, Lines::new(body), sink).await });
    answer
}

/// Carries events from the API server to the client.
async fn pump(shared: &Shared, seen: &Seen, number: usize, mut lines: Lines, sink: Sink) -> Option<()> {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let disturbance = disturbance_of(shared, seen, number);
        match disturbance {
            Some(Disturbance::End) => return None,
            Some(Disturbance::Break) => {
                sink.send(Ok(Bytes::from_static(b"{\"type\":\"MODI"))).await.ok()?;
                return sink.send(Err(anyhow!("broken"))).await.ok();
            }
            Some(Disturbance::Expire) => return sink.send(Ok(expired())).await.ok(),
            _ => {}
        }
        let line = tokio::select! {
            line = lines.next(), if disturbance != Some(Disturbance::Freeze) => line?,
            _ = changed.changed() => continue,
            () = sink.closed() => return None,
        };
        match disturbance {
            Some(Disturbance::Repeat) if !is_bookmark(&line) => {
                sink.send(Ok(line.clone())).await.ok()?;
                sink.send(Ok(line)).await.ok()?;
            }
            Some(Disturbance::Swap) if may_be_late(&line) => overtake(line, &mut lines, &sink).await?,
            _ => sink.send(Ok(line)).await.ok()?,
        }
    }
}

/// Sends the event after `line` first, if one comes soon that may be early.
async fn overtake(line: Bytes, lines: &mut Lines, sink: &Sink) -> Option<()> {
    let next = tokio::time::timeout(OVERTAKING, lines.next()).await;
    let order = match next {
        Ok(Some(next)) if may_be_late(&next) => [Some(next), Some(line)],
        Ok(next) => [Some(line), next],
        Err(_nothing_came) => [Some(line), None],
    };
    for line in order.into_iter().flatten() {
        sink.send(Ok(line)).await.ok()?;
    }
    Some(())
}

fn disturbance_of(shared: &Shared, seen: &Seen, number: usize) -> Option<Disturbance> {
    let state = shared.state();
    let disturbed = state.disturbed.iter().rev().find(|disturbed| number < disturbed.until && (disturbed.when)(seen));
    disturbed.map(|disturbed| disturbed.disturbance)
}

fn is_bookmark(line: &[u8]) -> bool {
    line.starts_with(b"{\"type\":\"BOOKMARK\"")
}

/// Whether the event may change places with another one. After an object's end nothing is ever said of it.
fn may_be_late(line: &[u8]) -> bool {
    !is_bookmark(line) && !line.starts_with(b"{\"type\":\"DELETED\"")
}

/// The event that the API server sends where it cannot go on from the version asked for.
fn expired() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410,
    });
    format!("{}\n", json!({"type": "ERROR", "object": status})).into()
}

/// The answer that shows the past to a watch that begins with a list, if one is to be shown.
pub(crate) fn past(shared: &Arc<Shared>, seen: &Seen) -> Option<Response<Body>> {
    let lines = shared.state().past.as_ref().filter(|_| seen.is_list_and_watch())?.0.get(&seen.path)?.clone();
    let (sink, body) = channel();
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut changed = shared.changed.subscribe();
        for line in lines {
            sink.send(Ok(line)).await.ok()?;
        }
        while shared.state().past.is_some() {
            tokio::select! {
                changed = changed.changed() => changed.ok()?,
                () = sink.closed() => return None,
            }
        }
        Some(())
    });
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Some(answer)
}

/// What the list of a watch shows now: its events and the bookmark that ends it.
pub(crate) async fn list(upstream: &kube::Client, seen: &Seen) -> Result<Vec<Bytes>> {
    let request = Request::get(format!("{}?{}", seen.path, seen.query)).body(kube::client::Body::empty())?;
    let mut lines = Lines::new(upstream.send(request).await?.into_body());
    let mut shown = Vec::new();
    loop {
        let line = lines.next().await.with_context(|| format!("the list of {} ended early", seen.path))?;
        let is_last = is_bookmark(&line);
        shown.push(line);
        if is_last {
            return Ok(shown);
        }
    }
}

fn channel() -> (Sink, Body) {
    let (sink, lines) = mpsc::channel(16);
    let frames = futures::stream::unfold(lines, |mut lines: mpsc::Receiver<Result<Bytes>>| async {
        let line = lines.recv().await?;
        Some((line.map(Frame::data), lines))
    });
    (sink, StreamBody::new(frames).boxed_unsync())
}
