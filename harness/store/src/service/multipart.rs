//! Objects uploaded in parts.

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};

use super::StoreService;
use super::checks::Claims;
use super::convert::{absent, etag, id_text, size, timestamp, upload_id};
use super::ingest::ingest;
use super::objects::{attributes, check_key};

/// S3's part numbers.
const PART_NUMBERS: std::ops::RangeInclusive<u16> = 1..=10_000;

impl StoreService {
    pub(super) async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        let input = request.input;
        check_key(&input.key)?;
        let attributes = attributes(input.content_type, input.content_encoding, input.metadata);
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let upload = self.write(move |storage| storage.begin_upload(&bucket, &key, attributes)).await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id_text(upload)),
            ..Default::default()
        })
    }

    pub(super) async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<UploadPartOutput> {
        let claims = Claims::of(&request.headers, request.trailing_headers)?;
        let input = request.input;
        let part = part_number(input.part_number)?;
        let upload = upload_id(&input.upload_id)?;
        self.storage.index().upload(upload, &input.bucket, &input.key).map(drop).map_err(absent)?;
        let written = ingest(&self.storage, input.body, &claims).await?;
        self.write(move |storage| storage.put_part(upload, part, written)).await?;
        Ok(UploadPartOutput { e_tag: Some(etag(&written.md5.hex())), ..Default::default() })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        let input = request.input;
        if input.if_match.is_some() || input.if_none_match.is_some() {
            return Err(s3_error!(NotImplemented, "conditional writes"));
        }
        let upload = upload_id(&input.upload_id)?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let parts = parts.into_iter().map(named_part).collect::<S3Result<Vec<_>>>()?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let put = self.write(move |storage| storage.complete_upload(upload, &bucket, &key, &parts)).await?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: put.object.map(|object| etag(&object.etag)),
            version_id: Some(id_text(put.id)),
            ..Default::default()
        })
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        let input = request.input;
        let upload = upload_id(&input.upload_id)?;
        self.storage.index().upload(upload, &input.bucket, &input.key).map(drop).map_err(absent)?;
        self.write(move |storage| storage.abort_upload(upload)).await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        let input = request.input;
        let id = upload_id(&input.upload_id)?;
        let index = self.storage.index();
        let upload = index.upload(id, &input.bucket, &input.key).map_err(absent)?;
        let after = input.part_number_marker.map_or(0, |marker| u16::try_from(marker).unwrap_or(u16::MAX));
        let limit = input.max_parts.map_or(1000, |max| usize::try_from(max).unwrap_or(0).min(1000));
        let mut rest = upload.parts.range(after.saturating_add(1)..);
        let parts: Vec<Part> = rest
            .by_ref()
            .take(limit)
            .map(|(number, part)| Part {
                part_number: Some(i32::from(*number)),
                e_tag: Some(etag(&part.md5)),
                size: Some(size(part.blob.bytes)),
                last_modified: Some(timestamp(part.at)),
                ..Default::default()
            })
            .collect();
        let is_truncated = rest.next().is_some();
        Ok(ListPartsOutput {
            next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| is_truncated),
            is_truncated: Some(is_truncated),
            parts: Some(parts),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }
}

fn part_number(number: i32) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| PART_NUMBERS.contains(number));
    number.ok_or_else(|| s3_error!(InvalidArgument, "part numbers are 1 to 10000"))
}

fn named_part(part: CompletedPart) -> S3Result<(u16, String)> {
    let number = part.part_number.ok_or(S3ErrorCode::InvalidPart)?;
    let etag = part.e_tag.ok_or(S3ErrorCode::InvalidPart)?;
    Ok((part_number(number)?, etag.into_value()))
}
