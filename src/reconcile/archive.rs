//! The records of all releases of a namespace, listed once when a controller starts: a list for each of thousands of
//! resources takes the API server through all Secrets of the namespace each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::cluster::records::Records;
use crate::cluster::{Cluster, Error};
use crate::release::ReleaseId;

/// How long a list is of use: by then everything it was made for has been looked at. What is recalled later is listed by
/// itself.
const KEPT: Duration = Duration::from_mins(1);

/// For how many resources it is worth while.
const MANY: usize = 20;

/// What was listed, by namespace. A list is taken for as new as what this process remembers of a release: nobody else
/// writes records meanwhile, or is met when the next one is written.
#[derive(Debug, Default)]
pub(crate) struct Archive(Arc<Mutex<Shelves>>);

/// None where a list has been of use, and is no more.
type Shelves = BTreeMap<String, Option<Arc<OnceCell<Shelf>>>>;

/// The records of releases that were not asked for yet.
type Shelf = Mutex<BTreeMap<String, Records>>;

impl Archive {
    /// The records of a release, for the first who asks, if it is one of many that are asked for now.
    pub(crate) async fn take(
        &self,
        cluster: &Cluster,
        release: &ReleaseId,
        resources: usize,
    ) -> Result<Option<Records>, Error> {
        let Some(shelf) = self.shelf(&release.namespace, resources) else { return Ok(None) };
        let list = async {
            let all = cluster.all_records(&release.namespace).await?;
            self.forget_later(&release.namespace);
            Ok(Mutex::new(all))
        };
        Ok(lock(shelf.get_or_try_init(|| list).await?).remove(&release.name))
    }

    fn shelf(&self, namespace: &str, resources: usize) -> Option<Arc<OnceCell<Shelf>>> {
        let mut shelves = lock(&self.0);
        if let Some(shelf) = shelves.get(namespace) {
            return shelf.clone();
        }
        (resources > MANY).then(|| {
            let shelf = Arc::default();
            shelves.insert(namespace.to_owned(), Some(Arc::clone(&shelf)));
            shelf
        })
    }

    fn forget_later(&self, namespace: &str) {
        let (shelves, namespace) = (Arc::downgrade(&self.0), namespace.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            if let Some(shelves) = shelves.upgrade() {
                lock(&shelves).insert(namespace, None);
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only single inserts and removes are done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
