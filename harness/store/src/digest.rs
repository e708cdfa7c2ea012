//! MD5 digests as S3 writes them: hexadecimal in an ETag, base64 in `Content-MD5`.

use aws_smithy_types::base64;
use md5::{Digest as _, Md5};

/// An MD5 digest. S3 uses it to name content, not to protect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Md5Digest([u8; 16]);

impl Md5Digest {
    /// The digest of everything that `hasher` was given.
    pub(crate) fn of(hasher: Md5) -> Self {
        Self(hasher.finalize().into())
    }

    /// Reads the value of a `Content-MD5` header; `None` if it is no base64 of 16 bytes.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        let bytes = base64::decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Reads 32 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(|n| Self(n.to_be_bytes()))
    }

    /// 32 hexadecimal digits: the ETag of an object put in one piece.
    pub(crate) fn hex(self) -> String {
        hex(&self.0)
    }
}

/// The ETag of an object uploaded in parts: the MD5 of the parts' MD5s, a dash and their number.
pub(crate) fn multipart_etag(parts: &[Md5Digest]) -> String {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part.0);
    }
    format!("{}-{}", Md5Digest::of(hasher).hex(), parts.len())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(bytes: &[u8]) -> Md5Digest {
        let mut hasher = Md5::new();
        hasher.update(bytes);
        Md5Digest::of(hasher)
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(md5(b"").hex(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(Md5Digest::from_base64("1B2M2Y8AsgTpgAmY7PhCfg=="), Some(md5(b"")));
        assert_eq!(Md5Digest::from_hex("d41d8cd98f00b204e9800998ecf8427e"), Some(md5(b"")));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        assert_eq!(Md5Digest::from_base64("not base64!"), None);
        assert_eq!(Md5Digest::from_base64("YWJj"), None, "three bytes");
        assert_eq!(Md5Digest::from_hex("d41d"), None);
    }

    #[test]
    fn a_multipart_etag_counts_its_parts() {
        let etag = multipart_etag(&[md5(b"one"), md5(b"two")]);
        assert!(etag.ends_with("-2"), "{etag}");
        assert_ne!(etag, multipart_etag(&[md5(b"two"), md5(b"one")]));
    }
}
