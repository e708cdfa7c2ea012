//! Patterns in which `*` stands for any characters, slashes too, and `?` for one.

/// Whether the whole of `text` matches `pattern`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and the first character that it does not swallow yet.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, swallowed)) = star else { return false };
                star = Some((at, swallowed + 1));
                (p, t) = (at + 1, swallowed + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, slow and plain.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| defined(rest, &text[n..])),
            (['?', rest @ ..], [_, tail @ ..]) => defined(rest, tail),
            ([c, rest @ ..], [d, tail @ ..]) => c == d && defined(rest, tail),
            _ => false,
        }
    }

    #[test]
    fn stars_cross_slashes() {
        assert!(matches(
            "archive/*/0000000100000000000000??-*",
            "archive/x/15-1/000000010000000000000003-ab.zst"
        ));
        assert!(!matches("archive/*.backup", "archive/x/000000010000000000000003-ab.zst"));
    }

    proptest! {
        #[test]
        fn as_defined(pattern in "[ab*?]{0,6}", text in "[abü]{0,8}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text), defined(&p, &t));
        }
    }
}
