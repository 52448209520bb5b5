//! `Chart.yaml` and `Chart.lock`.

use std::collections::BTreeMap;

use serde::Serialize;

/// `Chart.yaml`. A field that is not written is empty. Serialised as Helm's release records hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The chart's name; required.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where its project lives.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Where its source lives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Its version; required, a semantic version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Who cares for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Maintainer>,
    /// Address of a picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// `v1` or `v2`; `v1` where it is not written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Not used by Helm.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Not used by Helm.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tags: String,
    /// The version of what it installs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Whether it should no longer be used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// For others than Helm.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The versions of Kubernetes it runs on, as a constraint.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// The sub-charts it wants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// Empty, `application` or `library`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub r#type: String,
}

/// Someone who cares for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Maintainer {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A sub-chart that a chart wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dependency {
    /// The sub-chart's name; its alias, once processed.
    pub name: String,
    /// The versions that will do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it comes from; never read here.
    pub repository: String,
    /// Paths into the values, separated by commas; the first that is a bool decides whether it is enabled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Names below `tags` in the values that enable or disable it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is enabled; set by processing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enabled: bool,
    /// Values of the sub-chart that the parent takes over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub import_values: Vec<ImportValues>,
    /// The name it goes by in the parent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

/// One entry of `import-values`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ImportValues {
    /// The table `exports.<name>` of the sub-chart, to the top of the parent's values.
    Export(String),
    /// One table to another.
    Table {
        /// Dotted path in the sub-chart's values.
        child: String,
        /// Dotted path in the parent's values; `.` is their top.
        parent: String,
    },
}

/// `Chart.lock`: which versions of the dependencies were vendored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// When it was written, RFC 3339.
    pub generated: String,
    /// A hash of the dependencies in `Chart.yaml`.
    pub digest: String,
    /// What was locked.
    pub dependencies: Vec<Dependency>,
}
