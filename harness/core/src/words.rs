//! Numbers as people read them.

/// A count with its digits in threes: `2 002`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let threes = digits.as_bytes().rchunks(3).rev();
    threes.map(|three| String::from_utf8_lossy(three)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_in_threes() {
        let counts = [0, 999, 1_000, 62_824, 1_234_567].map(grouped);
        assert_eq!(counts, ["0", "999", "1 000", "62 824", "1 234 567"]);
    }
}
