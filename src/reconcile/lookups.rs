//! What renders have looked up, who read it, and what watches show of it since: digests, which say whether a render would
//! see the same again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use crate::cluster::lookup::{self, Contents, Filter, Lookup};
use crate::reconcile::objects::SetId;
use crate::release::Digest;
use crate::release::selector::Selector;

/// How many objects of one namespace are watched one by one; for more the namespace is watched.
const NAMES: usize = 8;

/// How many watches one kind may take; for more all of it is watched.
const WATCHES: usize = 32;

/// How much of the time a resource whose look-ups keep changing may be rendered: a tenth.
const PAUSE: u32 = 9;

/// How long changes of what was looked up are gathered at most.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What a watch for look-ups shows: an object, the objects of a namespace, or with both empty all objects of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cover {
    /// Empty for all of them, and for cluster-scoped kinds.
    pub namespace: String,
    /// Empty for all of them.
    pub name: String,
    /// A label selector; empty for all of them. An object that leaves it is shown as if it were gone.
    pub selector: String,
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
    /// That of a list of some objects only.
    selector: Option<Selector>,
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
        !asked(&self.lock().subjects, object).is_empty()
    }

    /// A watch of `cover` shows the object, or with `None` that it is gone from there. Gives the sets for which that is news.
    pub fn saw(&self, cover: &Cover, object: &Lookup, shown: Option<&Json>) -> BTreeSet<SetId> {
        let mut state = self.lock();
        let mut woken = BTreeSet::new();
        for lookup in asked(&state.subjects, object).into_iter().filter(|lookup| cover.tells_of(lookup)) {
            let Some(subject) = state.subjects.get_mut(&lookup) else { continue };
            if subject.saw(&lookup, object, shown) {
                woken.extend(subject.readers.iter().cloned());
            }
        }
        woken
    }

    /// The objects of a kind that something is known or asked of, within `cover`: those that a list of it must show again.
    pub fn known(&self, api_version: &str, kind: &str, cover: &Cover) -> BTreeSet<(String, String)> {
        let state = self.lock();
        let mut known = BTreeSet::new();
        let subjects = of_kind(&state.subjects, api_version, kind).filter(|(lookup, _)| cover.tells_of(lookup));
        for (lookup, subject) in subjects {
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
        let subject = self.subjects.entry(lookup.clone()).or_insert_with(|| Subject::new(lookup));
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
    fn new(lookup: &Lookup) -> Self {
        // What cannot be read, which another version may have written, is taken for all objects.
        let selector = Selector::parse(&lookup.filter.selector).ok().filter(|selector| !selector.is_empty());
        Self { selector, ..Self::default() }
    }

    /// Whether an object is one of those that are meant.
    fn means(&self, shown: &Json) -> bool {
        let Some(selector) = &self.selector else { return true };
        let labels =
            shown.get("metadata").and_then(|metadata| metadata.get("labels")?.as_object()).into_iter().flatten();
        let text = |(key, value): (&String, &Json)| Some((key.clone(), value.as_str()?.to_owned()));
        selector.matches(&labels.filter_map(text).collect())
    }

    /// Takes what a watch shows. `true` if it is another than was known.
    fn saw(&mut self, lookup: &Lookup, object: &Lookup, shown: Option<&Json>) -> bool {
        let shown = shown.filter(|shown| self.means(shown));
        match &mut self.contents {
            Some(Contents::List(items)) => {
                let key = (object.namespace.clone(), object.name.clone());
                match shown.and_then(|shown| lookup::digest_in_list(shown, &lookup.filter.fields)) {
                    Some(digest) => items.insert(key, digest) != Some(digest),
                    None => items.remove(&key).is_some(),
                }
            }
            Some(Contents::Object(known)) => {
                let new = shown.and_then(lookup::digest);
                std::mem::replace(known, new) != new
            }
            // Whoever reads it compares it himself. A list is not known by one of its objects.
            None if lookup.name.is_empty() => false,
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

    /// Whether what is gone from here is gone for `lookup` too.
    fn tells_of(&self, lookup: &Lookup) -> bool {
        self.selector.is_empty() || self.selector == lookup.filter.selector
    }
}

fn kind(lookup: &Lookup) -> (String, String) {
    (lookup.api_version.clone(), lookup.kind.clone())
}

/// The look-ups that an object is an answer to: itself, lists of its namespace, those of all namespaces.
fn asked(subjects: &BTreeMap<Lookup, Subject>, object: &Lookup) -> BTreeSet<Lookup> {
    let Lookup { api_version, kind, namespace, name, .. } = object;
    let first = |namespace, name| Lookup::new(api_version, kind, namespace, name);
    let mut asked = BTreeSet::new();
    for first in [first(namespace, name), first(namespace, ""), first("", "")] {
        let same = |lookup: &&Lookup| Lookup { filter: Filter::default(), ..(*lookup).clone() } == first;
        asked.extend(subjects.range(&first..).map(|(lookup, _)| lookup).take_while(same).cloned());
    }
    asked
}

fn of_kind<'a>(
    subjects: &'a BTreeMap<Lookup, Subject>,
    api_version: &'a str,
    kind: &'a str,
) -> impl Iterator<Item = (&'a Lookup, &'a Subject)> {
    let first = Lookup::new(api_version, kind, "", "");
    subjects.range(first..).take_while(move |(lookup, _)| lookup.api_version == api_version && lookup.kind == kind)
}

/// The fewest and smallest watches that show all of `lookups`.
fn covers<'a>(lookups: impl Iterator<Item = &'a Lookup>, cluster_wide: bool) -> BTreeSet<Cover> {
    // By namespace, the name and the selector of each.
    let mut parts: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for lookup in lookups {
        parts.entry(&lookup.namespace).or_default().insert((&lookup.name, &lookup.filter.selector));
    }
    let is_whole = |parts: &BTreeSet<(&str, &str)>| parts.contains(&("", "")) || parts.len() > NAMES;
    if parts.get("").is_some_and(is_whole) {
        return [Cover::default()].into();
    }
    let watches = parts.values().map(|parts| if is_whole(parts) { 1 } else { parts.len() }).sum::<usize>();
    let (crowded, namespaces) = (watches > WATCHES, parts.len());
    if cluster_wide && namespaces > WATCHES {
        return [Cover::default()].into();
    }
    let cover = |namespace: &str, (name, selector): (&str, &str)| Cover {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector: selector.to_owned(),
    };
    let of_namespace = |(namespace, parts): (&str, BTreeSet<(&str, &str)>)| -> Vec<Cover> {
        if is_whole(&parts) || crowded && !namespace.is_empty() {
            vec![cover(namespace, ("", ""))]
        } else {
            parts.into_iter().map(|part| cover(namespace, part)).collect()
        }
    };
    parts.into_iter().flat_map(of_namespace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn lookup(namespace: &str, name: &str) -> Lookup {
        Lookup::new("v1", "ConfigMap", namespace, name)
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
        lookups.saw(&Cover::default(), &lookup("a", name), object).iter().map(ToString::to_string).collect()
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

    fn selected(selector: &str) -> Lookup {
        let filter = Filter { selector: selector.to_owned(), fields: vec!["data.k".to_owned()] };
        Lookup { filter, ..lookup("a", "") }
    }

    fn labelled(value: &str, label: &str) -> Json {
        let mut object = object("1", value);
        object["metadata"]["labels"] = json!({"app": label});
        object
    }

    #[test]
    fn an_object_that_enters_or_leaves_a_selector_is_news_and_so_are_the_fields_that_were_asked_for() {
        let lookups = Lookups::default();
        let (one, list): (SetId, _) = ("one".into(), selected("app in (web)"));
        lookups.read_by(&one, [(&list, false)].into_iter());
        lookups.learn(&one, &list, Contents::of(&list, &json!({"items": [labelled("v", "web")]})));
        let mut other = labelled("v", "web");
        other["data"]["more"] = json!("x");
        assert_eq!(see(&lookups, "x", Some(&other)), [""; 0]);
        assert_eq!(see(&lookups, "x", Some(&labelled("w", "web"))), ["one"]);
        assert_eq!(see(&lookups, "x", Some(&labelled("w", "db"))), ["one"]);
        assert_eq!(see(&lookups, "x", Some(&labelled("v", "db"))), [""; 0]);
        assert_eq!(see(&lookups, "x", Some(&labelled("v", "web"))), ["one"]);
        assert_eq!(see(&lookups, "x", None), ["one"]);
    }

    #[test]
    fn what_is_gone_from_a_selector_is_not_gone_for_those_who_asked_otherwise() {
        let lookups = Lookups::default();
        let (web, whole): (SetId, SetId) = ("web".into(), "whole".into());
        let (list, all) = (selected("app in (web)"), lookup("a", ""));
        for (set, lookup) in [(&web, &list), (&whole, &all)] {
            lookups.read_by(set, [(lookup, false)].into_iter());
            lookups.learn(set, lookup, Contents::of(lookup, &json!({"items": [labelled("v", "web")]})));
        }
        let cover = Cover { namespace: "a".into(), name: String::new(), selector: "app in (web)".into() };
        let known = |cover: &Cover| lookups.known("v1", "ConfigMap", cover).len();
        assert_eq!((known(&cover), known(&Cover::default())), (1, 1));
        assert_eq!(lookups.saw(&cover, &lookup("a", "x"), None), [Arc::clone(&web)].into());
        assert_eq!((known(&cover), known(&Cover::default())), (0, 1));
        assert!(lookups.concerns(&lookup("a", "x")));
    }

    #[test]
    fn few_selectors_are_watched_one_by_one_and_many_together() {
        let covered = |count: usize| {
            let lookups: Vec<_> = (0..count).map(|n| selected(&format!("app in (n{n})"))).collect();
            covers(lookups.iter(), true)
                .into_iter()
                .map(|cover| format!("{}/{}", cover.namespace, cover.selector))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(covered(2), "a/app in (n0) a/app in (n1)");
        assert_eq!(covered(9), "a/");
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
