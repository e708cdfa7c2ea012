//! What pgBackRest 2.45 really wrote: three backups on timeline 1, a rebirth, one on timeline 2.

pub(crate) const ARCHIVE_INFO: &str = r#"[backrest]
backrest-format=5
backrest-version="2.45"

[db]
db-id=1
db-system-id=7712765403790574807
db-version="15"

[db:history]
1={"db-id":7712765403790574807,"db-version":"15"}

[backrest]
backrest-checksum="b2ebdaf21c3d7a01e1aae6df04a8dfbd2764e708"
"#;

pub(crate) const BACKUP_INFO: &str = r#"[backrest]
backrest-format=5
backrest-version="2.45"

[backup:current]
20261127-082856F={"backrest-format":5,"backrest-version":"2.45","backup-archive-start":"000000010000000000000007","backup-archive-stop":"000000010000000000000007","backup-error":false,"backup-info-repo-size":2809992,"backup-info-repo-size-delta":2809992,"backup-info-size":23000734,"backup-info-size-delta":23000734,"backup-lsn-start":"0/700028","backup-lsn-stop":"0/700100","backup-timestamp-start":1795768136,"backup-timestamp-stop":1795768138,"backup-type":"full","db-id":1,"option-archive-check":true,"option-archive-copy":false,"option-backup-standby":false,"option-checksum-page":false,"option-compress":true,"option-hardlink":false,"option-online":true}
20261127-082856F_20261127-082859I={"backrest-format":5,"backrest-version":"2.45","backup-archive-start":"00000001000000000000000B","backup-archive-stop":"00000001000000000000000C","backup-error":false,"backup-info-repo-size":2957299,"backup-info-repo-size-delta":190063,"backup-info-size":24049310,"backup-info-size-delta":1638664,"backup-lsn-start":"0/B00028","backup-lsn-stop":"0/C00050","backup-prior":"20261127-082856F","backup-reference":["20261127-082856F"],"backup-timestamp-start":1795768139,"backup-timestamp-stop":1795768141,"backup-type":"incr","db-id":1,"option-archive-check":true,"option-archive-copy":false,"option-backup-standby":false,"option-checksum-page":false,"option-compress":true,"option-hardlink":false,"option-online":true}
20261127-082856F_20261127-082902D={"backrest-format":5,"backrest-version":"2.45","backup-archive-start":"000000010000000000000010","backup-archive-stop":"000000010000000000000011","backup-error":false,"backup-info-repo-size":2967024,"backup-info-repo-size-delta":199788,"backup-info-size":25073312,"backup-info-size-delta":2662666,"backup-lsn-start":"0/1000028","backup-lsn-stop":"0/1100050","backup-prior":"20261127-082856F","backup-reference":["20261127-082856F"],"backup-timestamp-start":1795768142,"backup-timestamp-stop":1795768143,"backup-type":"diff","db-id":1,"option-archive-check":true,"option-archive-copy":false,"option-backup-standby":false,"option-checksum-page":false,"option-compress":true,"option-hardlink":false,"option-online":true}
20261127-082914F={"backrest-format":5,"backrest-version":"2.45","backup-archive-start":"000000020000000000000016","backup-archive-stop":"000000020000000000000017","backup-error":false,"backup-info-repo-size":3003531,"backup-info-repo-size-delta":3003531,"backup-info-size":26105669,"backup-info-size-delta":26105669,"backup-lsn-start":"0/1600028","backup-lsn-stop":"0/1700050","backup-timestamp-start":1795768154,"backup-timestamp-stop":1795768155,"backup-type":"full","db-id":1,"option-archive-check":true,"option-archive-copy":false,"option-backup-standby":false,"option-checksum-page":false,"option-compress":true,"option-hardlink":false,"option-online":true}

[db]
db-catalog-version=202209061
db-control-version=1300
db-id=1
db-system-id=7712765403790574807
db-version="15"

[db:history]
1={"db-catalog-version":202209061,"db-control-version":1300,"db-system-id":7712765403790574807,"db-version":"15"}

[backrest]
backrest-checksum="83517b2ab4345487234cd0f4b8869e7bbbd2372d"
"#;

pub(crate) const HISTORY: &str = "1\t0/1300000\tno recovery target specified\n";

/// The manifest of the incremental backup, with few of its files.
pub(crate) const MANIFEST: &str = r#"[backrest]
backrest-format=5
backrest-version="2.45"

[backup]
backup-archive-start="00000001000000000000000B"
backup-archive-stop="00000001000000000000000C"
backup-bundle=true
backup-label="20261127-082856F_20261127-082859I"
backup-lsn-start="0/B00028"
backup-lsn-stop="0/C00050"
backup-prior="20261127-082856F"
backup-reference="20261127-082856F,20261127-082856F_20261127-082859I"
backup-timestamp-copy-start=1795768141
backup-timestamp-start=1795768139
backup-timestamp-stop=1795768141
backup-type="incr"

[backup:db]
db-catalog-version=202209061
db-control-version=1300
db-id=1
db-system-id=7712765403790574807
db-version="15"

[backup:option]
option-archive-check=true
option-archive-copy=false
option-backup-standby=false
option-buffer-size=1048576
option-checksum-page=false
option-compress=true
option-compress-level=3
option-compress-level-network=3
option-compress-type="zst"
option-delta=false
option-hardlink=false
option-online=true
option-process-max=1

[backup:target]
pg_data={"path":"/pg","type":"path"}

[db]
postgres={"db-id":5,"db-last-system-id":4}
template0={"db-id":4,"db-last-system-id":4}
template1={"db-id":1,"db-last-system-id":4}

[target:file]
pg_data/PG_VERSION={"bni":1,"bno":55768,"checksum":"587b596f04f7db9c2cad3d6b87dd2b3a05de4f35","rck":"c763f3304da14f884b9fd5d320f41e8a2a8d0eb4","reference":"20261127-082856F","repo-size":12,"size":3,"timestamp":1795768133}
pg_data/backup_label={"checksum":"574acb7d742a7a7910fdef9befce3cde8b705105","rck":"ad3c16a076fde3c8fb49e3defadab19796cefbd1","repo-size":186,"size":256,"timestamp":1795768141}
pg_data/base/1/1247_fsm={"bni":1,"bno":2599941,"checksum":"364de720aca03d90536abf24a9dc00a393bf559c","rck":"51e7259f334f9371881bd68b7a7e5c39c35f0434","reference":"20261127-082856F","repo-size":127,"size":24576,"timestamp":1795768134}
pg_data/base/1/1249_vm={"bni":1,"bno":2599702,"checksum":"475e8b7edae57f04f47447a7f50993211c8df87c","rck":"5dfdcb8fffea1961ded48bab88d5a5f6ac3bfcbc","reference":"20261127-082856F","repo-size":41,"size":8192,"timestamp":1795768134}
pg_data/base/1/13394={"size":0,"timestamp":1795768133}
pg_data/base/5/16384={"bni":1,"bno":257,"checksum":"c4fb7fcd07e818bb36faa1b1f398fba4f78c044c","rck":"ef3d486f3928f12988a1c44e6b160ed8cd98b48d","repo-size":147275,"size":1024000,"timestamp":1795768139}
pg_data/global/pg_control={"bni":1,"bno":73,"checksum":"db7f94d5ba824d31804c2eb0a03b5cb3ded533ec","rck":"72ced06a2eedddbffd9c04874c754fab3053d876","repo-size":184,"size":8192,"timestamp":1795768139}

[target:file:default]
group="postgres"
mode="0600"
user="postgres"

[target:path]
pg_data={}
pg_data/base={}
pg_data/base/1={}
pg_data/base/4={}
pg_data/base/5={}
pg_data/global={}
pg_data/pg_commit_ts={}
pg_data/pg_dynshmem={}
pg_data/pg_logical={}
pg_data/pg_logical/mappings={}
pg_data/pg_logical/snapshots={}
pg_data/pg_multixact={}
pg_data/pg_multixact/members={}
pg_data/pg_multixact/offsets={}
pg_data/pg_notify={}
pg_data/pg_replslot={}
pg_data/pg_serial={}
pg_data/pg_snapshots={}
pg_data/pg_stat={}
pg_data/pg_stat_tmp={}
pg_data/pg_subtrans={}
pg_data/pg_tblspc={}
pg_data/pg_twophase={}
pg_data/pg_wal={}
pg_data/pg_wal/archive_status={}
pg_data/pg_xact={}

[target:path:default]
group="postgres"
mode="0700"
user="postgres"

[backrest]
backrest-checksum="1c41da425dca4f1e42ae226de1711f0b4e2739f5"
"#;

/// The beginning of a segment that PostgreSQL 15 wrote with `--wal-segsize=1`.
pub(crate) const PAGE: [u8; 40] = [
    0x10, 0xd1, 0x02, 0x00, 0x01, 0, 0, 0, 0, 0, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xd7, 0x04,
    0xdc, 0x50, 0x45, 0x3f, 0x09, 0x6b, 0, 0, 0x10, 0, 0, 0x20, 0, 0,
];

/// Sections of one line each, with their checksum.
pub(crate) fn sealed(sections: &[(&str, &str)]) -> String {
    use sha1::{Digest, Sha1};
    let text = sections.iter().map(|(section, line)| format!("[{section}]\n{line}\n\n"));
    let json = sections.iter().map(|(section, line)| {
        let (key, value) = line.split_once('=').unwrap();
        format!("\"{section}\":{{\"{key}\":{value}}}")
    });
    let hash = Sha1::digest(format!("{{{}}}", json.collect::<Vec<_>>().join(",")));
    let hash = crate::text::hex(&hash);
    text.collect::<String>() + &format!("[backrest]\nbackrest-checksum=\"{hash}\"\n")
}
