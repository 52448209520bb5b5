use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::chart::{Chart, File, load};
use crate::yaml::{Numbers, to_json};

fn chart(files: &[(&'static str, &'static str)]) -> Chart {
    let metadata = ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    let files = std::iter::once(&metadata).chain(files).map(|(name, text)| File::new(*name, text.as_bytes()));
    load::from_files(files.collect()).unwrap()
}

fn kind(name: &str) -> Kind {
    Kind { group: "shop".into(), domain: "example.com".into(), version: "v1".into(), kind: name.into() }
}

fn wanted(name: &str, files: &[(&'static str, &'static str)]) -> Api {
    Api { kind: kind(name), chart: chart(files), has_chart: false, schema: Schema::Values, short_names: Vec::new() }
}

fn project() -> Tree {
    let project = Project { name: "shop-operator".into(), domain: "example.com".into(), kinds: Vec::new() };
    init(&project, "example.com/chart-operator:v1").unwrap()
}

fn definition(wanted: &Api) -> (Json, Vec<String>) {
    let mut tree = project();
    let told = api(&mut tree, wanted).unwrap();
    let text = tree.text("config/crd/bases/shop.example.com_shops.yaml").unwrap();
    (to_json(text, Numbers::Exact).unwrap(), told.into_iter().map(|told| told.message).collect())
}

fn properties(api: &Api) -> Json {
    definition(api).0["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone()
}

const VALUES: &str = "\
# How many.
# Really.
replicas: 2
ratio: 0.5
active: true # Whether.
name: \"a # b\"   # c
nothing:
empty: {}
list:
  # not of list
  - 1

## Where it is.
##
# @section -- x
image:
    # -- The tag.
    tag: \"\"
  # of another column
    pull: Always
## @param deep.er [string] By its path
deep:
  er: |
    text
";

#[test]
fn keys_are_known_by_their_comments_and_defaults_and_take_any_value() {
    let open = |more: Json| {
        let mut schema = json!({"x-kubernetes-preserve-unknown-fields": true, "nullable": true});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema
    };
    let want = json!({
        "replicas": open(json!({"description": "How many. Really.\nDefault: 2"})),
        "ratio": open(json!({"description": "Default: 0.5"})),
        "active": open(json!({"description": "Whether.\nDefault: true"})),
        "name": open(json!({"description": "Default: \"a # b\""})),
        "nothing": open(json!({})),
        "empty": open(json!({"description": "Default: {}"})),
        "list": open(json!({})),
        "image": open(json!({"description": "Where it is.", "properties": {
            "tag": open(json!({"description": "The tag.\nDefault: \"\""})),
            "pull": open(json!({"description": "Default: \"Always\""})),
        }})),
        "deep": open(json!({"properties": {"er": open(json!({"description": "By its path\nDefault: \"text\\n\""}))}})),
    });
    assert_eq!(properties(&wanted("Shop", &[("values.yaml", VALUES)])), want);
}

#[test]
fn types_are_asked_for_on_demand_and_only_where_the_default_tells_one() {
    let mut api = wanted("Shop", &[("values.yaml", VALUES)]);
    api.schema = Schema::Strict;
    let properties = properties(&api);
    for (key, want) in [
        ("replicas", json!({"x-kubernetes-int-or-string": true, "nullable": true})),
        ("ratio", json!({"type": "number", "nullable": true})),
        ("active", json!({"type": "boolean", "nullable": true})),
        ("name", json!({"type": "string", "nullable": true})),
        ("nothing", json!({"x-kubernetes-preserve-unknown-fields": true, "nullable": true})),
        ("empty", json!({"x-kubernetes-preserve-unknown-fields": true, "nullable": true})),
    ] {
        let mut found = properties[key].clone();
        found.as_object_mut().unwrap().remove("description");
        assert_eq!(found, want, "{key}");
    }
    assert_eq!(properties["image"]["type"], "object");
    assert_eq!(properties["list"]["items"]["x-kubernetes-preserve-unknown-fields"], true);
    api.schema = Schema::None;
    assert_eq!(tests::properties(&api), Json::Null);
}

#[test]
fn a_charts_schema_is_made_structural_and_refuses_no_more() {
    let schema = r##"{
        "$defs": {"port": {"type": "integer", "minimum": 1, "exclusiveMaximum": 65536, "title": "A port"},
                  "tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/tree"}}}},
        "type": "object", "required": ["mode"], "additionalProperties": false,
        "properties": {
            "mode": {"type": "string", "enum": ["a", "b"]},
            "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 1},
            "odd": {"type": "string", "pattern": "^(?!x)"},
            "port": {"$ref": "#/$defs/port"},
            "either": {"type": ["integer", "string", "null"]},
            "any": {"type": ["array", "string"], "maxLength": 3},
            "one": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "list": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
            "tree": {"$ref": "#/$defs/tree"},
            "far": {"$ref": "https://example.com/x.json"},
            "const": {"const": 1},
            "yes": true
        }}"##;
    let api = wanted("Shop", &[("values.yaml", "# About it.\nmode: a\nmore: 1\n"), ("values.schema.json", schema)]);
    let (_, told) = definition(&api);
    assert_eq!(
        told,
        ["of `values.schema.json` the definition leaves out `$ref`, `additionalProperties`, `oneOf`, \
         `pattern`, `required`, `uniqueItems`: they are checked when the chart is rendered"]
    );
    let any = json!({"x-kubernetes-preserve-unknown-fields": true, "nullable": true});
    let want = json!({
        "mode": {"type": "string", "enum": ["a", "b"], "nullable": true, "description": "About it.\nDefault: \"a\""},
        "more": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true, "description": "Default: 1"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 1, "nullable": true},
        "odd": {"type": "string", "nullable": true},
        "port": {"type": "integer", "minimum": 1, "maximum": 65536, "exclusiveMaximum": true, "nullable": true, "description": "A port"},
        "either": {"x-kubernetes-int-or-string": true, "nullable": true},
        "any": any,
        "one": any,
        "list": {"type": "array", "nullable": true, "items": {"type": "string", "nullable": true}},
        "tree": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "nullable": true, "properties": {"below": any}},
        "far": any,
        "const": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true, "enum": [1]},
        "yes": any,
    });
    assert_eq!(properties(&api), want);
}

#[test]
fn a_sample_keeps_the_comments_or_at_least_the_values() {
    let head = "apiVersion: shop.example.com/v1\nkind: Shop\nmetadata:\n  name: shop-sample\n";
    let from = "# The values of helm-charts/shop/values.yaml; what is left out here is as it is there.\n";
    for (values, want) in [
        ("# a\na: 1 # b\n\nb: |2\n   x\n", format!("{from}spec:\n  # a\n  a: 1 # b\n\n  b: |2\n     x\n")),
        ("a: 1\n---\nb: 2\n", format!("{from}spec:\n  a: 1\n  b: 2\n")),
        ("a: 1\n# once more\na: 2\n", format!("{from}spec:\n  a: 2\n")),
        ("# nothing\n", "# The chart has no values.\nspec: {}\n".to_owned()),
        ("", "# The chart has no values.\nspec: {}\n".to_owned()),
    ] {
        let mut tree = project();
        api(&mut tree, &wanted("Shop", &[("values.yaml", values)])).unwrap();
        let sample = tree.text("config/samples/shop_v1_shop.yaml").unwrap();
        assert_eq!(sample, format!("{head}{want}"), "{values}");
    }
}

#[test]
fn a_second_kind_is_added_and_what_the_user_wrote_stays() {
    let mut first = project();
    api(&mut first, &wanted("Shop", &[("templates/a.yaml", "apiVersion: v1\nkind: Service\n")])).unwrap();
    let mut there: BTreeMap<String, String> =
        EDITED.iter().map(|file| ((*file).to_owned(), first.text(file).unwrap().to_owned())).collect();
    for text in there.values_mut() {
        *text = format!("# mine\n{text}");
    }
    let mut tree = Tree::of(there.clone());
    let mut second = wanted("ShopFloor", &[("templates/a.yaml", "apiVersion: apps/v1\nkind: Deployment\n")]);
    second.has_chart = true;
    api(&mut tree, &second).unwrap();
    let edited: BTreeMap<&str, &str> = tree.edited().collect();
    assert_eq!(edited.keys().copied().collect::<Vec<_>>(), {
        let mut files = EDITED;
        files.sort_unstable();
        files
    });
    for (file, text) in &edited {
        let mut now = text.lines();
        assert!(there[*file].lines().all(|line| now.any(|found| found == line)), "{file}: {text}");
    }
    assert_eq!(read(&tree).unwrap().kinds, [kind("Shop"), kind("ShopFloor")]);
    let watches = crate::watches::parse("w", edited["watches.yaml"]).unwrap().watches;
    assert_eq!(watches.iter().map(|watch| watch.gvk.kind.as_str()).collect::<Vec<_>>(), ["Shop", "ShopFloor"]);
    let created: Vec<&str> = tree.created().map(|(path, _)| path).collect();
    assert_eq!(
        created,
        [
            "config/crd/bases/shop.example.com_shopfloors.yaml",
            "config/rbac/shopfloor_admin_role.yaml",
            "config/rbac/shopfloor_editor_role.yaml",
            "config/rbac/shopfloor_viewer_role.yaml",
            "config/samples/shop_v1_shopfloor.yaml",
        ]
    );
    let definition = tree.text(created[0]).unwrap();
    assert!(definition.contains("shortNames:\n    - sf\n"), "{definition}");
    // Once more, or in another version, it is there.
    second.kind.version = "v2".to_owned();
    let error = api(&mut tree, &second).unwrap_err();
    assert_eq!(error.to_string(), "`ShopFloor` of `shop.example.com` is there already, in version `v1`");
    // The kind of another group is another one, but for the names of its roles and initials.
    second.kind.group = "mall".to_owned();
    api(&mut tree, &second).unwrap();
    assert!(
        tree.text("config/rbac/mall_shopfloor_editor_role.yaml")
            .unwrap()
            .contains("name: mall-shopfloor-editor-role\n")
    );
    assert!(!tree.text("config/crd/bases/mall.example.com_shopfloors.yaml").unwrap().contains("shortNames"));
}

#[test]
fn names_that_kubernetes_would_not_take_are_refused() {
    for (change, want) in [
        (
            (|kind: &mut Kind| kind.kind = "shop".into()) as fn(&mut Kind),
            "`shop` is no kind: expected a capital letter",
        ),
        (|kind| kind.kind = "Shop-Floor".into(), "`Shop-Floor` is no kind"),
        (|kind| kind.kind = "S".repeat(63), "is no kind"),
        (|kind| kind.version = "1".into(), "`1` is no version: expected `v1`, `v1alpha1`"),
        (|kind| kind.version = "v1beta".into(), "`v1beta` is no version"),
        (|kind| kind.group = "Shop".into(), "`Shop` is no group: expected labels of a DNS name"),
        (|kind| kind.group = "a..b".into(), "`a..b` is no group"),
        (|kind| kind.domain = "-a".into(), "`-a` is no domain"),
    ] {
        let mut kind = kind("Shop");
        change(&mut kind);
        let error = kind.check().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    for name in ["", "Shop", "a_b", "-a", "a234567890123456789012345678x"] {
        let project = Project { name: name.into(), domain: "example.com".into(), kinds: Vec::new() };
        assert!(init(&project, "x").unwrap_err().to_string().contains("is no project name"), "{name}");
    }
    for (chart, want) in [("memcached", "Memcached"), ("my-chart", "MyChart"), ("a_b.c2d", "ABC2d")] {
        assert_eq!(kind_of_chart(chart), want);
    }
}

#[test]
fn a_project_of_another_sort_is_refused() {
    for (text, want) in [
        ("", "`PROJECT` is not what was expected: it is empty"),
        ("a: [\n", "cannot read `PROJECT`"),
        (
            "layout:\n- go.kubebuilder.io/v4\nprojectName: x\n",
            "its `layout` does not name `helm.sdk.operatorframework.io/v1`",
        ),
        ("layout:\n- helm.sdk.operatorframework.io/v1\n", "it names no `projectName`"),
    ] {
        let mut tree = Tree::of(BTreeMap::from([("PROJECT".to_owned(), text.to_owned())]));
        let error = api(&mut tree, &wanted("Shop", &[])).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    assert_eq!(read(&Tree::default()).unwrap_err().to_string(), "`PROJECT` is not there");
}

#[test]
fn a_project_of_operator_sdk_is_gone_on_with() {
    let file = |name: &str| {
        let path = format!("{}/tests/projects/memcached-operator/{name}", env!("CARGO_MANIFEST_DIR"));
        (name.to_owned(), std::fs::read_to_string(path).unwrap())
    };
    let mut there: BTreeMap<String, String> = ["PROJECT", "watches.yaml", "config/rbac/role.yaml"].map(file).into();
    for (name, text) in [
        ("config/rbac/kustomization.yaml", "resources:\n- role.yaml\n# If you like:\n- memcached_viewer_role.yaml\n\n"),
        (
            "config/crd/kustomization.yaml",
            "resources:\n- bases/cache.example.com_memcacheds.yaml\n# +kubebuilder:scaffold:crdkustomizeresource\n",
        ),
        (
            "config/samples/kustomization.yaml",
            "## Append samples\nresources:\n- cache_v1alpha1_memcached.yaml\n# +kubebuilder:scaffold:manifestskustomizesamples\n",
        ),
    ] {
        there.insert(name.to_owned(), text.to_owned());
    }
    let mut tree = Tree::of(there);
    api(&mut tree, &wanted("Shop", &[])).unwrap();
    assert_eq!(read(&tree).unwrap().kinds.len(), 2);
    assert!(tree.text("config/rbac/kustomization.yaml").unwrap().ends_with(
        "- memcached_viewer_role.yaml\n- shop_admin_role.yaml\n- shop_editor_role.yaml\n- shop_viewer_role.yaml\n\n"
    ));
    assert!(tree.text("watches.yaml").unwrap().ends_with("  chart: helm-charts/shop\n# +kubebuilder:scaffold:watch\n"));
}
