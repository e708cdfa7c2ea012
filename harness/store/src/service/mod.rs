//! The operations of S3 on our storage, one module for each kind.
//!
//! Only this module and those below it know both S3's types and the storage's.

mod buckets;
mod checks;
mod convert;
mod ingest;
mod listing;
mod multipart;
mod objects;
mod read;
mod sight;

use std::sync::Arc;

use async_trait::async_trait;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};
use tokio::task::spawn_blocking;

use self::convert::{joined, refused};
use crate::fault::Faults;
use crate::storage::{Storage, StorageError};

/// S3 on top of [`Storage`], as far as pgBackRest and common clients use it.
#[derive(Clone, Debug)]
pub(crate) struct StoreService {
    pub(crate) storage: Arc<Storage>,
    pub(crate) faults: Faults,
    pub(crate) region: String,
}

impl StoreService {
    /// Runs a write, which blocks, away from the threads that serve connections.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> Result<T, StorageError> + Send + 'static,
    ) -> S3Result<T> {
        let storage = Arc::clone(&self.storage);
        joined(spawn_blocking(move || work(&storage)).await)?.map_err(refused)
    }
}

/// Hands each operation to the method of the same name in the modules below.
macro_rules! delegate {
    ($($operation:ident: $input:ty => $output:ty;)*) => {
        #[async_trait]
        impl S3 for StoreService {
            $(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                StoreService::$operation(self, request).await.map(S3Response::new)
            })*
        }
    };
}

delegate! {
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput;
    copy_object: CopyObjectInput => CopyObjectOutput;
    create_bucket: CreateBucketInput => CreateBucketOutput;
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput;
    delete_object: DeleteObjectInput => DeleteObjectOutput;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput;
    get_object: GetObjectInput => GetObjectOutput;
    head_bucket: HeadBucketInput => HeadBucketOutput;
    head_object: HeadObjectInput => HeadObjectOutput;
    list_buckets: ListBucketsInput => ListBucketsOutput;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
    list_parts: ListPartsInput => ListPartsOutput;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput;
    put_object: PutObjectInput => PutObjectOutput;
    upload_part: UploadPartInput => UploadPartOutput;
}
