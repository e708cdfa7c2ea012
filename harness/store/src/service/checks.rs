//! What a client says about the bytes that it sends, and whether they were those bytes.

use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::{S3ErrorCode, S3Result, TrailingHeaders, s3_error};

use crate::digest::Md5Digest;

/// The checksums that S3 knows besides MD5, by the header or trailer that carries them.
const CHECKSUMS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Digests that must match what came.
#[derive(Debug)]
pub(super) struct Claims {
    md5: Option<Md5Digest>,
    /// Known before the bytes.
    headers: HeaderMap,
    /// Known after them.
    trailers: Option<TrailingHeaders>,
}

impl Claims {
    /// Reads what a request claims about its body.
    pub(super) fn of(headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> S3Result<Self> {
        let md5 = match headers.get("content-md5") {
            None => None,
            Some(value) => {
                let digest = value.to_str().ok().and_then(Md5Digest::from_base64);
                Some(digest.ok_or(S3ErrorCode::InvalidDigest)?)
            }
        };
        Ok(Self { md5, headers: headers.clone(), trailers })
    }

    /// A hasher for every checksum that is claimed, or announced to be.
    pub(super) fn hasher(&self) -> ChecksumHasher {
        let announced = self.headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or("");
        let wanted = |name: &str| {
            let in_trailer = announced.split(',').any(|found| found.trim().eq_ignore_ascii_case(name));
            in_trailer || self.headers.contains_key(name)
        };
        let [crc32, crc32c, crc64nvme, sha1, sha256] = CHECKSUMS.map(wanted);
        ChecksumHasher {
            crc32: crc32.then(s3s::crypto::Crc32::new),
            crc32c: crc32c.then(s3s::crypto::Crc32c::new),
            crc64nvme: crc64nvme.then(s3s::crypto::Crc64Nvme::new),
            sha1: sha1.then(s3s::crypto::Sha1::new),
            sha256: sha256.then(s3s::crypto::Sha256::new),
        }
    }

    /// Answers `BadDigest` unless all that is claimed about the bytes is true of them.
    pub(super) fn verify(&self, md5: Md5Digest, hasher: ChecksumHasher) -> S3Result<()> {
        if self.md5.is_some_and(|claimed| claimed != md5) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let found = hasher.finalize();
        let found = [
            found.checksum_crc32,
            found.checksum_crc32c,
            found.checksum_crc64nvme,
            found.checksum_sha1,
            found.checksum_sha256,
        ];
        let trailers = self.trailers.as_ref().and_then(TrailingHeaders::take).unwrap_or_default();
        for (name, found) in CHECKSUMS.into_iter().zip(found) {
            let Some(found) = found else { continue };
            let claimed = trailers.get(name).or_else(|| self.headers.get(name));
            if claimed.is_none_or(|claimed| claimed.as_bytes() != found.as_bytes()) {
                return Err(s3_error!(BadDigest, "The {name} you specified did not match what we received."));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn verify(headers: &HeaderMap, body: &[u8]) -> S3Result<()> {
        let claims = Claims::of(headers, None)?;
        let mut hasher = claims.hasher();
        hasher.update(body);
        let mut md5 = Md5::new();
        md5.update(body);
        claims.verify(Md5Digest::of(md5), hasher)
    }

    fn code(result: S3Result<()>) -> String {
        result.unwrap_err().code().as_str().to_owned()
    }

    #[test]
    fn true_claims_pass_and_false_ones_do_not() {
        // The digests of "hello".
        let claims = [
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("x-amz-checksum-crc32", "NhCmhg=="),
            ("x-amz-checksum-crc32c", "mnG7TA=="),
            ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ];
        for claim in claims {
            verify(&headers(&[claim]), b"hello").unwrap();
            assert_eq!(code(verify(&headers(&[claim]), b"hullo")), "BadDigest", "{}", claim.0);
        }
    }

    #[test]
    fn a_promised_trailer_that_never_came_is_refused() {
        let promised = headers(&[("x-amz-trailer", "x-amz-checksum-crc32")]);
        assert_eq!(code(verify(&promised, b"hello")), "BadDigest");
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        assert_eq!(code(verify(&headers(&[("content-md5", "?")]), b"hello")), "InvalidDigest");
    }
}
