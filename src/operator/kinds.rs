//! Follows what the API server serves, so that charts which asked for it are rendered again.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::cluster::survey::Survey;
use crate::reconcile::Context;
use crate::render::Capabilities;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(30);

/// Between two looks when something is about to change.
const SOON: Duration = Duration::from_secs(1);

/// How often it is looked at soon.
const TRIES: u32 = 5;

/// Follows until nobody needs it any more.
pub(crate) async fn follow(mut survey: Survey, known: watch::Sender<Arc<Capabilities>>, context: Weak<Context>) {
    let (mut tries, mut failing) = (0_u32, false);
    while let Some(discovery) = context.upgrade().map(|context| context.discovery.clone()) {
        tokio::select! {
            () = tokio::time::sleep(if tries > 0 { SOON } else { PERIOD }) => tries = tries.saturating_sub(1),
            () = discovery.doubted() => {
                tries = TRIES;
                continue;
            }
        }
        let answer = survey.look().await;
        let Some(context) = context.upgrade() else { return };
        match answer {
            Ok(None) => failing = false,
            Ok(Some(now)) => {
                (tries, failing) = (0, false);
                let before = known.send_replace(Arc::new(now.clone()));
                for api_version in changed(&before, &now) {
                    context.discovery.forget(&api_version);
                }
                context.wake_askers(&now);
            }
            Err(error) if !failing => {
                tracing::warn!(target: "helm.controller", error = error.message(), "Served kinds cannot be looked up");
                failing = true;
            }
            Err(_) => {}
        }
    }
}

/// The group versions of which not the same is served.
fn changed(before: &Capabilities, now: &Capabilities) -> BTreeSet<String> {
    let texts = |capabilities: &Capabilities| -> BTreeSet<String> {
        capabilities.api_versions().iter().map(|version| version.to_text().into_owned()).collect()
    };
    let (before, now) = (texts(before), texts(now));
    let names = before.symmetric_difference(&now);
    // `apps/v1` for `apps/v1/Deployment`; what is no group version is forgotten in vain.
    names
        .flat_map(|name| [Some(&**name), name.rsplit_once('/').map(|(version, _)| version)])
        .flatten()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_version_has_changed_when_a_kind_came_or_went() {
        let of = |versions: &[&str]| Capabilities::default().and(versions.iter().copied());
        let changed =
            changed(&of(&["a/v1", "a/v1/One", "b/v1", "b/v1/Two"]), &of(&["a/v1", "a/v1/One", "a/v1/New", "c/v1"]));
        for (version, want) in [("a/v1", true), ("b/v1", true), ("c/v1", true), ("apps/v1", false), ("v1", false)] {
            assert_eq!(changed.contains(version), want, "{version}: {changed:?}");
        }
    }
}
