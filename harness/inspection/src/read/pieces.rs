//! The content of a backup's files, held against the digests in its manifest. A file of the repository that
//! several backups need is read once, and never as a whole.

use super::{contents::Which, files::Opener};
use crate::{
    compression::{self, Compression},
    manifest::{Digest, Piece, StoredFile},
    seen::{Reading, SeenStanza},
    source::{Source, SourceError, chain},
    text::hex,
};
use futures::{StreamExt, stream};
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;

/// How many stored files are read at a time.
const AT_A_TIME: usize = 4;
/// How much of one is held in memory.
const WINDOW_BYTES: u64 = 4 << 20;
/// What must be decompressed is held in memory as a whole, up to this.
const MOST_BYTES: u64 = 1 << 30;

/// The pieces of a stored file, and how to open them.
struct Task {
    key: String,
    file: StoredFile,
    pieces: BTreeMap<u64, Piece>,
    compression: Option<Compression>,
    opener: Opener,
}

/// What is wrong in the files of a stanza's backups.
pub(super) async fn read(
    source: &dyn Source,
    stanza: &SeenStanza,
    which: &Which,
) -> Vec<(StoredFile, u64, Reading<()>)> {
    let mut tasks: BTreeMap<StoredFile, Task> = BTreeMap::new();
    for manifest in stanza.backups.values().filter_map(|backup| backup.manifest.content()) {
        for (file, pieces) in &manifest.pieces {
            let key = format!("backup/{}/{}/{}", stanza.name, file.label, file.path);
            // what is not there at all is found without reading
            let is_there =
                stanza.backups.get(&file.label).is_some_and(|backup| backup.files.contains_key(&file.path));
            if !is_there || !which.includes(&key) {
                continue;
            }
            let task = tasks.entry(file.clone()).or_insert_with(|| Task {
                key,
                file: file.clone(),
                pieces: BTreeMap::new(),
                compression: manifest.compression,
                opener: Opener::new(manifest.passphrase.clone()),
            });
            task.pieces.extend(pieces.iter().map(|(offset, piece)| (*offset, piece.clone())));
        }
    }
    let each = tasks.into_values().map(|task| async move {
        let mut window = Window { source, key: &task.key, from: 0, bytes: Vec::new() };
        let mut found = Vec::new();
        for (offset, piece) in &task.pieces {
            let reading = one(&mut window, *offset, piece, &task).await;
            if reading.whole().is_none() {
                found.push((task.file.clone(), *offset, reading));
            }
        }
        found
    });
    stream::iter(each).buffer_unordered(AT_A_TIME).collect::<Vec<_>>().await.concat()
}

async fn one(window: &mut Window<'_>, offset: u64, piece: &Piece, task: &Task) -> Reading<()> {
    let result = match &piece.digest {
        Digest::Unknown => {
            return Reading::Refused("its manifest holds no digest of what is stored".to_owned());
        }
        Digest::Stored(said) => window.digest(offset, piece.bytes).await.map(|found| held(&found, said)),
        Digest::Original(said) if piece.bytes <= MOST_BYTES => {
            window.whole(offset, piece.bytes).await.map(|bytes| original(bytes, said, task))
        }
        Digest::Original(_) => {
            return Reading::Refused("it is too large to be decompressed in memory".to_owned());
        }
    };
    result.unwrap_or_else(|error| match error {
        SourceError::Absent(_) => Reading::Missing,
        other => Reading::Refused(chain(&other)),
    })
}

fn held(found: &str, said: &str) -> Reading<()> {
    if found == said {
        Reading::Whole(())
    } else {
        Reading::Damaged(format!("it hashes to {found}, and not to {said}"))
    }
}

fn original(bytes: Vec<u8>, said: &str, task: &Task) -> Reading<()> {
    let Some(compression) = task.compression else {
        return Reading::Refused("its compression is not known here".to_owned());
    };
    match task.opener.open(Ok(bytes)) {
        Err(trouble) => trouble,
        Ok(bytes) => match compression::content(&bytes, compression) {
            Ok(content) => held(&content.sha1, said),
            Err(error) => Reading::Damaged(format!("it does not decompress: {error}")),
        },
    }
}

/// The part of a stored file that is in memory. It only moves forward.
struct Window<'a> {
    source: &'a dyn Source,
    key: &'a str,
    from: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// What is stored from a position on, as much of it as is at hand; nothing at the file's end.
    async fn at(&mut self, position: u64) -> Result<&[u8], SourceError> {
        let end = self.from + self.bytes.len() as u64;
        if !(self.from..end).contains(&position) {
            self.bytes = self.source.part(self.key, position, WINDOW_BYTES).await?;
            self.from = position;
        }
        let skipped = usize::try_from(position - self.from).unwrap_or(usize::MAX);
        Ok(self.bytes.get(skipped..).unwrap_or_default())
    }

    /// Hands on a stretch, bit by bit; less of it where the file ends.
    async fn each(
        &mut self,
        offset: u64,
        bytes: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), SourceError> {
        let (mut position, end) = (offset, offset + bytes);
        while position < end {
            let part = self.at(position).await?;
            let wanted = usize::try_from(end - position).unwrap_or(usize::MAX).min(part.len());
            if wanted == 0 {
                break;
            }
            take(&part[..wanted]);
            position += wanted as u64;
        }
        Ok(())
    }

    async fn digest(&mut self, offset: u64, bytes: u64) -> Result<String, SourceError> {
        let mut hash = Sha1::new();
        self.each(offset, bytes, |part| hash.update(part)).await?;
        Ok(hex(&hash.finalize()))
    }

    async fn whole(&mut self, offset: u64, bytes: u64) -> Result<Vec<u8>, SourceError> {
        let mut whole = Vec::new();
        self.each(offset, bytes, |part| whole.extend_from_slice(part)).await?;
        Ok(whole)
    }
}
