//! A namespace that is being deleted: everything in it goes by itself, and the rights of its accounts may go first.

use k8s_openapi::api::core::v1::Namespace;
use kube::core::ApiResource;

use crate::cluster::Error;
use crate::cluster::discovery::Served;
use crate::cluster::objects::Target;
use crate::reconcile::pass::Pass;

impl Pass<'_> {
    /// The answer to a call for a resource that is being deleted; `None` where the account of its watch may not make it any
    /// more, and need not, since the namespace it is about is going too. Without this its finalizer would keep both for ever.
    pub(crate) async fn unless_going<T>(&self, answer: Result<T, Error>, namespace: &str) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_forbidden() && self.has_account() && self.is_going(namespace).await => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has_account(&self) -> bool {
        self.resource.is_deleting() && self.entry.watch.service_account_name.is_some()
    }

    async fn is_going(&self, namespace: &str) -> bool {
        let resource = ApiResource::erase::<Namespace>(&());
        let served = Served { resource, namespaced: false, status: true, watchable: true };
        let found = self.context.operator.get(Target { served: &served, namespace: "", name: namespace }).await;
        // What cannot be asked is taken for a namespace that stays.
        let found = found.ok().flatten();
        found.is_some_and(|namespace| namespace.pointer("/metadata/deletionTimestamp").is_some())
    }
}
