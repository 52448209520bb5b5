//! What renders have looked up, who read it, and what watches show of it since: digests, which say whether a render would
//! see the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use crate::cluster::lookup::{self, Contents, Lookup};
use crate::reconcile::objects::SetId;
use crate::release::Digest;

/// How many objects of one namespace are watched one by one; for more the namespace is watched.
const NAMES: usize = 8;

/// How many watches one kind may take; for more all of it is watched.
const WATCHES: usize = 32;

/// How much of the time a resource whose look-ups keep changing may be rendered: a tenth.
const PAUSE: u32 = 9;

/// How long changes of what was looked up are gathered at most.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What a watch for look-ups shows: an object, a namespace, or with both empty all objects of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cover {
    /// Empty for all of them, and for cluster-scoped kinds.
    pub namespace: String,
    /// Empty for all of them.
    pub name: String,
}

/// What was looked up, by whom.
#[derive(Debug, Default)]
pub struct Lookups(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    subjects: BTreeMap<Lookup, Subject>,
    read: BTreeMap<SetId, BTreeSet<Lookup>>,
    rendered: BTreeMap<SetId, Rendered>,
    /// Kinds, by API version and name, of which something else must be watched now.
    changed: BTreeSet<(String, String)>,
}

/// When a resource was rendered last, and how long that took.
#[derive(Clone, Copy, Debug)]
struct Rendered {
    at: Instant,
    took: Duration,
}

#[derive(Debug, Default)]
struct Subject {
    readers: BTreeSet<SetId>,
    /// As it was last seen; `None` until then.
    contents: Option<Contents>,
    /// Whether it is one of the objects that we watch because they are ours.
    owned: bool,
}

impl Lookups {
    /// The last render for `set` read these and no others; the flag tells which of them are objects of ours. Gives the
    /// kinds, by API version and name, of which something else must be watched now.
    pub(crate) fn read_by<'a>(
        &self,
        set: &SetId,
        lookups: impl Iterator<Item = (&'a Lookup, bool)>,
    ) -> BTreeSet<(String, String)> {
        let mut state = self.lock();
        let mut now = BTreeSet::new();
        for (lookup, owned) in lookups {
            let subject = state.read(set, lookup);
            if std::mem::replace(&mut subject.owned, owned) != owned {
                state.changed.insert(kind(lookup));
            }
            now.insert(lookup.clone());
        }
        let former: Vec<_> =
            state.read.get(set).into_iter().flatten().filter(|lookup| !now.contains(lookup)).cloned().collect();
        for lookup in &former {
            state.leave(set, lookup);
        }
        std::mem::take(&mut state.changed)
    }

    /// Forgets a set whose resource is gone. Gives the kinds of which less must be watched now.
    pub(crate) fn forget(&self, set: &SetId) -> BTreeSet<(String, String)> {
        let changed = self.read_by(set, std::iter::empty());
        self.lock().rendered.remove(set);
        changed
    }

    /// A read for `set` found this.
    pub(crate) fn learn(&self, set: &SetId, lookup: &Lookup, contents: Contents) {
        self.lock().read(set, lookup).contents = Some(contents);
    }

    /// What is known of `lookup`, if anything.
    pub(crate) fn digest(&self, lookup: &Lookup) -> Option<Digest> {
        self.lock().subjects.get(lookup)?.contents.as_ref().map(Contents::digest)
    }

    /// Whether somebody has looked up the object, or a list it would be in.
    pub fn concerns(&self, object: &Lookup) -> bool {
        let state = self.lock();
        asked(object).iter().any(|lookup| state.subjects.contains_key(lookup))
    }

    /// A watch shows the object, or with `None` that it is gone. Gives the sets for which that is news.
    pub fn saw(&self, object: &Lookup, shown: Option<&Json>) -> BTreeSet<SetId> {
        let mut state = self.lock();
        let mut woken = BTreeSet::new();
        for lookup in asked(object) {
            let Some(subject) = state.subjects.get_mut(&lookup) else { continue };
            if subject.saw(lookup.name.is_empty(), object, shown) {
                woken.extend(subject.readers.iter().cloned());
            }
        }
        woken
    }

    /// The objects of a kind that something is known or asked of, within `cover`: those that a list of it must show again.
    pub fn known(&self, api_version: &str, kind: &str, cover: &Cover) -> BTreeSet<(String, String)> {
        let state = self.lock();
        let mut known = BTreeSet::new();
        for (lookup, subject) in of_kind(&state.subjects, api_version, kind) {
            if !lookup.name.is_empty() {
                known.insert((lookup.namespace.clone(), lookup.name.clone()));
            } else if let Some(Contents::List(items)) = &subject.contents {
                known.extend(items.keys().cloned());
            }
        }
        known.retain(|(namespace, name)| cover.shows(namespace, name));
        known
    }

    /// What of a kind must be watched for look-ups; all of it at once only where `cluster_wide`.
    pub fn covers(&self, api_version: &str, kind: &str, cluster_wide: bool) -> BTreeSet<Cover> {
        let state = self.lock();
        let foreign = of_kind(&state.subjects, api_version, kind).filter(|(_, subject)| !subject.owned);
        covers(foreign.map(|(lookup, _)| lookup), cluster_wide)
    }

    /// A render for `set` has ended now, and took so long.
    pub(crate) fn rendered(&self, set: &SetId, took: Duration) {
        self.lock().rendered.insert(SetId::clone(set), Rendered { at: Instant::now(), took });
    }

    /// From when on `set` may be rendered for a changed look-up.
    pub(crate) fn due(&self, set: &SetId) -> Instant {
        let rendered = self.lock().rendered.get(set).copied();
        rendered.map_or_else(Instant::now, |last| last.at + last.took.saturating_mul(PAUSE).min(MAX_PAUSE))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Readers and subjects are changed together before anything could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `set` reads `lookup`.
    fn read(&mut self, set: &SetId, lookup: &Lookup) -> &mut Subject {
        self.read.entry(SetId::clone(set)).or_default().insert(lookup.clone());
        if !self.subjects.contains_key(lookup) {
            self.changed.insert(kind(lookup));
        }
        let subject = self.subjects.entry(lookup.clone()).or_default();
        subject.readers.insert(SetId::clone(set));
        subject
    }

    /// `set` no longer reads `lookup`.
    fn leave(&mut self, set: &SetId, lookup: &Lookup) {
        if let Some(read) = self.read.get_mut(set) {
            read.remove(lookup);
            if read.is_empty() {
                self.read.remove(set);
            }
        }
        let Some(subject) = self.subjects.get_mut(lookup) else { return };
        subject.readers.remove(set);
        if subject.readers.is_empty() {
            self.subjects.remove(lookup);
            self.changed.insert(kind(lookup));
        }
    }
}

impl Subject {
    /// Takes what a watch shows. `true` if it is another than was known.
    fn saw(&mut self, is_list: bool, object: &Lookup, shown: Option<&Json>) -> bool {
        match &mut self.contents {
            Some(Contents::List(items)) => {
                let key = (object.namespace.clone(), object.name.clone());
                match shown.and_then(lookup::digest_in_list) {
                    Some(digest) => items.insert(key, digest) != Some(digest),
                    None => items.remove(&key).is_some(),
                }
            }
            Some(Contents::Object(known)) => {
                let new = shown.and_then(lookup::digest);
                std::mem::replace(known, new) != new
            }
            // Whoever reads it compares it himself. A list is not known by one of its objects.
            None if is_list => false,
            None => {
                self.contents = Some(Contents::Object(shown.and_then(lookup::digest)));
                false
            }
        }
    }
}

impl Cover {
    fn shows(&self, namespace: &str, name: &str) -> bool {
        (self.namespace.is_empty() || self.namespace == namespace) && (self.name.is_empty() || self.name == name)
    }
}

fn kind(lookup: &Lookup) -> (String, String) {
    (lookup.api_version.clone(), lookup.kind.clone())
}

/// The look-ups that an object is an answer to: itself, the list of its namespace, that of all namespaces.
fn asked(object: &Lookup) -> BTreeSet<Lookup> {
    let list = Lookup { name: String::new(), ..object.clone() };
    [object.clone(), Lookup { namespace: String::new(), ..list.clone() }, list].into()
}

fn of_kind<'a>(
    subjects: &'a BTreeMap<Lookup, Subject>,
    api_version: &'a str,
    kind: &'a str,
) -> impl Iterator<Item = (&'a Lookup, &'a Subject)> {
    let (namespace, name) = (String::new(), String::new());
    let first = Lookup { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name };
    subjects.range(first..).take_while(move |(lookup, _)| lookup.api_version == api_version && lookup.kind == kind)
}

/// The fewest and smallest watches that show all of `lookups`.
fn covers<'a>(lookups: impl Iterator<Item = &'a Lookup>, cluster_wide: bool) -> BTreeSet<Cover> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for lookup in lookups {
        names.entry(&lookup.namespace).or_default().insert(&lookup.name);
    }
    let is_whole = |names: &BTreeSet<&str>| names.contains("") || names.len() > NAMES;
    if names.get("").is_some_and(is_whole) {
        return [Cover::default()].into();
    }
    let watches = names.values().map(|names| if is_whole(names) { 1 } else { names.len() }).sum::<usize>();
    let (crowded, namespaces) = (watches > WATCHES, names.len());
    if cluster_wide && namespaces > WATCHES {
        return [Cover::default()].into();
    }
    let cover = |namespace: &str, name: &str| Cover { namespace: namespace.to_owned(), name: name.to_owned() };
    let of_namespace = |(namespace, names): (&str, BTreeSet<&str>)| -> Vec<Cover> {
        if is_whole(&names) || crowded && !namespace.is_empty() {
            vec![cover(namespace, "")]
        } else {
            names.into_iter().map(|name| cover(namespace, name)).collect()
        }
    };
    names.into_iter().flat_map(of_namespace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lookup(namespace: &str, name: &str) -> Lookup {
        let text = str::to_owned;
        Lookup { api_version: text("v1"), kind: text("ConfigMap"), namespace: text(namespace), name: text(name) }
    }

    fn covered(lookups: &[(&str, String)], cluster_wide: bool) -> String {
        let lookups: Vec<_> = lookups.iter().map(|(namespace, name)| lookup(namespace, name)).collect();
        let covers = covers(lookups.iter(), cluster_wide);
        covers.iter().map(|cover| format!("{}/{}", cover.namespace, cover.name)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn few_objects_are_watched_one_by_one_and_many_together() {
        let of = |namespace, count: usize| (0..count).map(move |n| (namespace, format!("n{n}")));
        assert_eq!(covered(&of("a", 2).chain(of("b", 1)).collect::<Vec<_>>(), true), "a/n0 a/n1 b/n0");
        assert_eq!(covered(&of("a", 9).chain(of("b", 1)).collect::<Vec<_>>(), true), "a/ b/n0");
        assert_eq!(covered(&[("a", String::new()), ("a", "x".to_owned())], true), "a/");
        assert_eq!(covered(&[("", String::new()), ("a", "x".to_owned())], false), "/");
        assert_eq!(covered(&of("", 2).collect::<Vec<_>>(), true), "/n0 /n1");
        let crowd: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().flat_map(|namespace| of(namespace, 8)).collect();
        assert_eq!(covered(&crowd, true), "a/ b/ c/ d/ e/");
    }

    #[test]
    fn a_kind_looked_up_in_many_namespaces_takes_one_watch_where_that_is_allowed() {
        let names: Vec<_> = (0..40).map(|n| format!("ns{n:02}")).collect();
        let lookups: Vec<_> = names.iter().map(|name| (name.as_str(), "x".to_owned())).collect();
        assert_eq!(covered(&lookups, true), "/");
        assert_eq!(covered(&lookups, false).split(' ').count(), 40);
    }

    fn object(version: &str, value: &str) -> Json {
        json!({"metadata": {"name": "x", "namespace": "a", "resourceVersion": version}, "data": {"k": value}})
    }

    fn see(lookups: &Lookups, name: &str, object: Option<&Json>) -> Vec<String> {
        lookups.saw(&lookup("a", name), object).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_those_who_read_an_object_are_woken_and_only_when_it_says_something_else() {
        let lookups = Lookups::default();
        let (one, other): (SetId, SetId) = ("one".into(), "other".into());
        let (x, y) = (lookup("a", "x"), lookup("a", "y"));
        lookups.read_by(&one, [(&x, false)].into_iter());
        lookups.read_by(&other, [(&y, false)].into_iter());
        lookups.learn(&one, &x, Contents::of(&x, &object("1", "v")));
        assert_eq!(see(&lookups, "x", Some(&object("2", "v"))), [""; 0]);
        assert_eq!(see(&lookups, "x", Some(&object("3", "w"))), ["one"]);
        assert_eq!(see(&lookups, "x", None), ["one"]);
        assert_eq!(see(&lookups, "x", None), [""; 0]);
        assert_eq!(see(&lookups, "z", Some(&object("3", "w"))), [""; 0]);
    }

    #[test]
    fn a_list_is_news_when_an_object_in_it_comes_changes_or_goes() {
        let lookups = Lookups::default();
        let (one, list): (SetId, _) = ("one".into(), lookup("a", ""));
        lookups.read_by(&one, [(&list, false)].into_iter());
        lookups.learn(&one, &list, Contents::of(&list, &json!({"items": [object("1", "v")]})));
        assert_eq!(see(&lookups, "x", Some(&object("2", "v"))), [""; 0]);
        assert_eq!(see(&lookups, "y", Some(&object("3", "v"))), ["one"]);
        assert_eq!(see(&lookups, "x", Some(&object("4", "w"))), ["one"]);
        assert_eq!(see(&lookups, "x", None), ["one"]);
        assert_eq!(lookups.known("v1", "ConfigMap", &Cover::default()), [("a".to_owned(), "y".to_owned())].into());
    }

    #[test]
    fn what_nobody_reads_any_more_is_not_watched() {
        let lookups = Lookups::default();
        let (one, other): (SetId, SetId) = ("one".into(), "other".into());
        let x = lookup("a", "x");
        assert_eq!(lookups.read_by(&one, [(&x, false)].into_iter()).len(), 1);
        assert_eq!(lookups.read_by(&other, [(&x, false)].into_iter()).len(), 0);
        assert_eq!(lookups.covers("v1", "ConfigMap", true).len(), 1);
        assert_eq!(lookups.forget(&one).len(), 0);
        // It has become an object of ours, which is watched anyway.
        assert_eq!(lookups.read_by(&other, [(&x, true)].into_iter()).len(), 1);
        assert_eq!(lookups.covers("v1", "ConfigMap", true).len(), 0);
        assert_eq!(lookups.forget(&other).len(), 1);
        assert!(!lookups.concerns(&x));
    }
}
