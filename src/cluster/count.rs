//! Counts requests where they are sent, watches and look-ups alike, as client-go does: `rest_client_requests_total`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use kube::client::Body;
use tower::{Layer, Service};

use crate::metrics::{self, Metrics};

/// The layer that counts.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    pub(crate) metrics: Metrics,
    /// Of the API server.
    pub(crate) host: Arc<str>,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, counting: self.clone() }
    }
}

/// A client whose requests are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S> {
    inner: S,
    counting: Counting,
}

impl<S, B> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().to_string();
        let mut sent = Sent { counting: self.counting.clone(), method, status: None };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            sent.answered(answer.as_ref().ok().map(Response::status));
            answer
        })
    }
}

/// A request on its way. It is counted when it ends, also where nobody waits for its answer any longer.
struct Sent {
    counting: Counting,
    method: String,
    status: Option<StatusCode>,
}

impl Sent {
    fn answered(&mut self, status: Option<StatusCode>) {
        self.status = status;
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        // client-go's word for a request that got no answer.
        let code = self.status.map_or_else(|| "<error>".to_owned(), |status| status.as_str().to_owned());
        let host = self.counting.host.as_ref().to_owned();
        let labels = metrics::Request { code, host, method: std::mem::take(&mut self.method) };
        self.counting.metrics.requests.get_or_create(&labels).inc();
    }
}
