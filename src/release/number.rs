//! How Go writes numbers into JSON.

use serde_json::Number;

use crate::release::Json;

/// Writes whole floats as integers, as Go's JSON does: `replicas: 1.0` is 1, `1e18` is 1000000000000000000.
pub(crate) fn whole_numbers(value: &mut Json) {
    match value {
        Json::Object(entries) => entries.values_mut().for_each(whole_numbers),
        Json::Array(items) => items.iter_mut().for_each(whole_numbers),
        Json::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        _ => {}
    }
}

/// The integer that Go prints for a whole float: its shortest digits, filled up with zeros. `None` for other numbers,
/// and for those that 64 bits do not hold.
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    let digits = float.to_string();
    digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_floats_become_integers() {
        let mut value =
            json!({"a": [1.0, 1.5, -0.0, 1e18], "b": {"c": 4_611_686_018_427_387_904.0_f64, "d": 1e30, "e": 7}});
        whole_numbers(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"a":[1,1.5,0,1000000000000000000],"b":{"c":4611686018427388000,"d":1e+30,"e":7}}"#
        );
    }
}
