//! `schema`: JSON Schemas of files that users write.

use clap::ValueEnum;

use crate::policy::Policy;
use crate::{shape, watches};

/// Print the JSON Schema of a file, for editors
///
/// An editor with a YAML language server completes and checks the file with it. It is made of what the operator reads the
/// file by.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    /// Which file
    #[arg(value_enum)]
    file: File,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum File {
    /// operator/policy.yaml of a chart
    Policy,
    /// watches.yaml
    Watches,
}

/// The schema as it is printed.
pub(super) fn text(args: Args) -> String {
    match args.file {
        File::Policy => shape::text(&Policy::SHAPE, "operator/policy.yaml of a chart"),
        File::Watches => shape::text(&watches::WATCHES, "watches.yaml of chart-operator"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::Schema;
    use crate::yaml::{self, Numbers};

    const POLICY: &str = include_str!("../../schemas/policy.json");
    const WATCHES: &str = include_str!("../../schemas/watches.json");

    fn passes(schema: &str, text: &str) -> bool {
        let json = yaml::to_json(text, Numbers::Exact).unwrap();
        Schema::from(Arc::from(schema.as_bytes())).check(&json).is_ok()
    }

    #[test]
    fn the_schemas_in_the_repository_are_those_that_are_printed() {
        for (file, name, kept) in [(File::Policy, "policy", POLICY), (File::Watches, "watches", WATCHES)] {
            let printed = text(Args { file });
            assert_eq!(kept, printed, "print it anew: chart-operator schema {name} > schemas/{name}.json");
        }
    }

    #[test]
    fn the_schema_of_policies_says_what_the_reader_says() {
        for text in [
            "",
            "{}",
            "phases:\nprobes:\ncollision:\nadoptFrom:\n",
            "phases: [a, b]\nprobes: []\ncollision: Force\nadoptFrom: [{kind: Set, name: a}]",
            "probes: [{selector: {type: Kind, kind: {group: '', kind: X}, matchLabels: {a: b}}, probes: []}]",
            "probes: [{probes: [{type: 1, condition: {type: A, status: 'True'}}, {fieldsEqual: {fieldA: .a.b, fieldB: c}}]}]",
            "probes: [{probes: [{cel: {rule: self.a == 1, message: m}}]}]",
        ] {
            assert!(Policy::read(text, "p").is_ok(), "{text}");
            assert!(passes(POLICY, text), "{text}");
        }
        for text in [
            "[]",
            "phase: [a]",
            "phases: a",
            "phases: [a, a]",
            "phases: [1]",
            "phases: ['']",
            "phases: [null]",
            "collision: Never",
            "adoptFrom: [{kind: Set}]",
            "adoptFrom: [{kind: Set, name: a, uid: b}]",
            "adoptFrom: [{kind: '', name: a}]",
            "probes: {}",
            "probes: [null]",
            "probes: [{}]",
            "probes: [{selector: {kinds: x}, probes: []}]",
            "probes: [{selector: {matchLabels: {a: 1}}, probes: []}]",
            "probes: [{selector: {kind: Deployment}, probes: []}]",
            "probes: [{probes: [{}]}]",
            "probes: [{probes: [{type: Cel}]}]",
            "probes: [{probes: [{condition: {type: A, status: 'True'}, cel: {rule: 'true', message: m}}]}]",
            "probes: [{probes: [{condition: {type: A, status: True}}]}]",
            "probes: [{probes: [{condition: {type: A}}]}]",
            "probes: [{probes: [{fieldsEqual: {fieldA: .a..b, fieldB: c}}]}]",
            "probes: [{probes: [{fieldsEqual: {fieldA: ., fieldB: c}}]}]",
            "probes: [{probes: [{cel: {rule: '', message: m}}]}]",
        ] {
            assert!(Policy::read(text, "p").is_err(), "{text}");
            assert!(!passes(POLICY, text), "{text}");
        }
    }

    /// Every choice that the table of watches offers.
    fn choices() -> Vec<String> {
        let shape::Shape::List(shape::Shape::Object(fields, _)) = watches::WATCHES else {
            panic!("no list of objects")
        };
        let choices = fields.iter().filter_map(|field| match field.shape {
            shape::Shape::Choice(choices) => Some(choices.iter().map(|choice| format!("{}: {choice}", field.name))),
            _ => None,
        });
        let choices: Vec<_> = choices.flatten().collect();
        assert_eq!(choices.len(), 6, "{choices:?}");
        choices
    }

    #[test]
    fn the_schema_of_watches_says_what_the_reader_says() {
        let entry = "- group: a\n  version: v1\n  kind: K\n  chart: c\n";
        assert!(passes(WATCHES, include_str!("../../watches.yaml")));
        let good = |text: &str| watches::parse("w", text).is_ok_and(|watches| watches.warnings.is_empty());
        for field in [
            "watchDependentResources: false",
            "overrideValues: {a: b, c: 1, d: null}",
            "overrides: {a: {b: [1]}}",
            "selector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}",
            "reconcilePeriod: 1m0.5s",
            "dryRunOption: server",
            "maxConcurrentReconciles: 2",
            "history: 0",
            "rollback: true",
            "budget: {steps: 5, output: 1Mi, memory: 1000, depth: 10, crypto: 1s, time: 500ms}",
            "patches: [{target: {kind: Deployment}, patch: [{op: remove, path: /spec/replicas}]}]",
            "restrict: {namespaces: own, clusterScoped: false, kinds: [Service, Deployment.apps]}",
            "restrict: {namespaces: [a]}",
            "drift: warn",
            "ignoreFields: [{group: apps, kind: Deployment, name: a, paths: [/spec/replicas]}]",
            "releaseNamespace: a",
            "serviceAccountName: a",
            "crds: Skip",
            "lookup: own",
            "lookup: {allow: [{kind: ConfigMap, namespace: shared}], inTpl: true}",
            "lookup: {allow: none}",
            "history:",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain(choices())
        {
            let text = format!("{entry}  {field}\n");
            assert!(good(&text), "{text}");
            assert!(passes(WATCHES, &text), "{text}");
        }
        for field in [
            "histroy: 1",
            "watchDependentResources: 'no'",
            "overrideValues: {a: {b: c}}",
            "overrides: [1]",
            "selector: nothing",
            "selector: {matchLabel: {}}",
            "selector: {matchExpressions: [{key: a, operator: Is}]}",
            "reconcilePeriod: 10",
            "reconcilePeriod: 10x",
            "maxConcurrentReconciles: 0",
            "history: -1",
            "rollback: 1",
            "budget: 5",
            "budget: {steps: 0}",
            "budget: {memory: 5x}",
            "budget: {depth: 6001}",
            "budget: {time: 5}",
            "patches: [{target: {}}]",
            "patches: [{target: {}, patch: {spec: 1}}]",
            "patches: [{target: {}, patch: [{op: change, path: /a}]}]",
            "restrict: {namespaces: all}",
            "restrict: {kinds: Service}",
            "drift: none",
            "ignoreFields: [{kind: Deployment}]",
            "ignoreFields: [{paths: [spec]}]",
            "releaseNamespace: [a]",
            "crds: Delete",
            "lookup: all",
            "lookup: {allow: [{namespace: a}]}",
        ] {
            let text = format!("{entry}  {field}\n");
            assert!(!good(&text), "{text}");
            assert!(!passes(WATCHES, &text), "{text}");
        }
        for text in ["a: b", "- version: v1", "- {version: '', kind: K, chart: c}", "- 1"] {
            assert!(!good(text), "{text}");
            assert!(!passes(WATCHES, text), "{text}");
        }
    }
}
