//! Who somebody is and what he may: asked of the API server, as controller-runtime's metrics filter does.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::core::params::PostParams;

use crate::cluster::{Cluster, Error};

/// What the API server says of a bearer token and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The token's owner may.
    Allowed,
    /// Nobody has this token.
    Unauthenticated,
    /// This user has it, and may not.
    Denied {
        /// His name.
        user: String,
    },
}

impl Cluster {
    /// Whether the owner of `token` may `verb` the non-resource `path`.
    ///
    /// # Errors
    /// That of a call.
    pub async fn access(&self, token: String, verb: &str, path: &str) -> Result<Access, Error> {
        let spec = TokenReviewSpec { token: Some(token), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviews = Api::<TokenReview>::all(self.client());
        let params = PostParams::default();
        let what = || "review a token".to_owned();
        let status = self.call(what, reviews.create(&params, &review)).await?.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true));
        let Some(user) = user else { return Ok(Access::Unauthenticated) };
        let attributes = NonResourceAttributes { path: Some(path.to_owned()), verb: Some(verb.to_owned()) };
        let spec = SubjectAccessReviewSpec {
            user: user.username.clone(),
            groups: user.groups,
            uid: user.uid,
            non_resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews = Api::<SubjectAccessReview>::all(self.client());
        let what = || "ask what a user may".to_owned();
        let status = self.call(what, reviews.create(&params, &review)).await?.status.unwrap_or_default();
        let denied = || Access::Denied { user: user.username.unwrap_or_default() };
        Ok(if status.allowed { Access::Allowed } else { denied() })
    }

    /// Whether `user`, or whoever we are, may `verb` objects of a resource in every namespace. The resource is a plural, or a
    /// plural and a subresource.
    ///
    /// # Errors
    /// That of the call.
    pub async fn may(&self, user: Option<&str>, verb: &str, group: &str, resource: &str) -> Result<bool, Error> {
        let (plural, subresource) = resource.split_once('/').map_or((resource, None), |(a, b)| (a, Some(b)));
        let attributes = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(plural.to_owned()),
            subresource: subresource.map(str::to_owned),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        let (params, what) = (PostParams::default(), || "ask what a user may".to_owned());
        let status = if let Some(user) = user {
            let spec = SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                groups: Some(groups(user)),
                resource_attributes: Some(attributes),
                ..SubjectAccessReviewSpec::default()
            };
            let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
            let reviews = Api::<SubjectAccessReview>::all(self.client());
            self.call(what, reviews.create(&params, &review)).await?.status
        } else {
            let spec = SelfSubjectAccessReviewSpec {
                resource_attributes: Some(attributes),
                ..SelfSubjectAccessReviewSpec::default()
            };
            let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
            let reviews = Api::<SelfSubjectAccessReview>::all(self.client());
            self.call(what, reviews.create(&params, &review)).await?.status
        };
        Ok(status.is_some_and(|status| status.allowed))
    }
}

/// The groups that the API server puts a service account in, and every other user.
fn groups(user: &str) -> Vec<String> {
    let mut groups = vec!["system:authenticated".to_owned()];
    if let Some((namespace, _)) =
        user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'))
    {
        groups.push("system:serviceaccounts".to_owned());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    groups
}
