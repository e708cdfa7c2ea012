//! Who may sign requests: the holder of one pair of keys.

use async_trait::async_trait;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::config::Credentials;

/// Answers `InvalidAccessKeyId` for any other access key; a signature that another secret made is
/// answered with `SignatureDoesNotMatch` by the caller.
pub(crate) struct OnePair(pub(crate) Credentials);

#[async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.access_key {
            Ok(SecretKey::from(self.0.secret_key.expose()))
        } else {
            Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            ))
        }
    }
}
