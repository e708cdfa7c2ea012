//! Percent-encoding as S3 uses it: in paths, in queries, and in listings that are asked for it.

use std::fmt::Write as _;

/// What a plus sign stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    /// Itself, in a path.
    IsPlus,
    /// A space, in a query or a listing.
    IsSpace,
}

/// Undoes percent-encoding; what is no UTF-8 becomes U+FFFD and matches nothing by accident.
pub(crate) fn decode(text: &str, plus: Plus) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', tail),
            },
            (b'+', _) if plus == Plus::IsSpace => (b' ', tail),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encodes all but what SigV4 leaves as it is, and slashes.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string never fails.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plus_is_what_it_stands_for() {
        assert_eq!(decode("%C3%BC%2F%20+%zz%", Plus::IsPlus), "ü/ +%zz%");
        assert_eq!(decode("a+b%2Bc", Plus::IsSpace), "a b+c");
        assert_eq!(encode("ü/ +~"), "%C3%BC/%20%2B~");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in ".*") {
            prop_assert_eq!(&decode(&encode(&text), Plus::IsPlus), &text);
            prop_assert_eq!(decode(&encode(&text), Plus::IsSpace), text);
        }
    }
}
