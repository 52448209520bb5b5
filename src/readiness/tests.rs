use serde_json::{Value, json};

use super::*;

fn check(cases: &[(&str, Value, Status, &str)]) {
    for (name, object, status, message) in cases {
        let found = readiness(Some(object));
        assert_eq!((found.status, found.message.as_str()), (*status, *message), "{name}");
    }
}
