//! One request and its answer.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::json;

use crate::proxy::fault::{Action, Injected, Refusal};
use crate::proxy::{Seen, Shared, stream};

pub(crate) type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// Answers a request. An error breaks the connection.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>> {
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let fault = note(&shared, &seen);
    match &fault {
        Some((injected, Action::Lose)) => {
            injected.meet();
            bail!("lost");
        }
        Some((injected, Action::Refuse(refusal))) => {
            injected.meet();
            return refused(refusal);
        }
        Some((injected, Action::Hold)) => {
            injected.meet();
            injected.held().await;
        }
        Some((injected, Action::Delay(time))) => {
            injected.meet();
            tokio::time::sleep(*time).await;
        }
        Some((_, Action::LoseAnswer | Action::HoldAnswer)) | None => {}
    }
    let answer = forward(&shared, seen, request).await?;
    match &fault {
        Some((injected, Action::LoseAnswer)) => {
            injected.meet();
            bail!("answer lost")
        }
        Some((injected, Action::HoldAnswer)) => {
            injected.meet();
            injected.held().await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

/// Writes the request down, and tells what is to be done to it: the first fault that takes it, while all count it.
fn note(shared: &Shared, seen: &Seen) -> Option<(Arc<Injected>, Action)> {
    let mut state = shared.state();
    state.seen.push(seen.clone());
    let mut taken = None;
    for injected in &state.injected {
        if let Some(action) = injected.takes(seen)
            && taken.is_none()
        {
            taken = Some((Arc::clone(injected), action.clone()));
        }
    }
    taken
}

/// Asks the API server. A watch goes on through [`stream`], everything else is read whole.
async fn forward(shared: &Arc<Shared>, seen: Seen, request: Request<Incoming>) -> Result<Response<Body>> {
    if let Some(past) = stream::past(shared, &seen) {
        return Ok(past);
    }
    let (mut parts, body) = request.into_parts();
    for own in [HOST, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(own);
    }
    let body = body.collect().await?.to_bytes();
    let answer = shared.upstream.send(Request::from_parts(parts, kube::client::Body::from(body))).await?;
    let (mut parts, body) = answer.into_parts();
    forget_transfer(&mut parts.headers);
    let body = if seen.is_watch() && parts.status == StatusCode::OK {
        stream::follow(Arc::clone(shared), seen, body)
    } else {
        whole(body.collect().await?.to_bytes())
    };
    Ok(Response::from_parts(parts, body))
}

/// How the body is transferred is each connection's own.
fn forget_transfer(headers: &mut HeaderMap) {
    for own in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(own);
    }
}

pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(Into::into).boxed_unsync()
}

/// A Status as the API server writes it.
fn refused(refusal: &Refusal) -> Result<Response<Body>> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": refusal.code,
        "reason": refusal.reason, "message": "refused by the testbed",
        "details": {"retryAfterSeconds": refusal.retry_after.unwrap_or_default()},
    });
    let mut answer = Response::builder().status(refusal.code).header(CONTENT_TYPE, "application/json");
    if let Some(seconds) = refusal.retry_after {
        answer = answer.header(RETRY_AFTER, seconds);
    }
    Ok(answer.body(whole(status.to_string().into()))?)
}
