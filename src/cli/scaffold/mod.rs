//! `init` and `create api`: a project, and what a kind adds to it. Flags of operator-sdk v1.42's helm plugin
//! (`internal/plugins/helm/v1/{init,api}.go`), and ours.

pub(super) mod bundle;
mod chart;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::cli::{print, report, with_render_stack};
use crate::scaffold::{self, Api, EDITED, Kind, Project, Tree};

/// What the image of a scaffolded project is built from.
const IMAGE: &str = concat!("ghcr.io/chart-operator/chart-operator:v", env!("CARGO_PKG_VERSION"));

/// operator-sdk's names for this sort of project.
const PLUGINS: [&str; 2] = ["helm", "helm.sdk.operatorframework.io/v1"];

/// Group, version and domain where nobody names them.
const GROUP: &str = "charts";
const VERSION: &str = "v1alpha1";
const DOMAIN: &str = "my.domain";

/// Begin a project in this directory: an operator for the kinds of your charts
///
/// With a chart or a kind, its first kind is added at once, as `create api` does.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct InitArgs {
    /// Behind the groups of the project's kinds: a DNS name that is yours
    #[arg(long, value_name = "DOMAIN", default_value = DOMAIN)]
    domain: String,
    /// Name of the project; the directory's if it is not given
    #[arg(long, value_name = "NAME")]
    project_name: Option<String>,
    /// Image of this operator, which the project's is built from
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    operator_image: String,
    /// Accepted for operator-sdk's sake: helm
    #[arg(long, value_name = "PLUGINS", hide = true, value_parser = PLUGINS)]
    plugins: Option<String>,
    /// Accepted for operator-sdk's sake: 3
    #[arg(long, value_name = "VERSION", hide = true, value_parser = ["3"])]
    project_version: Option<String>,
    #[command(flatten)]
    api: ApiArgs,
}

/// The flags of `create`.
#[derive(Clone, Debug, ClapArgs)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct CreateArgs {
    #[command(subcommand)]
    what: Create,
}

#[derive(Clone, Debug, Subcommand)]
enum Create {
    /// Add a kind to this project, for a chart
    ///
    /// Without a chart, a small one is made for the kind.
    Api(Box<ApiArgs>),
}

/// What a kind is made of.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Kind and chart")]
struct ApiArgs {
    /// Group of the kind, without the project's domain [default: charts]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Version of the kind [default: v1alpha1]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Name of the kind, such as `Memcached` [default: from the chart's name]
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// What else `kubectl` shall call it; may be given several times [default: initials of a name of several words]
    #[arg(long, value_name = "NAME")]
    short_name: Vec<String>,
    #[command(flatten)]
    chart: chart::Args,
    /// How much the definition says of `spec`
    #[arg(long, value_enum, default_value_t = Schema::Values)]
    schema: Schema,
    /// Accepted for operator-sdk's sake: v1
    #[arg(long, value_name = "VERSION", hide = true, value_parser = ["v1"])]
    crd_version: Option<String>,
}

/// How much a definition says of `spec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Schema {
    /// What values.schema.json says, or else the keys of values.yaml; nothing that Helm takes is refused
    Values,
    /// The same, and each value has the type of its default
    Strict,
    /// Nothing
    None,
}

/// Begins a project.
pub(super) fn init(args: InitArgs) -> anyhow::Result<()> {
    let name = match &args.project_name {
        Some(name) => name.clone(),
        None => directory_name()?,
    };
    let project = Project { name, domain: args.domain.clone(), kinds: Vec::new() };
    let tree = scaffold::init(&project, &args.operator_image);
    let tree = tree.context("cannot begin a project; `--project-name` and `--domain` say what it is called")?;
    if !args.api.is_wanted() {
        write::write(&tree)?;
        return print("\nNext, add a kind: chart-operator create api --helm-chart=CHART\n");
    }
    add(tree, args.api)
}

/// Adds something to a project.
pub(super) fn create(args: CreateArgs) -> anyhow::Result<()> {
    let Create::Api(api) = args.what;
    add(project()?, *api)
}

/// The files of the project here that commands read.
fn project() -> anyhow::Result<Tree> {
    let mut there = BTreeMap::new();
    for file in EDITED {
        if Path::new(file).exists() {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read `{file}`"))?;
            there.insert(file.to_owned(), text);
        }
    }
    if !there.contains_key("PROJECT") {
        bail!("no project is here: `chart-operator init` begins one");
    }
    Ok(Tree::of(there))
}

fn add(tree: Tree, args: ApiArgs) -> anyhow::Result<()> {
    let (tree, kind, mut warnings) = with_render_stack(move || added(tree, &args))?;
    write::write(&tree)?;
    crate::analysis::sort(&mut warnings);
    report::tell(&warnings);
    print(&next(&kind))
}

/// The project with the kind.
fn added(mut tree: Tree, args: &ApiArgs) -> anyhow::Result<(Tree, Kind, Vec<crate::diagnostic::Diagnostic>)> {
    let project = scaffold::read(&tree)?;
    let mut kind = Kind {
        group: args.group.clone().unwrap_or_else(|| GROUP.to_owned()),
        domain: project.domain,
        version: args.version.clone().unwrap_or_else(|| VERSION.to_owned()),
        kind: args.kind.clone().unwrap_or_default(),
    };
    let chart = match args.chart.load()? {
        Some(chart) => chart,
        None if args.kind.is_some() => scaffold::chart_of_kind(&kind)?,
        None => bail!("either --kind or --helm-chart need to be provided"),
    };
    if chart.is_library() {
        bail!("`{}` is a library chart, which renders nothing", chart.name());
    }
    if args.kind.is_none() {
        kind.kind = scaffold::kind_of_chart(chart.name());
    }
    let schema = match args.schema {
        Schema::Values => scaffold::Schema::Values,
        Schema::Strict => scaffold::Schema::Strict,
        Schema::None => scaffold::Schema::None,
    };
    let has_chart = chart::is_in_place(&chart);
    let api = Api { kind, chart, has_chart, schema, short_names: args.short_name.clone() };
    let warnings = scaffold::api(&mut tree, &api)?;
    Ok((tree, api.kind, warnings))
}

impl ApiArgs {
    /// Whether `init` shall add a kind.
    fn is_wanted(&self) -> bool {
        [&self.group, &self.version, &self.kind].into_iter().any(Option::is_some) || self.chart.is_given()
    }
}

fn directory_name() -> anyhow::Result<String> {
    let here = std::env::current_dir().context("cannot tell the current directory")?;
    let name = here.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.context("the current directory has no name: give one by `--project-name`")
}

/// What a user does with a kind that was added.
fn next(kind: &Kind) -> String {
    let sample = format!("config/samples/{}_{}_{}.yaml", kind.short_group(), kind.version, kind.singular());
    format!(
        "\nNext, create the kind in your cluster and run the operator here:\n  make install run\n\n\
         In another terminal, create a resource and look at it:\n  kubectl apply -f {sample}\n  \
         kubectl get {}\n\n\
         To run the operator in the cluster instead:\n  make docker-build docker-push deploy IMG=REGISTRY/NAME:TAG\n",
        kind.plural()
    )
}
