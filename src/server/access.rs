//! Who may read an endpoint: asked of the cluster for each request, as controller-runtime does with
//! `--metrics-require-rbac` (`pkg/metrics/filters` of v0.25.2). The asking itself is handed in.

use std::future::Future;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

/// What is asked about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The bearer token; a secret, never to be logged.
    pub token: String,
    /// The HTTP method in small letters, which is the verb for a path that is no resource.
    pub verb: String,
    /// The path, without the query.
    pub path: String,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The token's owner may.
    Allowed,
    /// The cluster does not know the token.
    Unauthenticated,
    /// The cluster knows this user, and he may not.
    Denied {
        /// His name.
        user: String,
    },
    /// The cluster could not be asked.
    Unknown,
}

/// Lets only those requests through to `router` that `ask` allows. Who names no token is not asked about.
pub fn guard<Ask, Asking>(router: Router, ask: Ask) -> Router
where
    Ask: Fn(Question) -> Asking + Clone + Send + Sync + 'static,
    Asking: Future<Output = Verdict> + Send,
{
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let ask = ask.clone();
        async move {
            let Some(question) = question(&request) else { return refuse(Verdict::Unauthenticated) };
            match ask(question).await {
                Verdict::Allowed => next.run(request).await,
                other => refuse(other),
            }
        }
    }))
}

/// The question about a request, if it has a bearer token.
fn question(request: &Request) -> Option<Question> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Question {
        token: token.to_owned(),
        verb: request.method().as_str().to_ascii_lowercase(),
        path: request.uri().path().to_owned(),
    })
}

fn refuse(verdict: Verdict) -> Response {
    let (status, text) = match verdict {
        Verdict::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthorized\n".to_owned()),
        Verdict::Denied { user } => (StatusCode::FORBIDDEN, format!("Authorization denied for user {user}\n")),
        Verdict::Allowed | Verdict::Unknown => {
            (StatusCode::INTERNAL_SERVER_ERROR, "Authentication failed\n".to_owned())
        }
    };
    (status, text).into_response()
}
