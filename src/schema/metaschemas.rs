//! The schemas of schemas, and the dialects.

use std::sync::{Arc, LazyLock};

use referencing::meta;
use serde_json::{Value as Json, json};

use crate::schema::compile::{Compiled, metaschema};
use crate::schema::location::split;

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Y2019,
    #[default]
    Y2020,
}

impl Draft {
    /// The draft whose metaschema has that address.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (url, fragment) = split(url);
        let path = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
        if !fragment.is_empty() {
            return None;
        }
        Some(match path {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Self::Y2020,
            "json-schema.org/draft/2019-09/schema" => Self::Y2019,
            "json-schema.org/draft-07/schema" => Self::Seven,
            "json-schema.org/draft-06/schema" => Self::Six,
            "json-schema.org/draft-04/schema" => Self::Four,
            _ => return None,
        })
    }

    pub(super) fn url(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema",
            Self::Six => "http://json-schema.org/draft-06/schema",
            Self::Seven => "http://json-schema.org/draft-07/schema",
            Self::Y2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Y2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The keyword that names a schema.
    pub(super) fn id(self) -> &'static str {
        if self == Self::Four { "id" } else { "$id" }
    }

    /// What the names of its vocabularies begin with, and these names.
    pub(super) fn vocabularies(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Four | Self::Six | Self::Seven => ("", &[]),
            Self::Y2019 => (
                "https://json-schema.org/draft/2019-09/vocab/",
                &["core", "applicator", "validation", "meta-data", "format", "content"],
            ),
            Self::Y2020 => (
                "https://json-schema.org/draft/2020-12/vocab/",
                &[
                    "core",
                    "applicator",
                    "unevaluated",
                    "validation",
                    "meta-data",
                    "format-annotation",
                    "format-assertion",
                    "content",
                ],
            ),
        }
    }

    /// Where schemas are in a schema: a keyword, and what is below it.
    pub(super) fn schema_keywords(self) -> impl Iterator<Item = (&'static str, Below)> {
        KEYWORDS.iter().filter(move |(since, ..)| *since <= self).map(|(_, keyword, below)| (*keyword, *below))
    }

    /// Its schema of schemas, compiled.
    pub(super) fn compiled(self) -> &'static Compiled {
        static COMPILED: [LazyLock<Compiled>; 5] = [
            LazyLock::new(|| metaschema(Draft::Four)),
            LazyLock::new(|| metaschema(Draft::Six)),
            LazyLock::new(|| metaschema(Draft::Seven)),
            LazyLock::new(|| metaschema(Draft::Y2019)),
            LazyLock::new(|| metaschema(Draft::Y2020)),
        ];
        let [four, six, seven, y2019, y2020] = &COMPILED;
        match self {
            Self::Four => four,
            Self::Six => six,
            Self::Seven => seven,
            Self::Y2019 => y2019,
            Self::Y2020 => y2020,
        }
    }
}

/// What is below a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// A schema.
    Schema,
    /// A schema in each property.
    Properties,
    /// A schema in each item.
    Items,
}

const KEYWORDS: [(Draft, &str, Below); 23] = [
    (Draft::Four, "definitions", Below::Properties),
    (Draft::Four, "not", Below::Schema),
    (Draft::Four, "allOf", Below::Items),
    (Draft::Four, "anyOf", Below::Items),
    (Draft::Four, "oneOf", Below::Items),
    (Draft::Four, "properties", Below::Properties),
    (Draft::Four, "additionalProperties", Below::Schema),
    (Draft::Four, "patternProperties", Below::Properties),
    (Draft::Four, "items", Below::Schema),
    (Draft::Four, "items", Below::Items),
    (Draft::Four, "additionalItems", Below::Schema),
    (Draft::Four, "dependencies", Below::Properties),
    (Draft::Six, "propertyNames", Below::Schema),
    (Draft::Six, "contains", Below::Schema),
    (Draft::Seven, "if", Below::Schema),
    (Draft::Seven, "then", Below::Schema),
    (Draft::Seven, "else", Below::Schema),
    (Draft::Y2019, "$defs", Below::Properties),
    (Draft::Y2019, "dependentSchemas", Below::Properties),
    (Draft::Y2019, "unevaluatedProperties", Below::Schema),
    (Draft::Y2019, "unevaluatedItems", Below::Schema),
    (Draft::Y2019, "contentSchema", Below::Schema),
    (Draft::Y2020, "prefixItems", Below::Items),
];

/// Whether an address is one of the schemas of schemas, or beside them.
pub(super) fn is_official(url: &str) -> bool {
    path(url).is_some()
}

fn path(url: &str) -> Option<&str> {
    url.strip_prefix("http://json-schema.org/").or_else(|| url.strip_prefix("https://json-schema.org/"))
}

/// The schema of schemas, or part of one, with that address.
pub(super) fn document(url: &str) -> Option<Arc<Json>> {
    Some(match path(url)? {
        "draft-04/schema" => Arc::clone(&DRAFT_4),
        "draft-06/schema" => Arc::clone(&DRAFT_6),
        "draft-07/schema" => Arc::clone(&DRAFT_7),
        "draft/2019-09/schema" => Arc::clone(&meta::DRAFT201909),
        "draft/2019-09/meta/applicator" => Arc::clone(&meta::DRAFT201909_APPLICATOR),
        "draft/2019-09/meta/content" => Arc::clone(&meta::DRAFT201909_CONTENT),
        "draft/2019-09/meta/core" => Arc::clone(&meta::DRAFT201909_CORE),
        "draft/2019-09/meta/format" => Arc::clone(&meta::DRAFT201909_FORMAT),
        "draft/2019-09/meta/meta-data" => Arc::clone(&meta::DRAFT201909_META_DATA),
        "draft/2019-09/meta/validation" => Arc::clone(&meta::DRAFT201909_VALIDATION),
        "schema" | "draft/2020-12/schema" => Arc::clone(&meta::DRAFT202012),
        "draft/2020-12/meta/applicator" => Arc::clone(&meta::DRAFT202012_APPLICATOR),
        "draft/2020-12/meta/content" => Arc::clone(&meta::DRAFT202012_CONTENT),
        "draft/2020-12/meta/core" => Arc::clone(&meta::DRAFT202012_CORE),
        "draft/2020-12/meta/format-annotation" => Arc::clone(&meta::DRAFT202012_FORMAT_ANNOTATION),
        "draft/2020-12/meta/format-assertion" => Arc::clone(&meta::DRAFT202012_FORMAT_ASSERTION),
        "draft/2020-12/meta/meta-data" => Arc::clone(&meta::DRAFT202012_META_DATA),
        "draft/2020-12/meta/unevaluated" => Arc::clone(&meta::DRAFT202012_UNEVALUATED),
        "draft/2020-12/meta/validation" => Arc::clone(&meta::DRAFT202012_VALIDATION),
        _ => return None,
    })
}

// The oldest drafts were published in more than one state. These are the ones that Helm's validator has.

static DRAFT_4: LazyLock<Arc<Json>> = LazyLock::new(|| {
    let mut schema = with_strict_enum(&meta::DRAFT4);
    put(&mut schema, "/properties", "$schema", json!({"format": "uri", "type": "string"}));
    put(&mut schema, "/properties", "$ref", json!({"type": "string"}));
    Arc::new(schema)
});

static DRAFT_6: LazyLock<Arc<Json>> = LazyLock::new(|| {
    let mut schema = with_strict_enum(&meta::DRAFT6);
    for (place, keyword) in [("/properties", "examples"), ("/properties/patternProperties", "propertyNames")] {
        if let Some(Json::Object(entries)) = schema.pointer_mut(place) {
            entries.remove(keyword);
        }
    }
    Arc::new(schema)
});

static DRAFT_7: LazyLock<Arc<Json>> = LazyLock::new(|| Arc::new(with_strict_enum(&meta::DRAFT7)));

/// `enum` must have items that differ.
fn with_strict_enum(schema: &Json) -> Json {
    let mut schema = schema.clone();
    put(&mut schema, "/properties/enum", "minItems", json!(1));
    put(&mut schema, "/properties/enum", "uniqueItems", json!(true));
    schema
}

fn put(schema: &mut Json, place: &str, keyword: &str, value: Json) {
    if let Some(Json::Object(entries)) = schema.pointer_mut(place) {
        entries.insert(keyword.to_owned(), value);
    }
}
