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
use crate::reconcile::rendering::{self, Job, Rendered, release_of};
use crate::reconcile::resource::Resource;
use crate::reconcile::rules;
use crate::release::prepare::{self, Preparation};
use crate::release::{Gvk, Scope, check_release_name, scope};
use crate::render::{self, Capabilities, Operation};
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
}

impl Resources {
    /// Whether it is resources that are to be rendered.
    pub(super) fn is_asked_for(&self) -> bool {
        !self.cr.is_empty()
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

    /// The resources in the file, each an object.
    fn read(&self) -> anyhow::Result<Vec<Map<String, Json>>> {
        let bytes = given::read(&self.cr).map_err(|error| Failure::new(&error, true))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = Arc::new(Source { name: self.cr.clone(), text });
        let fault = |error: &yaml::Error, offset: usize| {
            let line = error.line().map(|line| Place { line: line + offset, column: 1, width: 1 });
            let message = Diagnostic::error(error.to_string());
            line.map_or_else(|| message.clone().within(&source), |place| message.clone().at(&source, place))
        };
        let mut resources = Vec::new();
        for document in yaml::documents(&source.text).map_err(|error| fault(&error, 0))? {
            let at = |error: yaml::Error| fault(&error, document.line_offset);
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

/// The values of a resource are its `spec`, and its chart is that of its watch.
fn refuse_flags_of_charts(args: &Args) -> Result<(), Diagnostic> {
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
        // Who has no namespace of its own has its release where the operator would be.
        let release = release_of(&entry.watch, &resource.key(), &self.args.release.namespace.resolve());
        check_release_name(&release.name).map_err(|error| failure(chain(&error), None))?;
        let job = Job {
            entry: Arc::clone(&entry),
            capabilities: Arc::clone(&self.capabilities),
            spec: resource.spec().cloned().unwrap_or_else(|| json!({})),
            release: release.clone(),
            revision: if self.args.release.is_upgrade { 2 } else { 1 },
            operation: if self.args.release.is_upgrade { Operation::Upgrade } else { Operation::Install },
            context: Arc::new(render::Context::new(resource.json(), &self.args.release.namespace.resolve())),
        };
        let world = Rc::new(Offline::new(self.args.cluster.dns()));
        let mut rendered = job.render(world).map_err(|error| {
            let diagnostic =
                if let rendering::Error::Render(error) = &error { Some(error.to_diagnostic()) } else { None };
            failure(chain(&error), diagnostic)
        })?;
        let warnings = rules::patch(&entry.watch, &mut rendered).map_err(|error| failure(chain(&error), None))?;
        self.warnings.extend(warnings.into_iter().map(Diagnostic::warning));
        let prepared = self.prepare(&mut rendered, &rendering::context(&entry, &resource, release), &entry.watch)?;
        for definition in &rendered.definitions {
            text.extend_from_slice(b"---\n");
            text.extend_from_slice(yaml::emit_json(definition)?.as_bytes());
        }
        for object in &prepared.objects {
            let body = yaml::emit_json(&object.body)?;
            stages::add(text, &object.source, body.trim_end().as_bytes());
        }
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
    ) -> anyhow::Result<Preparation> {
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
        let prepared = prepare::objects(objects, context, &scope).map_err(|error| failure(chain(&error), None))?;
        self.warnings.extend(prepared.warnings.iter().map(|warning| Diagnostic::warning(warning.to_string())));
        let unknown = prepared.objects.iter().filter(|object| object.scope.is_none());
        self.warnings.extend(unknown.map(|object| {
            Diagnostic::warning(format!(
                "{}: {} is taken for namespaced, its kind is not known here",
                object.source, object.id
            ))
        }));
        Ok(prepared)
    }
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
