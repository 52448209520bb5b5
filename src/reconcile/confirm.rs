//! Whether the resource is what the API server has, asked once by each process before the first write for it.
//!
//! A list may be older than what the process before has done: from an API server that lags behind, a resource that has gone
//! since, or was edited, looks as it did. Acting on it would undo what was done.

use crate::cluster::Error;
use crate::cluster::objects::Target;
use crate::reconcile::pass::Pass;
use crate::reconcile::resource::Resource;

impl Pass<'_> {
    /// Compares `resource` with what the API server has. What is newer is taken, and looked at by the next pass.
    pub(crate) async fn confirm(&self, resource: &Resource) -> Result<(), Error> {
        if self.controller.is_confirmed(&self.key, resource.uid()) {
            return Ok(());
        }
        let target = Target { served: &self.controller.served, namespace: resource.namespace(), name: resource.name() };
        if let Some(found) = self.context.operator.get(target).await?.map(Resource::new) {
            if found.resource_version() == resource.resource_version() {
                self.controller.confirm(&self.key, resource.uid());
                return Ok(());
            }
            self.controller.resources.observe(&found);
        }
        Err(Error::Outdated { object: format!("{} {}", resource.kind(), self.key) })
    }
}
