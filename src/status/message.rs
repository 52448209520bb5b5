//! How long a message may be.

/// The longest message that the API server takes in a condition, in bytes (Kubernetes, `metav1.Condition`).
pub const LONGEST_MESSAGE: usize = 32 * 1024;

/// What stands where a message was cut.
const CUT: &str = "… (cut)";

/// Cuts a message to [`LONGEST_MESSAGE`], between two characters.
pub fn cut(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(LONGEST_MESSAGE - CUT.len());
    format!("{}{CUT}", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"ä".repeat(LONGEST_MESSAGE));
        // A character is two bytes, what tells that it was cut nine.
        assert_eq!((long.len(), LONGEST_MESSAGE), (32_767, 32_768));
        assert!(long.ends_with("ä… (cut)"));
    }
}
