//! The kinds that a chart's templates may write, with every branch taken.
//!
//! A template's outline is read line by line as text that is not known everywhere: each way through its branches is a state,
//! and states that no longer differ in what matters become one, so that there are few.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::template::outline::{Choice, Outline, Piece};

/// How deep templates in templates are followed.
const MAX_DEPTH: usize = 24;

/// How many states are followed at once.
const MAX_STATES: usize = 512;

/// Stands in a line for what is not known.
const UNKNOWN: char = '\0';

/// Group and kind.
pub(crate) type GroupKind = (String, String);

/// What templates may write.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    /// The kinds that are known.
    pub(crate) known: BTreeSet<GroupKind>,
    /// Where another kind may be written.
    pub(crate) computed: Vec<Diagnostic>,
}

/// The templates of a chart and of its sub-charts.
#[derive(Default)]
pub(crate) struct Templates<'a> {
    /// Every one by its name.
    pub(crate) by_name: BTreeMap<&'a str, &'a Outline>,
}

impl Templates<'_> {
    /// Reads what the template of a file may write, where `values` are the chart's own.
    pub(crate) fn read(&self, file: &Outline, values: &Json, kinds: &mut Kinds) {
        let source = Arc::clone(&file.source);
        let mut reading = Reading { templates: self, values, source, kinds, places: Vec::new() };
        let states = reading.pieces(&file.pieces, BTreeSet::from([State::default()]), 0);
        for mut state in states {
            reading.end_line(&mut state);
        }
    }
}

/// What matters of one way through a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// The line so far, as long as it may become one that matters.
    line: Option<String>,
    /// The first place in the line that is not known.
    unknown: Option<usize>,
    version: Option<Word>,
    kind: Option<Word>,
    /// Whether this is in a `List`, where objects are set in.
    in_list: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { line: Some(String::new()), unknown: None, version: None, kind: None, in_list: false }
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    text: String,
    /// Where it is computed.
    unknown: Option<usize>,
}

struct Reading<'a> {
    templates: &'a Templates<'a>,
    values: &'a Json,
    /// The file whose template is read.
    source: Arc<Source>,
    kinds: &'a mut Kinds,
    /// Where something is computed.
    places: Vec<Spot>,
}

type States = BTreeSet<State>;
type Spot = (Arc<Source>, Place);

impl Reading<'_> {
    fn pieces(&mut self, pieces: &[Piece], mut states: States, depth: usize) -> States {
        for piece in pieces {
            states = match piece {
                Piece::Text(text) => states.into_iter().map(|state| self.text(state, text)).collect(),
                Piece::Either(branches) => {
                    branches.iter().flat_map(|branch| self.pieces(branch, states.clone(), depth)).collect()
                }
                Piece::Repeat(body) => {
                    let once = self.pieces(body, states.clone(), depth);
                    let again = self.pieces(body, once.clone(), depth);
                    states.into_iter().chain(once).chain(again).collect()
                }
                Piece::Action(choice, place) => self.action(choice, *place, &states, depth),
            };
            while states.len() > MAX_STATES {
                states.pop_last();
            }
        }
        states
    }

    fn text(&mut self, mut state: State, text: &str) -> State {
        let mut lines = text.split('\n');
        state.append(lines.next().unwrap_or_default());
        for line in lines {
            self.end_line(&mut state);
            state.append(line);
        }
        state
    }

    fn action(&mut self, choice: &Choice, place: Place, states: &States, depth: usize) -> States {
        let mut after = States::new();
        for state in states {
            // Only at the beginning of a line, or behind a key, can it matter.
            if state.line.is_none() || choice.indent > 0 && !state.in_list {
                after.insert(State { line: None, ..state.clone() });
                continue;
            }
            let texts = choice.texts.iter().cloned().chain(choice.values.iter().filter_map(|path| self.value(path)));
            for text in texts.collect::<BTreeSet<_>>() {
                after.insert(self.text(state.clone(), &text));
            }
            for name in &choice.templates {
                after.extend(self.template(name, state, depth));
            }
            if choice.open {
                after.insert(self.open(state.clone(), place));
            }
        }
        after
    }

    fn template(&mut self, name: &str, state: &State, depth: usize) -> States {
        let from = BTreeSet::from([state.clone()]);
        match self.templates.by_name.get(name) {
            Some(outline) if depth < MAX_DEPTH => {
                let caller = std::mem::replace(&mut self.source, Arc::clone(&outline.source));
                let states = self.pieces(&outline.pieces, from, depth + 1);
                self.source = caller;
                states
            }
            _ => from,
        }
    }

    /// Something that is not known is written.
    fn open(&mut self, mut state: State, place: Place) -> State {
        let at_start = state.line.as_deref() == Some("");
        if at_start && state.version.is_none() && state.kind.is_none() {
            let spot = (Arc::clone(&self.source), place);
            self.computed(&spot, "this may write objects of any kind");
        }
        if at_start {
            state.line = None;
            return state;
        }
        let is_here = |(source, known): &Spot| Arc::ptr_eq(source, &self.source) && *known == place;
        let index = self.places.iter().position(is_here).unwrap_or(self.places.len());
        if index == self.places.len() {
            self.places.push((Arc::clone(&self.source), place));
        }
        state.unknown.get_or_insert(index);
        state.append(UNKNOWN.encode_utf8(&mut [0; 4]));
        state
    }

    fn end_line(&mut self, state: &mut State) {
        let line = state.line.replace(String::new()).unwrap_or_default();
        let unknown = state.unknown.take();
        let key = line.trim_start_matches([' ', '-']);
        let is_item = state.in_list && line.trim_start().starts_with("- ");
        if line.starts_with("---") {
            *state = State::default();
        } else if let Some(value) = key.strip_prefix("apiVersion:") {
            if is_item || state.version.is_some() && state.kind.is_some() {
                (state.version, state.kind) = (None, None);
            }
            state.version = word(value, unknown);
        } else if let Some(value) = key.strip_prefix("kind:") {
            if is_item {
                state.version = None;
            }
            state.kind = word(value, unknown);
        } else {
            return;
        }
        if let (Some(version), Some(kind)) = (&state.version, &state.kind) {
            state.in_list |= kind.text == "List";
            self.pair(&version.clone(), &kind.clone());
        }
    }

    /// An object of that kind is written.
    fn pair(&mut self, version: &Word, kind: &Word) {
        let spot = |word: &Word| word.unknown.and_then(|index| self.places.get(index)).cloned();
        if kind.text.contains(UNKNOWN) {
            if let Some(spot) = spot(kind) {
                self.computed(&spot, "the kind is computed, and may be another one");
            }
            return;
        }
        let items = kind.text.strip_suffix("List").filter(|items| !items.is_empty());
        let kind_name = items.unwrap_or(&kind.text).to_owned();
        if kind_name == "List" {
            return;
        }
        if let Some(group) = group(&version.text) {
            self.kinds.known.insert((group, kind_name));
            return;
        }
        let groups = groups_of(&kind_name);
        if groups.is_empty()
            && let Some(spot) = spot(version)
        {
            self.computed(&spot, &format!("the group of the kind `{kind_name}` is computed"));
        }
        self.kinds.known.extend(groups.iter().map(|group| ((*group).to_owned(), kind_name.clone())));
    }

    fn computed(&mut self, (source, place): &Spot, message: &str) {
        self.kinds.computed.push(Diagnostic::warning(message).at(source, *place));
    }

    /// What the chart's own values have there.
    fn value(&self, path: &str) -> Option<String> {
        let value = path.split('.').try_fold(self.values, |value, key| value.get(key))?;
        value.as_str().map(str::to_owned)
    }
}

impl State {
    fn append(&mut self, text: &str) {
        let Some(line) = &mut self.line else { return };
        line.push_str(text);
        if !may_matter(line, self.in_list) {
            self.line = None;
        }
    }
}

/// Whether a line that begins so can be one that matters.
fn may_matter(line: &str, in_list: bool) -> bool {
    let line = if in_list { line.trim_start_matches([' ', '-']) } else { line };
    ["apiVersion:", "kind:", "---"].iter().any(|key| key.starts_with(line) || line.starts_with(key))
}

/// The value behind a key, without quotes and comment.
fn word(value: &str, unknown: Option<usize>) -> Option<Word> {
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| Word { text: value.to_owned(), unknown })
}

/// The group of a version, if that much of it is known.
fn group(version: &str) -> Option<String> {
    match version.split_once('/') {
        Some((group, _)) => (!group.contains(UNKNOWN)).then(|| group.to_owned()),
        None => (!version.contains(UNKNOWN)).then(String::new),
    }
}

/// The groups that have, or had, a kind of Kubernetes whose version charts often compute.
fn groups_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "CronJob" | "Job" => &["batch"],
        "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet" => &["apps"],
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => &["rbac.authorization.k8s.io"],
        "CustomResourceDefinition" => &["apiextensions.k8s.io"],
        "HorizontalPodAutoscaler" => &["autoscaling"],
        "Ingress" | "IngressClass" | "NetworkPolicy" => &["networking.k8s.io"],
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => &["admissionregistration.k8s.io"],
        "PodDisruptionBudget" => &["policy"],
        "PriorityClass" => &["scheduling.k8s.io"],
        "StorageClass" => &["storage.k8s.io"],
        "ConfigMap" | "PersistentVolumeClaim" | "Pod" | "Secret" | "Service" | "ServiceAccount" => &[""],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render;
    use crate::template::survey::survey;

    fn kinds(text: &str) -> (String, Vec<String>) {
        let survey = survey("t.yaml", text.as_bytes(), &render::functions());
        assert!(survey.faults.is_empty(), "{:?}", survey.faults);
        let by_name = survey.outlines.iter().map(|outline| (outline.name.as_str(), outline)).collect();
        let mut kinds = Kinds::default();
        let values = json!({"workload": {"kind": "StatefulSet"}});
        Templates { by_name }.read(
            survey.outlines.iter().find(|outline| outline.name == "t.yaml").unwrap(),
            &values,
            &mut kinds,
        );
        let known: Vec<_> = kinds.known.iter().map(|(group, kind)| format!("{group}/{kind}")).collect();
        let line = |fault: &Diagnostic| format!("{}: {}", fault.place.unwrap().line, fault.message);
        (known.join(" "), kinds.computed.iter().map(line).collect())
    }

    #[test]
    fn literal_kinds_are_found_in_every_branch() {
        for (text, want) in [
            ("apiVersion: v1\nkind: Service\n", "/Service"),
            (
                "{{ if .a }}\napiVersion: apps/v1\nkind: Deployment\n{{ else }}\nkind: DaemonSet\napiVersion: apps/v1\n{{ end }}",
                "apps/DaemonSet apps/Deployment",
            ),
            (
                "apiVersion: apps/v1\nkind: {{ if .a }}Deployment{{ else }}DaemonSet{{ end }}\n",
                "apps/DaemonSet apps/Deployment",
            ),
            (
                "apiVersion: {{ if .a }}policy/v1{{ else }}policy/v1beta1{{ end }}\nkind: PodDisruptionBudget",
                "policy/PodDisruptionBudget",
            ),
            ("apiVersion: v1\nkind: Pod\n---\napiVersion: batch/v1 # now\nkind: \"Job\"\n", "/Pod batch/Job"),
            (
                "{{ range .a }}---\napiVersion: v1\nkind: Secret\nspec:\n  ref:\n    apiVersion: x/v1\n    kind: Y\n{{ end }}",
                "/Secret",
            ),
            (
                "{{ define \"v\" }}{{ if .a }}a.io/v1{{ else }}b.io/v1{{ end }}{{ end }}apiVersion: {{ include \"v\" . }}\nkind: K\n",
                "a.io/K b.io/K",
            ),
            (
                "{{ define \"o\" }}apiVersion: v1\nkind: Service\n{{ end }}{{ include \"o\" . }}\n---\n{{ template \"o\" . }}",
                "/Service",
            ),
            ("{{- $v := \"apps/v1\" -}}\napiVersion: {{ $v }}\nkind: Deployment\n", "apps/Deployment"),
            (
                "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Secret\n  - kind: ConfigMap\n    apiVersion: v1\n",
                "/ConfigMap /Secret",
            ),
            ("apiVersion: {{ .Capabilities.x }}\nkind: Deployment\n", "apps/Deployment"),
        ] {
            let (known, computed) = kinds(text);
            assert_eq!((known.as_str(), computed.len()), (want, 0), "{text}: {computed:?}");
        }
    }

    #[test]
    fn what_is_computed_is_told_with_its_line() {
        for (text, known, computed) in [
            ("apiVersion: v1\nkind: {{ .Values.a }}\n", "", "2: the kind is computed, and may be another one"),
            (
                "apiVersion: apps/v1\nkind: {{ .Values.workload.kind }}\n",
                "apps/StatefulSet",
                "2: the kind is computed, and may be another one",
            ),
            ("apiVersion: {{ .Values.a }}\nkind: Own\n", "", "1: the group of the kind `Own` is computed"),
            (
                "{{ range .Values.extra }}\n---\n{{ tpl (toYaml .) $ }}\n{{ end }}",
                "",
                "3: this may write objects of any kind",
            ),
        ] {
            let (found, told) = kinds(text);
            assert_eq!((found.as_str(), told.first().map(String::as_str)), (known, Some(computed)), "{text}");
        }
    }
}
