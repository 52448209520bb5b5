//! A chart rendered with its default values and with resources: what fails, and what comes out that no cluster takes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::analysis::apis::{self, Removed};
use crate::analysis::files::{documents, is_about_schema};
use crate::analysis::level::Level;
use crate::analysis::places;
use crate::analysis::{Sample, Subject};
use crate::chart::Chart;
use crate::diagnostic::{Diagnostic, Severity, Source, Step, chain};
use crate::policy::Policy;
use crate::release::{manifest, staged};
use crate::render::{self, Capabilities, Compiled, Context, Inputs, Operation, POLICY, ReleaseInfo, STATUS, World};
use crate::status::picture::{Phase, Picture};
use crate::template::Limits;
use crate::values::process::{self, Processed};
use crate::values::schema::{self, Faults};
use crate::values::{overrides, process as processed};
use crate::yaml;

/// Behind the name of a file whose rendered text is shown.
const RENDERED: &str = " (rendered)";

/// Renders `chart`, whose files are those of `root`, with its default values and with each sample.
pub(crate) fn check(
    root: &Level,
    chart: &Chart,
    subject: &Subject<'_>,
    world: &Rc<dyn World>,
    found: &mut Vec<Diagnostic>,
) {
    let told: BTreeSet<(String, usize)> = found.iter().filter_map(line).collect();
    let messages: BTreeSet<(String, String)> =
        found.iter().filter_map(|fault| Some((line(fault)?.0, fault.message.clone()))).collect();
    let of = |sample| Try { root, chart, subject, world, sample };
    let mut mine = of(None).run();
    for sample in subject.samples {
        mine.extend(of(Some(sample)).run());
    }
    // A call that cannot succeed was told where it stands, and so was an annotation that is rendered as it is written.
    let is_told = |fault: &Diagnostic| {
        let source = fault.source.as_ref().and_then(|source| source.name.strip_suffix(RENDERED));
        messages.iter().any(|(name, message)| Some(name.as_str()) == source && fault.message.contains(message))
    };
    let is_new = |fault: &Diagnostic| line(fault).is_none_or(|line| !told.contains(&line)) && !is_told(fault);
    found.extend(mine.into_iter().filter(is_new));
}

/// What Helm assumes of a cluster, but for versions that no cluster of that version serves: a chart that asks chooses.
fn capabilities() -> Capabilities {
    let assumed = Capabilities::default();
    let served = assumed.api_versions().iter().filter(|version| !Removed::is_gone(&version.to_text())).cloned();
    Capabilities::new(assumed.kube_version().clone(), served.collect::<Vec<_>>())
}

/// The file and line an error is in.
fn line(fault: &Diagnostic) -> Option<(String, usize)> {
    if fault.severity != Severity::Error {
        return None;
    }
    Some((fault.source.as_ref()?.name.clone(), fault.place?.line))
}

/// One rendering.
struct Try<'a> {
    root: &'a Level,
    chart: &'a Chart,
    subject: &'a Subject<'a>,
    world: &'a Rc<dyn World>,
    /// The resource; nothing for default values alone.
    sample: Option<&'a Sample>,
}

impl Try<'_> {
    fn run(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let capabilities = capabilities();
        let empty = Json::Object(serde_json::Map::new());
        let spec = self.sample.map_or(&empty, |sample| &sample.spec);
        let user = match overrides::apply(spec, &BTreeMap::new(), self.subject.overrides) {
            Ok(user) => user,
            Err(error) => return vec![Diagnostic::error(chain(&error))],
        };
        match processed(self.chart, &user, &capabilities.kube_version().version) {
            Ok(processed) => self.render(&processed, &capabilities, &mut found),
            Err(process::Error::Schema(schema::Error(faults))) => {
                for faults in &faults {
                    self.violations(faults, &mut found);
                }
            }
            // Which cluster it will be is not known here.
            Err(process::Error::KubeVersion { .. }) => {}
            Err(error) => found.push(self.placed(Diagnostic::error(error.to_string()))),
        }
        found
    }

    fn render(&self, processed: &Processed, capabilities: &Capabilities, found: &mut Vec<Diagnostic>) {
        let Processed { chart, values, .. } = processed;
        // A release always has one, be it the operator's.
        let namespace = self.sample.map(|sample| &*sample.namespace).filter(|namespace| !namespace.is_empty());
        let release = ReleaseInfo {
            name: self.sample.map_or("release-name", |sample| &sample.name).to_owned(),
            namespace: namespace.unwrap_or("default").to_owned(),
            revision: 1,
            operation: Operation::Install,
        };
        let context = self.context(&release);
        let (context, limits) = (Some(&context), Limits::default());
        let inputs = Inputs { values, release: &release, capabilities, context, limits };
        let compiled = match Compiled::with_operator(chart) {
            Ok(compiled) => compiled,
            Err(error) => return found.push(self.relocated(error.to_diagnostic())),
        };
        let (rendered, errors) = render::attempt(&compiled, inputs, Rc::clone(self.world));
        // Without a cluster a chart may wait for anything.
        for error in errors.iter().filter(|error| error.template().waiting().is_none()) {
            self.failed(error, found);
        }
        let places = self.places(rendered.policy.as_deref(), found);
        for (path, text) in &rendered.files {
            self.rendered(path, text, &places, found);
        }
        let outcome = places.nothing_yet().to_json(&json!({}));
        match render::status(&compiled, inputs, &outcome, Rc::clone(self.world)).0 {
            Ok(text) => self.status(&text.unwrap_or_default(), found),
            Err(error) => self.failed(&error, found),
        }
    }

    fn failed(&self, error: &render::Error, found: &mut Vec<Diagnostic>) {
        let fault = self.relocated(error.to_diagnostic());
        if error.template().failure().is_none() {
            found.push(fault);
        } else {
            self.refused(fault, found);
        }
    }

    /// What `operator/status.yaml` renders must be a map, or nothing.
    fn status(&self, text: &str, found: &mut Vec<Diagnostic>) {
        let name = format!("{}{RENDERED}", self.root.path_of(STATUS));
        let source = Arc::new(Source { name, text: text.to_owned() });
        match yaml::parse(text) {
            Err(error) => found.push(places::fault(&error, &source, 0)),
            Ok(Some(node)) if !(node.is_mapping() || node.is_null()) => {
                let message = format!("expected a map, the status, found {}", node.kind_name());
                found.push(Diagnostic::error(message).at(&source, node.place));
            }
            Ok(_) => {}
        }
    }

    /// What templates see of the resource.
    fn context(&self, release: &ReleaseInfo) -> Context {
        let ReleaseInfo { name, namespace, .. } = release;
        let unknown = || {
            let known = self.subject.gvk.map(|gvk| (gvk.api_version(), gvk.kind.clone()));
            let (api_version, kind) = known.unwrap_or_else(|| ("example.com/v1".to_owned(), "Example".to_owned()));
            let metadata = json!({"name": name, "namespace": namespace});
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}})
        };
        Context::new(&self.sample.map_or_else(unknown, |sample| sample.resource.clone()), namespace)
    }

    /// What objects may say of their places, where `policy` was rendered.
    fn places(&self, policy: Option<&str>, found: &mut Vec<Diagnostic>) -> Places {
        let Some(file) = self.root.file(POLICY) else { return Places::None };
        // In place of one that does not parse the chart has an empty file.
        let Some(text) = policy.filter(|_| self.chart.file(POLICY).is_some_and(|parsed| parsed.data == file.data))
        else {
            return Places::Unknown;
        };
        match Policy::read(text, &format!("{}{RENDERED}", self.root.path_of(POLICY))) {
            Ok(policy) => Places::Of(policy),
            Err(faults) => {
                found.extend(faults);
                Places::Unknown
            }
        }
    }

    /// The chart itself refuses the values, by `fail`, `required` or a property that its schema wants. Without a resource
    /// that may be meant: then it is for resources to say.
    fn refused(&self, mut fault: Diagnostic, found: &mut Vec<Diagnostic>) {
        match self.sample {
            Some(sample) => {
                fault.message = format!("{} (of `{}`)", fault.message, sample.name);
                found.push(fault);
            }
            None if self.subject.samples.is_empty() => {
                fault.severity = Severity::Warning;
                fault.message = format!("default values alone do not do: {}", fault.message);
                let hint = fault.hint.map_or_else(String::new, |hint| format!("{hint}; "));
                fault.hint = Some(format!("{hint}check it with a resource that sets it: `--cr FILE`"));
                found.push(fault);
            }
            None => {}
        }
    }

    fn violations(&self, of: &Faults, found: &mut Vec<Diagnostic>) {
        for fault in of.faults.iter().filter(|fault| !is_about_schema(fault)) {
            let (pointer, message) = pointer(fault);
            let message = if of.chart == self.root.name() {
                format!("values do not meet the schema at `{pointer}`: {message}")
            } else {
                format!("values of `{}` do not meet its schema at `{pointer}`: {message}", of.chart)
            };
            let fault = self.value_fault(Diagnostic::error(message), &of.chart, pointer);
            if fault.message.contains(": missing propert") {
                self.refused(fault, found);
            } else {
                found.push(fault);
            }
        }
    }

    /// The fault with the place of a value of a chart: in the resource, in the overrides, or in `values.yaml`.
    fn value_fault(&self, fault: Diagnostic, chart: &str, pointer: &str) -> Diagnostic {
        let is_root = chart == self.root.name();
        let below = if is_root { pointer.to_owned() } else { format!("/{chart}{pointer}") };
        if let Some(sample) = self.sample {
            let (placed, there) = sample.value_fault(fault.clone(), &below);
            if there || pointer.is_empty() {
                return placed;
            }
        }
        if !pointer.is_empty() && self.subject.overrides.pointer(&below).is_some() {
            return fault.hint("`overrideValues` or `overrides` of the watch set it");
        }
        let levels = self.root.all();
        let own = levels.into_iter().skip(1).find(|level| level.name() == chart).filter(|_| !is_root);
        let places = std::iter::once((self.root, below.as_str())).chain(own.map(|level| (level, pointer)));
        for (level, pointer) in places {
            let Some(file) = level.file("values.yaml") else { continue };
            let source = level.source(file);
            for (node, lines) in documents(&source, &mut Vec::new()) {
                let (place, there) = places::at_pointer(&node, pointer);
                if there && !pointer.is_empty() {
                    return fault.at(&source, places::shifted(place, lines));
                }
            }
        }
        self.placed(fault)
    }

    /// The fault of the resource, or of `values.yaml`, as a whole.
    fn placed(&self, fault: Diagnostic) -> Diagnostic {
        match (self.sample, self.root.file("values.yaml")) {
            (Some(sample), _) => sample.fault(fault),
            (None, Some(file)) => fault.within(&self.root.source(file)),
            (None, None) => self.within_chart(fault),
        }
    }

    fn within_chart(&self, fault: Diagnostic) -> Diagnostic {
        fault.within(&Arc::new(Source { name: self.root.path.clone(), text: String::new() }))
    }

    /// What was rendered must be objects.
    fn rendered(&self, path: &str, text: &str, places: &Places, found: &mut Vec<Diagnostic>) {
        let objects = manifest::sort(&BTreeMap::from([(path.to_owned(), text.to_owned())])).and_then(|sorted| {
            let hooks = sorted.hooks.iter().map(manifest::hook_objects).collect::<Result<Vec<_>, _>>()?;
            let mut objects = sorted.objects()?;
            for object in &objects {
                if let Err(error) = places.check(object) {
                    found.push(self.no_object(path, text, &error));
                }
            }
            objects.extend(hooks.into_iter().flatten());
            Ok(objects)
        });
        match objects {
            Ok(objects) => {
                for object in objects {
                    let version = object.body.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
                    self.is_served(path, version, &object.gvk.kind, found);
                }
            }
            Err(error) => found.push(self.no_object(path, text, &error)),
        }
    }

    /// A fault of rendered text is shown in that text, under the template's name.
    fn no_object(&self, path: &str, text: &str, error: &crate::release::Error) -> Diagnostic {
        let name = self.path_of(path);
        let message = chain(error);
        let message = message.strip_prefix(&format!("{path}: ")).unwrap_or(&message);
        let source = Arc::new(Source { name: format!("{name}{RENDERED}"), text: text.to_owned() });
        let of_yaml = yaml::documents(text).into_iter().flatten().find_map(|document| {
            let error = yaml::parse(document.text).err()?;
            Some(places::fault(&error, &source, document.line_offset))
        });
        let fault = of_yaml.unwrap_or_else(|| Diagnostic::error(message).within(&source));
        match self.sample {
            Some(sample) => Diagnostic { message: format!("{} (of `{}`)", fault.message, sample.name), ..fault },
            None => fault,
        }
    }

    fn is_served(&self, path: &str, version: &str, kind: &str, found: &mut Vec<Diagnostic>) {
        let Some(removed) = Removed::find(version, kind) else { return };
        let fault = removed.tell(kind, Diagnostic::error);
        let Some((level, file)) = self.root.resolve(path).and_then(|(level, name)| Some((level, level.file(name)?)))
        else {
            return found.push(self.within_chart(fault));
        };
        let source = level.source(file);
        let written = apis::written(&source.text);
        let place = written.iter().find(|written| written.api_version == version && written.kind == kind);
        found.push(match place {
            Some(written) => fault.at(&source, written.place),
            None => fault.within(&source),
        });
    }

    fn path_of(&self, helms: &str) -> String {
        self.root.resolve(helms).map_or_else(|| helms.to_owned(), |(level, name)| level.path_of(name))
    }

    /// The fault with the names that the user knows files by.
    fn relocated(&self, mut fault: Diagnostic) -> Diagnostic {
        let relocate =
            |source: &Arc<Source>| Arc::new(Source { name: self.path_of(&source.name), text: source.text.clone() });
        fault.source = fault.source.as_ref().map(relocate);
        for Step { source, .. } in &mut fault.trace {
            *source = relocate(source);
        }
        fault
    }
}

/// What objects may say of their places.
enum Places {
    /// Nothing: the chart has no policy.
    None,
    /// What this says.
    Of(Policy),
    /// Nobody knows: the policy is wrong.
    Unknown,
}

impl Places {
    /// What a pass came to that has done nothing yet.
    fn nothing_yet(&self) -> Picture {
        let phases = if let Self::Of(policy) = self { policy.phases.clone() } else { Policy::default().phases };
        let phase = |name| Phase { name, ..Phase::default() };
        Picture { phases: phases.into_iter().map(phase).collect(), ..Picture::default() }
    }

    fn check(&self, object: &manifest::Object) -> Result<(), crate::release::Error> {
        match self {
            Self::None => staged::without_policy(object),
            Self::Of(policy) => staged::place_of(object, policy).map(drop),
            Self::Unknown => Ok(()),
        }
    }
}

/// The pointer in a violation such as `- at '/image/tag': got number, want string`, and what follows it.
fn pointer(fault: &str) -> (&str, &str) {
    let quoted = fault.trim_start().strip_prefix("- at '");
    quoted.and_then(|quoted| quoted.split_once("': ")).unwrap_or(("", fault))
}
