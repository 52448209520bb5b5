//! `template --cr`: what the operator would apply for a resource, without a cluster.
//!
//! The same steps as a pass of [`crate::reconcile`] take, with the same code, up to the first question to an API server.
//! What only a cluster knows is assumed: nothing is found by `lookup`, APIs and version are Helm's, and a resource without
//! `metadata.uid` has an empty one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Map, Value as Json, json};

use crate::catalog::{self, Entry};
use crate::cli::offline::Offline;
use crate::cli::report::tell;
use crate::cli::template::{Args, Failure, given, stages};
use crate::diagnostic::{Diagnostic, Place, Source, chain, suggestion};
use crate::policy::Policy;
use crate::reconcile::rendering::{self, Job, Rendered, release_of};
use crate::reconcile::resource::Resource;
use crate::reconcile::rules;
use crate::release::mode::Mode;
use crate::release::prepare::{self, Prepared};
use crate::release::staged::{self, Item, Staged, Task};
use crate::release::{self, Gvk, Scope, check_release_name, scope};
use crate::render::{self, Capabilities, Operation, POLICY, STATUS};
use crate::watches::{self, Watch, Watches};
use crate::yaml::{self, Numbers};

/// The flags that ask for resources instead of a chart.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Resource")]
pub(super) struct Resources {
    /// Print what the operator would apply for the resources in this YAML file, or `-`
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    cr: String,
    /// Watches file that tells their chart
    #[arg(long, alias = "watches", value_name = "PATH", default_value = "./watches.yaml")]
    watches_file: PathBuf,
    /// Print the status that `operator/status.yaml` gives them instead, with `.Outcome` from this YAML file, or `-`
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    outcome: String,
}

impl Resources {
    /// Whether it is resources that are to be rendered.
    pub(super) fn is_asked_for(&self) -> bool {
        !(self.cr.is_empty() && self.outcome.is_empty())
    }

    /// Prints what would be applied for each resource, in its order.
    pub(super) fn show(&self, args: &Args) -> anyhow::Result<()> {
        refuse_flags_of_charts(args)?;
        let kube_version = &args.cluster.kube_version;
        let capabilities = stages::capabilities(kube_version, &args.cluster.api_versions);
        let capabilities = capabilities.map_err(|error| Failure::new(&error, true))?;
        let mut shop = Shop {
            args,
            capabilities: Arc::new(capabilities),
            watches: self.watches()?,
            outcome: self.outcome()?,
            entries: BTreeMap::new(),
            warnings: Vec::new(),
        };
        shop.warnings.append(&mut shop.watches.warnings);
        let mut text = Vec::new();
        let done = self
            .read()
            .and_then(|resources| resources.into_iter().try_for_each(|resource| shop.render(resource, &mut text)));
        done?;
        tell(&shop.warnings);
        args.shown.print(text).map_err(|error| match error {
            stages::Error::Output(error) => error.into(),
            error => Failure::new(&error, true).into(),
        })
    }

    fn watches(&self) -> anyhow::Result<Watches> {
        let name = self.watches_file.display().to_string();
        let text = std::fs::read_to_string(&self.watches_file).with_context(|| format!("cannot read `{name}`"))?;
        Ok(watches::parse(&name, &text).map_err(|faults| catalog::Error { faults })?)
    }

    /// What a pass came to: an object.
    fn outcome(&self) -> anyhow::Result<Option<Json>> {
        if self.outcome.is_empty() {
            return Ok(None);
        }
        let source = source(&self.outcome)?;
        match yaml::to_json(&source.text, Numbers::Exact).map_err(|error| fault(&error, &source, 0))? {
            outcome @ Json::Object(_) => Ok(Some(outcome)),
            _ => Err(Diagnostic::error("expected `.Outcome`, a map")
                .at(&source, Place { line: 1, column: 1, width: 1 })
                .into()),
        }
    }

    /// The resources in the file, each an object.
    fn read(&self) -> anyhow::Result<Vec<Map<String, Json>>> {
        let source = source(&self.cr)?;
        let mut resources = Vec::new();
        for document in yaml::documents(&source.text).map_err(|error| fault(&error, &source, 0))? {
            let at = |error: yaml::Error| fault(&error, &source, document.line_offset);
            match yaml::to_json(document.text, Numbers::Exact).map_err(at)? {
                Json::Null => {}
                Json::Object(resource) => resources.push(resource),
                _ => {
                    let place = Place { line: document.line_offset + 1, column: 1, width: 1 };
                    return Err(Diagnostic::error("expected a resource, a map").at(&source, place).into());
                }
            }
        }
        if resources.is_empty() {
            return Err(Diagnostic::error("expected a resource, found none").within(&source).into());
        }
        Ok(resources)
    }
}

fn source(file: &str) -> Result<Arc<Source>, Failure> {
    let bytes = given::read(file).map_err(|error| Failure::new(&error, true))?;
    Ok(Arc::new(Source { name: file.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() }))
}

/// What YAML says against a document that stands `lines` lines below the start of `source`.
fn fault(error: &yaml::Error, source: &Arc<Source>, lines: usize) -> Diagnostic {
    let fault = Diagnostic::error(error.to_string());
    match error.line() {
        Some(line) => fault.at(source, Place { line: line + lines, column: 1, width: 1 }),
        None => fault.within(source),
    }
}

/// The values of a resource are its `spec`, and its chart is that of its watch.
fn refuse_flags_of_charts(args: &Args) -> Result<(), Diagnostic> {
    let Resources { cr, outcome, .. } = &args.resource;
    if cr.is_empty() {
        return Err(Diagnostic::error("--outcome is what a pass over a resource came to, found no resource")
            .hint("name its file with --cr"));
    }
    if cr == outcome {
        return Err(Diagnostic::error(format!("expected two files in --cr and --outcome, found `{cr}` twice")));
    }
    if let Some(argument) = args.arguments.first() {
        let message = format!("with --cr the watches file tells the chart, found argument `{argument}`");
        return Err(Diagnostic::error(message).hint("leave it out, or name another file with --watches-file"));
    }
    if !args.given.is_empty() {
        return Err(Diagnostic::error("with --cr there are no values beside those of the resource")
            .hint("write them into its `spec`, or into `overrides` of the watches file"));
    }
    if args.shown.writes_files() {
        return Err(Diagnostic::error("with --cr nothing is written to files").hint("leave out --output-dir"));
    }
    Ok(())
}

/// What all resources of a call share.
struct Shop<'a> {
    args: &'a Args,
    capabilities: Arc<Capabilities>,
    watches: Watches,
    /// `.Outcome`, where it is the status that is asked for.
    outcome: Option<Json>,
    /// Watches with their charts, as far as they were needed.
    entries: BTreeMap<watches::Gvk, Arc<Entry>>,
    warnings: Vec<Diagnostic>,
}

impl Shop<'_> {
    fn render(&mut self, body: Map<String, Json>, text: &mut Vec<u8>) -> anyhow::Result<()> {
        let resource = self.placed(body)?;
        let entry = self.entry(&resource)?;
        if !entry.watch.selector.matches(&labels(&resource)) {
            let selector = entry.watch.selector.to_string();
            let message =
                format!("{}: the operator leaves it alone, since its watch selects `{selector}`", name(&resource));
            self.warnings.push(Diagnostic::warning(message));
        }
        let job = self.job(&entry, &resource)?;
        if let Some(outcome) = &self.outcome {
            return self.status(&job, outcome, text);
        }
        let mut rendered = job.render(self.world()).map_err(|error| unrendered(&error))?;
        let warnings = rules::patch(&entry.watch, &mut rendered).map_err(|error| failure(chain(&error), None))?;
        self.warnings.extend(warnings.into_iter().map(Diagnostic::warning));
        let context = rendering::context(&entry, &resource, job.release);
        let documents = self.prepare(&mut rendered, &context, &entry.watch)?;
        for definition in &rendered.definitions {
            text.extend_from_slice(b"---\n");
            text.extend_from_slice(yaml::emit_json(definition)?.as_bytes());
        }
        for Document { source, mode, body } in documents {
            let mut document = String::new();
            if mode != Mode::Manage {
                document = format!("# Mode: {}\n", mode.name());
            }
            document.push_str(yaml::emit_json(&body)?.trim_end());
            stages::add(text, &source, document.as_bytes());
        }
        Ok(())
    }

    /// What the operator would render in its first pass.
    fn job(&self, entry: &Arc<Entry>, resource: &Resource) -> Result<Job, Failure> {
        let own = self.args.release.namespace.resolve();
        // Who has no namespace of its own has its release where the operator would be.
        let release = release_of(&entry.watch, &resource.key(), &own);
        check_release_name(&release.name).map_err(|error| failure(chain(&error), None))?;
        Ok(Job {
            entry: Arc::clone(entry),
            capabilities: Arc::clone(&self.capabilities),
            spec: resource.spec().cloned().unwrap_or_else(|| json!({})),
            release,
            revision: if self.args.release.is_upgrade { 2 } else { 1 },
            operation: if self.args.release.is_upgrade { Operation::Upgrade } else { Operation::Install },
            context: Arc::new(render::Context::new(resource.json(), &own)),
        })
    }

    fn world(&self) -> Rc<Offline> {
        Rc::new(Offline::new(self.args.cluster.dns()))
    }

    /// The status that the chart gives.
    fn status(&self, job: &Job, outcome: &Json, text: &mut Vec<u8>) -> anyhow::Result<()> {
        let status = job.status(self.world(), outcome).0.map_err(|error| unrendered(&error))?;
        let chart = job.entry.chart.name();
        let status = status.ok_or_else(|| {
            Diagnostic::error(format!("the chart `{chart}` gives no status: it has no `{STATUS}`"))
                .hint("without that file the status is that of any resource: leave out --outcome")
        })?;
        stages::add(text, &format!("{chart}/{STATUS}"), yaml::emit_json(&status)?.trim_end().as_bytes());
        Ok(())
    }

    /// The resource in the namespace where `kubectl apply` would put it.
    fn placed(&self, mut body: Map<String, Json>) -> Result<Resource, Diagnostic> {
        let is_named = |field: &str| body.get(field).and_then(Json::as_str).is_some_and(|text| !text.is_empty());
        let metadata = body.get("metadata").and_then(Json::as_object);
        let has_name =
            metadata.and_then(|metadata| metadata.get("name")?.as_str()).is_some_and(|name| !name.is_empty());
        if !(is_named("apiVersion") && is_named("kind") && has_name) {
            return Err(Diagnostic::error("expected a resource with `apiVersion`, `kind` and `metadata.name`"));
        }
        let namespace = &self.args.release.namespace;
        let own = metadata.and_then(|metadata| metadata.get("namespace")?.as_str()).map(str::to_owned);
        match (own, namespace.given()) {
            (Some(own), Some(given)) if own != given => {
                let message = format!("the resource is in the namespace `{own}`, --namespace says `{given}`");
                return Err(Diagnostic::error(message));
            }
            (Some(_), _) | (None, Some("")) => {}
            (None, _) => {
                let metadata = body.get_mut("metadata").and_then(Json::as_object_mut);
                metadata.map(|metadata| metadata.insert("namespace".to_owned(), namespace.resolve().into()));
            }
        }
        Ok(Resource::new(Json::Object(body)))
    }

    /// The watch of a resource with its chart.
    fn entry(&mut self, resource: &Resource) -> anyhow::Result<Arc<Entry>> {
        let watch = self.watch(resource)?;
        if let Some(entry) = self.entries.get(&watch.gvk) {
            return Ok(Arc::clone(entry));
        }
        let env = |name: &str| std::env::var(name).ok();
        let entry = Arc::new(catalog::entry(watch.clone(), &env).map_err(|faults| catalog::Error { faults })?);
        self.entries.insert(entry.watch.gvk.clone(), Arc::clone(&entry));
        Ok(entry)
    }

    /// The watch of a resource's kind: that of its version, else of another one, as a cluster converts versions.
    fn watch(&self, resource: &Resource) -> Result<&Watch, Diagnostic> {
        let Gvk { group, version, kind } = Gvk::new(resource.api_version(), resource.kind());
        let watches = &self.watches.watches;
        let mut of_kind = watches.iter().filter(|watch| watch.gvk.group == group && watch.gvk.kind == kind);
        let exact = of_kind.clone().find(|watch| watch.gvk.version == version);
        exact.or_else(|| of_kind.next()).ok_or_else(|| {
            let known: Vec<String> = watches.iter().map(|watch| watch.gvk.to_string()).collect();
            let wanted = watches::Gvk { group, version, kind }.to_string();
            let near = suggestion(&wanted, known.iter().map(String::as_str)).map(str::to_owned);
            let hint = near
                .map_or_else(|| format!("it watches {}", known.join("; ")), |near| format!("did you mean `{near}`?"));
            let file = self.args.resource.watches_file.display();
            Diagnostic::error(format!("`{file}` has no watch for `{wanted}`")).hint(hint)
        })
    }

    /// The objects as they are sent, where kinds that nobody here knows are taken for namespaced.
    fn prepare(
        &mut self,
        rendered: &mut Rendered,
        context: &prepare::Context,
        watch: &Watch,
    ) -> anyhow::Result<Vec<Document>> {
        let defined: BTreeMap<_, _> = rendered.definitions.iter().filter_map(prepare::defined_scope).collect();
        let scope = |gvk: &Gvk| -> Option<Scope> {
            scope::builtin(gvk).or_else(|| defined.get(&(gvk.group.clone(), gvk.kind.clone())).copied())
        };
        let violations = rules::violations(watch, rendered, &context.release.namespace, &scope);
        if !violations.is_empty() {
            let texts: Vec<_> = violations.iter().map(ToString::to_string).collect();
            return Err(failure(texts.join("\n"), None).into());
        }
        let objects = std::mem::take(&mut rendered.objects);
        let refused = |error: release::Error| failure(chain(&error), None);
        let Some(policy) = &rendered.policy else {
            objects.iter().try_for_each(staged::without_policy).map_err(refused)?;
            let prepared = prepare::objects(objects, context, &scope).map_err(refused)?;
            self.warn(&prepared.warnings, &prepared.objects);
            return Ok(prepared.objects.into_iter().map(Document::managed).collect());
        };
        let path = format!("{}/{POLICY} (rendered)", context.chart);
        let policy = Policy::read(policy, &path).map_err(|faults| catalog::Error { faults })?;
        let Staged { items, warnings, .. } = staged::stage(objects, &policy, context, &scope).map_err(refused)?;
        self.warn(&warnings, Staged::managed(&items).map(|object| &**object));
        Ok(items.into_iter().map(Document::of).collect())
    }

    fn warn<'o>(&mut self, warnings: &[prepare::Warning], objects: impl IntoIterator<Item = &'o Prepared>) {
        self.warnings.extend(warnings.iter().map(|warning| Diagnostic::warning(warning.to_string())));
        let unknown = objects.into_iter().filter(|object| object.scope.is_none());
        self.warnings.extend(unknown.map(|object| {
            let Prepared { source, id, .. } = object;
            Diagnostic::warning(format!("{source}: {id} is taken for namespaced, its kind is not known here"))
        }));
    }
}

/// An object as it is shown.
struct Document {
    /// The template that rendered it.
    source: String,
    mode: Mode,
    /// What is sent of it; what is only read is its name.
    body: Json,
}

impl Document {
    fn managed(Prepared { source, body, .. }: Prepared) -> Self {
        Self { source, mode: Mode::Manage, body }
    }

    fn of(item: Item) -> Self {
        let (mode, gvk) = (item.mode(), item.gvk());
        let Item { id, source, task, .. } = item;
        let mut body = match task {
            Task::Manage(object) | Task::Act(_, object) => return Self { source, mode, body: object.body.clone() },
            Task::Patch(Json::Object(patch)) => patch,
            Task::Patch(_) | Task::Observe | Task::Spare => Map::new(),
        };
        body.insert("apiVersion".to_owned(), gvk.api_version().into());
        body.insert("kind".to_owned(), gvk.kind.into());
        if let Json::Object(metadata) = body.entry("metadata").or_insert_with(|| json!({})) {
            metadata.insert("name".to_owned(), id.name.into());
            if !id.namespace.is_empty() {
                metadata.insert("namespace".to_owned(), id.namespace.into());
            }
        }
        Self { source, mode, body: Json::Object(body) }
    }
}

fn unrendered(error: &rendering::Error) -> Failure {
    let diagnostic = if let rendering::Error::Render(error) = error { Some(error.to_diagnostic()) } else { None };
    failure(chain(error), diagnostic)
}

fn failure(message: String, diagnostic: Option<Diagnostic>) -> Failure {
    Failure { diagnostic: diagnostic.map(Box::new), ..Failure::of(message) }
}

fn labels(resource: &Resource) -> BTreeMap<String, String> {
    let labels = resource.json().pointer("/metadata/labels").and_then(Json::as_object).into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn name(resource: &Resource) -> String {
    format!("{} {}", resource.kind(), resource.key())
}
