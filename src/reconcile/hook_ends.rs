//! What watches have seen of hooks' objects: how they ended, which a pass must learn even if the object is gone by then.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::reconcile::objects::SetId;
use crate::release::ObjectId;
use crate::release::hook::run::State;

/// By object: the mark of the run that made it, and how it ended.
type Ends = BTreeMap<ObjectId, (String, State)>;

/// What has been seen, by the set of the resource.
#[derive(Debug, Default)]
pub struct HookEnds(Mutex<BTreeMap<SetId, Ends>>);

impl HookEnds {
    /// Takes a sight of an object; `true` if it tells something new.
    pub fn observe(&self, set: &str, id: &ObjectId, mark: &str, state: State) -> bool {
        if !state.is_final() {
            return false;
        }
        let seen = (mark.to_owned(), state);
        let mut ends = self.lock();
        ends.entry(set.into()).or_default().insert(id.clone(), seen.clone()) != Some(seen)
    }

    /// How the object ended that the run of this mark made.
    pub(crate) fn end_of(&self, set: &str, id: &ObjectId, mark: &str) -> Option<State> {
        let ends = self.lock();
        let (of, state) = ends.get(set)?.get(id)?;
        (of == mark).then(|| state.clone())
    }

    /// Forgets what a resource's hooks came to: it is recorded, or the resource is gone.
    pub(crate) fn forget(&self, set: &str) {
        self.lock().remove(set);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SetId, Ends>> {
        // Only single inserts and removes are done under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_object_is_told_once_and_known_for_its_run_alone() {
        let ends = HookEnds::default();
        let id: ObjectId = "batch/Job shop/migrate".parse().unwrap();
        assert!(!ends.observe("set", &id, "v1", State::Running("Job in progress")));
        assert!(ends.observe("set", &id, "v1", State::Succeeded));
        assert!(!ends.observe("set", &id, "v1", State::Succeeded));
        assert_eq!(ends.end_of("set", &id, "v1"), Some(State::Succeeded));
        assert_eq!(ends.end_of("set", &id, "v2"), None);
        ends.forget("set");
        assert_eq!(ends.end_of("set", &id, "v1"), None);
    }
}
