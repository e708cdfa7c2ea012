//! The content of backups' files, read and held against their manifest.

use super::{
    SIZE, harm,
    written::{LABEL, manifest, repository},
};
use phoenix_inspection::{Contents, Directory, Grade, Inspection, Options, inspect};
use sha1::{Digest, Sha1};
use std::{collections::BTreeMap, fs, io::Write, path::Path};

fn hash(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A repository without WAL to read, in a directory, whose backup has these files and stores these bytes.
fn lay(root: &Path, compress_type: &str, files: &[(&str, String)], stored: &[(&str, &[u8])]) {
    let mut objects: BTreeMap<String, Vec<u8>> = repository(2..=3);
    let folder = format!("backup/main/{LABEL}");
    for copy in ["", ".copy"] {
        objects.insert(format!("{folder}/backup.manifest{copy}"), manifest(compress_type, files));
    }
    objects.remove(&format!("{folder}/pg_data/PG_VERSION"));
    objects.extend(stored.iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes.to_vec())));
    for (key, bytes) in objects {
        let path = root.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The files of backups alone: the segments of these repositories are none.
async fn look(root: &Path) -> Inspection {
    let options = Options { segment_size: Some(SIZE), ..Options::default() };
    let mut inspection = inspect(&Directory::new(root), &options, Contents::Everything, None).await.unwrap();
    inspection.remarks.retain(|remark| !remark.finding.code.contains("wal-"));
    inspection
}

/// The sentences of what is damaged, with their evidence.
async fn damage(files: &[(&str, String)], stored: &[(&str, &[u8])]) -> Vec<String> {
    damage_in("none", files, stored).await
}

async fn damage_in(compress_type: &str, files: &[(&str, String)], stored: &[(&str, &[u8])]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    lay(folder.path(), compress_type, files, stored);
    let inspection = look(folder.path()).await;
    let damage = inspection.remarks.into_iter().filter(|remark| remark.finding.code == "backup-damaged");
    damage.flat_map(|remark| remark.finding.evidence).collect()
}

/// Two files in a bundle, with what no manifest speaks of before and between them.
#[tokio::test]
async fn every_piece_of_a_bundle_is_read() {
    let files = [
        ("pg_data/one", format!(r#"{{"bni":1,"bno":3,"rck":"{}","repo-size":4,"size":9}}"#, hash(b"1111"))),
        ("pg_data/two", format!(r#"{{"bni":1,"bno":9,"rck":"{}","repo-size":5,"size":9}}"#, hash(b"22222"))),
    ];
    assert_eq!(damage(&files, &[("bundle/1", b"xxx1111xx22222")]).await, [""; 0]);
    // what nobody needs may change
    assert_eq!(damage(&files, &[("bundle/1", b"yyy1111yy22222zz")]).await, [""; 0]);
    let found = damage(&files, &[("bundle/1", b"xxx1111xx22232")]).await;
    let file = format!("pg_data/two in backup/main/{LABEL}/bundle/1 is damaged: it hashes to");
    assert!(found.len() == 1 && found[0].starts_with(&file), "{found:?}");
    assert_eq!(damage(&files, &[("bundle/1", b"xxx2222xx33333")]).await.len(), 2);
}

/// Larger than what is held in memory at a time, and a file that begins within it.
#[tokio::test]
async fn a_large_file_is_read_bit_by_bit() {
    let large: Vec<u8> = (0..9_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let (first, rest) = large.split_at(5_000_001);
    let files = [
        ("a", format!(r#"{{"bni":1,"bno":0,"rck":"{}","repo-size":{},"size":1}}"#, hash(first), first.len())),
        (
            "b",
            format!(
                r#"{{"bni":1,"bno":5000001,"rck":"{}","repo-size":{},"size":1}}"#,
                hash(rest),
                rest.len()
            ),
        ),
    ];
    assert_eq!(damage(&files, &[("bundle/1", &large)]).await, [""; 0]);
    let mut spoilt = large.clone();
    spoilt[8_999_999] ^= 1;
    assert_eq!(damage(&files, &[("bundle/1", &spoilt)]).await.len(), 1);
}

/// Where the manifest says only what the original hashes to, what is stored is opened.
#[tokio::test]
async fn an_older_manifest_speaks_of_the_original() {
    let plain = [("pg_data/PG_VERSION", format!(r#"{{"checksum":"{}","size":3}}"#, hash(b"15\n")))];
    assert_eq!(damage(&plain, &[("pg_data/PG_VERSION", b"15\n")]).await, [""; 0]);
    assert_eq!(damage(&plain, &[("pg_data/PG_VERSION", b"14\n")]).await.len(), 1);

    let pressed = |content: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    };
    let (sound, other) = (pressed(b"15\n"), pressed(b"14\n"));
    let size = sound.len();
    let file = format!(r#"{{"checksum":"{}","repo-size":{size},"size":3}}"#, hash(b"15\n"));
    let files = [("pg_data/PG_VERSION", file)];
    let found = async |stored: &[u8]| damage_in("gz", &files, &[("pg_data/PG_VERSION.gz", stored)]).await;
    assert_eq!(found(&sound).await, [""; 0]);
    assert!(found(&other).await[0].contains("it hashes to"));
    assert!(found(&[b'x'; 23][..size]).await[0].contains("it does not decompress"));
}

/// What cannot be verified is said, and is no damage.
#[tokio::test]
async fn what_no_digest_is_of_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = [("pg_data/a", format!(r#"{{"bim":5,"checksum":"{}","size":3}}"#, hash(b"abc")))];
    lay(folder.path(), "none", &blocks, &[("pg_data/a.pgbi", b"123")]);
    let inspection = look(folder.path()).await;
    assert!(inspection.remarks.is_empty(), "{:?}", inspection.remarks);
    let what = format!("the content of 1 files of backup {LABEL}");
    let unseen = inspection.unseen.iter().find(|unseen| unseen.what == what).unwrap();
    assert!(unseen.why.contains("no digest of what is stored"), "{unseen:?}");
}

/// Without it, names and sizes are believed, and that is said.
#[tokio::test]
async fn nothing_is_read_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("pg_data/PG_VERSION", format!(r#"{{"checksum":"{}","size":3}}"#, hash(b"15\n")))];
    lay(folder.path(), "none", &files, &[("pg_data/PG_VERSION", b"14\n")]);
    let inspection = super::look(&Directory::new(folder.path())).await;
    assert_eq!((inspection.grade, harm(&inspection)), (Grade::Restorable, vec![]));
    assert!(inspection.unseen.iter().any(|unseen| unseen.why.contains("without --checksums")));
}
