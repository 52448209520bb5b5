//! What to do about an error, where it tells enough of itself: the hints of diagnostics.

use crate::template::function::FunctionError;
use crate::template::{Error, ErrorKind};

/// The hint for an error, without those it was caused by.
pub(crate) fn of(error: &Error) -> Option<String> {
    let node = error.spot().map_or("", |spot| spot.node.as_str());
    if let Some(near) = error.nearest() {
        return Some(format!("did you mean `{near}`?"));
    }
    match error.kind() {
        ErrorKind::Parse { message, .. } => of_text(message),
        ErrorKind::Message(message) => of_message(message, node),
        ErrorKind::Call { function, cause: FunctionError::Fail(_) } if &**function == b"required" => {
            let value = required_value(error)?;
            Some(match value.strip_prefix(".Values.") {
                Some(path) => format!("`{value}` is missing or empty: set `{path}` in the values"),
                None => format!("`{value}` is missing or empty"),
            })
        }
        _ => None,
    }
}

/// For text that is no template.
fn of_text(message: &str) -> Option<String> {
    let hint = match message {
        "unexpected EOF" => "an `if`, `with`, `range`, `block` or `define` has no `{{ end }}`",
        "unexpected {{end}}" => "there is no block left for it to end",
        "unexpected {{else}}" => "there is no `if`, `with` or `range` left for it to belong to",
        message if message.starts_with("undefined variable") => {
            "a variable is known from its `:=` to the end of the block it stands in, and not in other templates"
        }
        message if message.starts_with("unclosed action") => "the action has no `}}`",
        message if message.starts_with("missing value for") => "an expression must follow the keyword",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_message(message: &str, node: &str) -> Option<String> {
    if let Some(field) = message.strip_prefix("nil pointer evaluating interface {}.") {
        let nil = receiver(node, field)?;
        return Some(format!(
            "`{nil}` is nil here: give it a default (`{nil} | default dict`), guard it (`with {nil}`) or use `dig`"
        ));
    }
    if let Some(rest) = message.strip_prefix("can't evaluate field ") {
        let (field, _) = rest.split_once(" in type ")?;
        let value = receiver(node, field)?;
        return Some(format!("`{value}` is no map, so that it has no field `{field}`"));
    }
    if message.starts_with("range can't iterate over ") {
        return Some(format!("`range` takes a list, a map or a whole number; see what `{node}` holds"));
    }
    let (wanted, found) = message.strip_prefix("wrong type for value; expected ")?.split_once("; got ")?;
    match (wanted, found) {
        ("string", "interface {}") => {
            Some(format!("`{node}` is nil here: give it a default (`{node} | default \"\"`)"))
        }
        (_, "interface {}") => Some(format!("`{node}` is nil here: give it a default")),
        ("string", _) => Some("`toString` makes a string of any value".to_owned()),
        ("int" | "int64", _) => Some("`int` and `int64` make whole numbers of numbers and texts".to_owned()),
        _ => None,
    }
}

/// What stands before `.field` in a node such as `.Values.a.b`.
fn receiver<'a>(node: &'a str, field: &str) -> Option<&'a str> {
    let ends = |at: &usize| {
        let after = node.get(at + 1 + field.len()..).unwrap_or_default();
        !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    };
    let at = node.match_indices(&format!(".{field}")).map(|(at, _)| at).filter(ends).last()?;
    let before = node.get(..at)?;
    Some(if before.is_empty() { "." } else { before })
}

/// The value that `required` was given: its last argument, or what was piped into it.
fn required_value(error: &Error) -> Option<&str> {
    let spot = error.spot()?;
    let value = |text: &&str| text.starts_with(['.', '$']) && !text.contains(['(', ')', '"', '`', '|']);
    let own = spot.node.rsplit(' ').next().filter(value);
    own.or_else(|| {
        // The node is the command; the pipe before it stands only in the text.
        let line = spot.source.text.lines().nth(spot.line.saturating_sub(1))?;
        let (piped, _) = line.get(..spot.column)?.trim_end().rsplit_once('|')?;
        piped.trim_end().rsplit([' ', '{', '(', '-']).next().filter(value)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::template::function::{Function, FunctionError, Functions};
    use crate::template::{Limits, Run, Set};
    use crate::value::{Str, Value};

    fn shown(text: &str) -> String {
        let mut functions = Functions::default();
        let refuse = |message: Str, _value: Value| Err::<Value, _>(FunctionError::Fail(message.to_string()));
        functions.extend([
            Function::new("required", refuse),
            Function::new("upper", |text: Str| text),
            Function::new("default", |_default: Value, value: Value| value),
        ]);
        let mut set = Set::new(Arc::new(functions)).named("gotpl");
        set.parse("_helpers.tpl", "{{ define \"web.labels\" }}app: web{{ end }}").unwrap();
        if let Err(error) = set.parse("a.yaml", text) {
            return format!("{error:#}");
        }
        let dot = serde_json::json!({"Values": {"name": "web", "port": {"number": 80.0}, "none": null}});
        let run = Run { host: &(), limits: Limits::default() };
        let error = set.execute("a.yaml", Value::from_json(&dot), run, &mut Vec::new()).unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn what_to_do_about_it_is_told_where_it_is_known() {
        for (text, want) in [
            ("a: {{ uper .Values.name }}", "did you mean `upper`?"),
            ("a: {{ .Values.name | defualt \"x\" }}", "did you mean `default`?"),
            ("a: {{ prinft \"x\" }}", "did you mean `printf`?"),
            ("{{ template \"web.label\" . }}", "did you mean `web.labels`?"),
            ("{{ template \"shop.labels\" . }}", "did you mean `web.labels`?"),
            ("{{ if .Values.name }}", "an `if`, `with`, `range`, `block` or `define` has no `{{ end }}`"),
            ("{{ end }}", "there is no block left for it to end"),
            (
                "{{ .Values.none.port }}",
                "`.Values.none` is nil here: give it a default (`.Values.none | default dict`), \
                 guard it (`with .Values.none`) or use `dig`",
            ),
            ("{{ .Values.name.first }}", "`.Values.name` is no map, so that it has no field `first`"),
            (
                "{{ range .Values.name }}{{ end }}",
                "`range` takes a list, a map or a whole number; see what `.Values.name` holds",
            ),
            (
                "{{ upper .Values.none }}",
                "`.Values.none` is nil here: give it a default (`.Values.none | default \"\"`)",
            ),
            ("{{ upper .Values.port.number }}", "`toString` makes a string of any value"),
            (
                "{{ required \"say where\" .Values.host }}",
                "`.Values.host` is missing or empty: set `host` in the values",
            ),
            (
                "{{ .Values.tls | required \"say where\" }}",
                "`.Values.tls` is missing or empty: set `tls` in the values",
            ),
        ] {
            let shown = shown(text);
            assert!(shown.ends_with(&format!("\n  = hint: {want}")), "{text}: {shown}");
        }
        let unknown = shown("{{ template \"elsewhere\" . }}");
        assert!(!unknown.contains("hint"), "{unknown}");
    }

    #[test]
    fn the_place_is_that_of_the_word() {
        insta::assert_snapshot!(shown("a: 1\nb: {{ .Values.name | uper }}\n"), @r#"
        error: function "uper" not defined
          --> a.yaml:2:22
           |
         2 | b: {{ .Values.name | uper }}
           |                      ^^^^
          = hint: did you mean `upper`?
        "#);
        insta::assert_snapshot!(shown("é: {{ .Values.name.first }}\n"), @r"
        error: can't evaluate field first in type interface {}
          --> a.yaml:1:7
           |
         1 | é: {{ .Values.name.first }}
           |       ^^^^^^^^^^^^^^^^^^
          = hint: `.Values.name` is no map, so that it has no field `first`
        ");
    }
}
