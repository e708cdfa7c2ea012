//! Buckets: all of them keep versions, always.

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Result, s3_error};

use super::StoreService;
use super::convert::{absent, timestamp};

impl StoreService {
    /// Answers `NoSuchBucket` if it is not there.
    pub(super) fn require_bucket(&self, bucket: &str) -> S3Result<()> {
        self.storage.index().bucket(bucket).map(drop).map_err(absent)
    }

    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let bucket = request.input.bucket;
        let location = format!("/{bucket}");
        self.write(move |storage| storage.create_bucket(&bucket)).await?;
        Ok(CreateBucketOutput { location: Some(location) })
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<HeadBucketOutput> {
        self.require_bucket(&request.input.bucket)?;
        Ok(HeadBucketOutput { bucket_region: Some(self.region.clone()), ..Default::default() })
    }

    pub(super) async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<ListBucketsOutput> {
        let index = self.storage.index();
        let bucket = |(name, bucket): (&String, &crate::storage::Bucket)| Bucket {
            name: Some(name.clone()),
            creation_date: Some(timestamp(bucket.created)),
            ..Default::default()
        };
        let buckets = index.buckets.iter().map(bucket).collect();
        Ok(ListBucketsOutput { buckets: Some(buckets), ..Default::default() })
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        self.require_bucket(&request.input.bucket)?;
        let location = Some(BucketLocationConstraint::from(self.region.clone()));
        Ok(GetBucketLocationOutput { location_constraint: location })
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        self.require_bucket(&request.input.bucket)?;
        let enabled = BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED);
        Ok(GetBucketVersioningOutput { status: Some(enabled), ..Default::default() })
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        self.require_bucket(&request.input.bucket)?;
        match request.input.versioning_configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Ok(PutBucketVersioningOutput::default()),
            Some(_) => Err(s3_error!(NotImplemented, "this store keeps every version")),
            None => Err(S3ErrorCode::MalformedXML.into()),
        }
    }
}
