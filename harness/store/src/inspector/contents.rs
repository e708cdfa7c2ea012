//! The bytes of objects: whole, of one version, or a part.

use aws_sdk_s3::error::SdkError;
use bytes::Bytes;

use super::client::Inspector;
use super::error::InspectError;

/// A store's answer where a part begins beyond the object's end.
const RANGE_NOT_SATISFIABLE: u16 = 416;

impl Inspector {
    /// The bytes under a key.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn get(&self, key: &str) -> Result<Bytes, InspectError> {
        let asked = self.asked_for("send an object", key);
        let request = self.client.get_object().bucket(&self.target.bucket).key(key);
        let answer = request.send().await.map_err(|error| asked.failed(error))?;
        let body = answer.body.collect().await.map_err(|error| asked.broke_off(error))?;
        Ok(body.into_bytes())
    }

    /// The bytes of a key from a position on, so many of them or fewer where it ends before; none where it
    /// ends before that position.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn get_part(&self, key: &str, from: u64, length: u64) -> Result<Bytes, InspectError> {
        let asked = self.asked_for("send a part of an object", key);
        let last = from.saturating_add(length.max(1)) - 1;
        let request = self.client.get_object().bucket(&self.target.bucket).key(key);
        let answer = match request.range(format!("bytes={from}-{last}")).send().await {
            Err(SdkError::ServiceError(refused))
                if refused.raw().status().as_u16() == RANGE_NOT_SATISFIABLE =>
            {
                return Ok(Bytes::new());
            }
            answer => answer.map_err(|error| asked.failed(error))?,
        };
        let is_part = answer.content_range.is_some();
        let body = answer.body.collect().await.map_err(|error| asked.broke_off(error))?.into_bytes();
        if is_part {
            return Ok(body);
        }
        // not every store knows ranges: this one sent all of it
        let within = |at: u64| usize::try_from(at).map_or(body.len(), |at| at.min(body.len()));
        Ok(body.slice(within(from)..within(from.saturating_add(length))))
    }

    /// The bytes of one version of a key.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub async fn get_version(&self, key: &str, version_id: &str) -> Result<Bytes, InspectError> {
        let asked = self.asked_for("send a version", key);
        let request = self.client.get_object().bucket(&self.target.bucket).key(key).version_id(version_id);
        let answer = request.send().await.map_err(|error| asked.failed(error))?;
        let body = answer.body.collect().await.map_err(|error| asked.broke_off(error))?;
        Ok(body.into_bytes())
    }
}
