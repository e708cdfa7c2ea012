//! Objects in one piece: put, read, copied, deleted.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::StoreService;
use super::checks::Claims;
use super::convert::{etag, id_text, size, timestamp, version_id};
use super::ingest::ingest;
use super::read;
use crate::fault::Operation;
use crate::storage::{Attributes, Refusal, StorageError};

impl StoreService {
    pub(super) async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let claims = Claims::of(&request.headers, request.trailing_headers)?;
        let input = request.input;
        if input.if_match.is_some() || input.if_none_match.is_some() {
            return Err(s3_error!(NotImplemented, "conditional writes"));
        }
        check_key(&input.key)?;
        self.require_bucket(&input.bucket)?;
        let attributes = attributes(input.content_type, input.content_encoding, input.metadata);
        let written = ingest(&self.storage, input.body, &claims).await?;
        let (bucket, key) = (input.bucket, input.key);
        let put = self.write(move |storage| storage.put(&bucket, &key, written, attributes)).await?;
        Ok(PutObjectOutput {
            e_tag: Some(etag(&written.md5.hex())),
            version_id: Some(id_text(put.id)),
            ..Default::default()
        })
    }

    pub(super) async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let input = request.input;
        let seen = self.find(Operation::Get, &input.bucket, &input.key, input.version_id.as_deref())?;
        let object = &seen.object;
        let range = input.range.map(|range| range.check(object.bytes)).transpose()?;
        let content_range =
            range.as_ref().map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, object.bytes));
        let range = range.unwrap_or(0..object.bytes);
        Ok(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(size(range.end - range.start)),
            content_range,
            body: Some(read::body(&self.storage, object, range)),
            content_type: object.attributes.content_type.clone(),
            content_encoding: object.attributes.content_encoding.clone(),
            metadata: Some(object.attributes.metadata.clone().into_iter().collect()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(seen.version.at)),
            version_id: Some(id_text(seen.version.id)),
            ..Default::default()
        })
    }

    pub(super) async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<HeadObjectOutput> {
        let input = request.input;
        let seen = self.find(Operation::Head, &input.bucket, &input.key, input.version_id.as_deref())?;
        let object = &seen.object;
        Ok(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(size(object.bytes)),
            content_type: object.attributes.content_type.clone(),
            content_encoding: object.attributes.content_encoding.clone(),
            metadata: Some(object.attributes.metadata.clone().into_iter().collect()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(seen.version.at)),
            version_id: Some(id_text(seen.version.id)),
            ..Default::default()
        })
    }

    pub(super) async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        let input = request.input;
        check_key(&input.key)?;
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "copies from an access point"));
        };
        let source = self.find(Operation::Copy, bucket, key, version_id.as_deref())?;
        let replaced = input.metadata_directive.is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let attributes = if replaced {
            attributes(input.content_type, input.content_encoding, input.metadata)
        } else {
            source.object.attributes.clone()
        };
        let (bucket, key, object) = (input.bucket, input.key, source.object);
        let e_tag = Some(etag(&object.etag));
        let copy = self.write(move |storage| storage.copy(&object, &bucket, &key, attributes)).await?;
        let last_modified = Some(timestamp(copy.at));
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult { e_tag, last_modified, ..Default::default() }),
            copy_source_version_id: Some(id_text(source.version.id)),
            version_id: Some(id_text(copy.id)),
            ..Default::default()
        })
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let S3Request { input: DeleteObjectInput { bucket, key, version_id, .. }, .. } = request;
        let deleted = self.delete(bucket, key, version_id).await?;
        Ok(DeleteObjectOutput {
            delete_marker: deleted.delete_marker,
            version_id: deleted.delete_marker_version_id.or(deleted.version_id),
            ..Default::default()
        })
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        self.require_bucket(&bucket)?;
        let (mut done, mut errors) = (Vec::new(), Vec::new());
        for ObjectIdentifier { key, version_id, .. } in delete.objects {
            match self.delete(bucket.clone(), key.clone(), version_id).await {
                Ok(deleted) => done.push(deleted),
                Err(error) => errors.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(key),
                    message: error.message().map(str::to_owned),
                    ..Default::default()
                }),
            }
        }
        let deleted = if delete.quiet == Some(true) { None } else { Some(done) };
        Ok(DeleteObjectsOutput { deleted, errors: Some(errors), ..Default::default() })
    }

    /// Puts a delete marker over a key, or removes one version for good, which may be gone already.
    async fn delete(&self, bucket: String, key: String, version: Option<String>) -> S3Result<DeletedObject> {
        let name = key.clone();
        let Some(version) = version else {
            let marker = self.write(move |storage| storage.delete(&bucket, &key)).await?;
            return Ok(DeletedObject {
                key: Some(name),
                delete_marker: Some(true),
                delete_marker_version_id: Some(id_text(marker)),
                ..Default::default()
            });
        };
        let id = version_id(&version)?;
        self.write(move |storage| match storage.remove_version(&bucket, &key, id) {
            Err(StorageError::Refused(Refusal::NoSuchVersion)) => Ok(()),
            other => other,
        })
        .await?;
        Ok(DeletedObject { key: Some(name), version_id: Some(version), ..Default::default() })
    }
}

/// Control characters cannot be written in the XML of a listing, which would break for all keys.
pub(super) fn check_key(key: &str) -> S3Result<()> {
    if key.chars().any(char::is_control) {
        return Err(s3_error!(InvalidArgument, "the key holds a control character"));
    }
    Ok(())
}

pub(super) fn attributes(
    content_type: Option<ContentType>,
    content_encoding: Option<ContentEncoding>,
    metadata: Option<Metadata>,
) -> Attributes {
    // The coding of the transfer is no coding of the content.
    let content_encoding = content_encoding.map(|coding| coding.replace("aws-chunked", ""));
    let content_encoding = content_encoding.map(|coding| coding.trim_matches([',', ' ']).to_owned());
    Attributes {
        content_type,
        content_encoding: content_encoding.filter(|coding| !coding.is_empty()),
        metadata: metadata.into_iter().flatten().collect(),
    }
}
