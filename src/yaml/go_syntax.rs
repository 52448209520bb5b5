//! Values as Go's `%#v` prints them, which error texts do.

use std::fmt::Write as _;

use crate::value::{format_float, quote};
use crate::yaml::NodeValue;

/// `fmt.Sprintf("%#v", value)` of what the original decodes.
pub(in crate::yaml) fn go_syntax(value: &NodeValue) -> String {
    match value {
        NodeValue::Null => "<nil>".to_owned(),
        other => {
            let mut out = String::new();
            print(other, &mut out);
            out
        }
    }
}

fn print(value: &NodeValue, out: &mut String) {
    match value {
        NodeValue::Null => out.push_str("interface {}(nil)"),
        NodeValue::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        NodeValue::Int(int) => {
            let _infallible = write!(out, "{int}");
        }
        NodeValue::Uint(uint) => {
            let _infallible = write!(out, "{uint:#x}");
        }
        NodeValue::Float(float) => out.push_str(&format_float(*float)),
        NodeValue::String(text) => out.push_str(&quote(text.as_bytes())),
        NodeValue::Sequence(items) => {
            out.push_str("[]interface {}{");
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                print(&item.value, out);
            }
            out.push('}');
        }
        NodeValue::Mapping(entries) => {
            out.push_str("map[interface {}]interface {}{");
            let mut printed: Vec<(String, String)> = entries
                .iter()
                .map(|(key, value)| {
                    let (mut key_text, mut value_text) = (String::new(), String::new());
                    print(&key.value, &mut key_text);
                    print(&value.value, &mut value_text);
                    (key_text, value_text)
                })
                .collect();
            printed.sort();
            for (index, (key, value)) in printed.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                let _infallible = write!(out, "{key}:{value}");
            }
            out.push('}');
        }
    }
}
