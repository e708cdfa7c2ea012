//! Files of an encrypted repository, opened with its passphrase. Pure.
//!
//! Source: pgBackRest, `common/crypto/cipherBlock.c`: AES-256-CBC as `openssl enc` writes it, the key and
//! the vector made of passphrase and salt by `EVP_BytesToKey` with SHA-1 and one round.

use aes::Aes256;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use phoenix_core::Secret;
use sha1::{Digest, Sha1};

const MAGIC: &[u8] = b"Salted__";
const SALT_BYTES: usize = 8;
const KEY_BYTES: usize = 32;
const VECTOR_BYTES: usize = 16;

/// The passphrase is another one, or the file is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open with this passphrase")]
pub struct DoesNotOpen;

/// Whether these are the first bytes of an encrypted file.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// What an encrypted file holds.
pub fn open(bytes: &[u8], passphrase: &Secret) -> Result<Vec<u8>, DoesNotOpen> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(DoesNotOpen)?;
    let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or(DoesNotOpen)?;
    let derived = derive(passphrase.expose().as_bytes(), salt);
    let (key, vector) = derived.split_at(KEY_BYTES);
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, vector).map_err(|_| DoesNotOpen)?;
    let mut bytes = sealed.to_vec();
    let length = cipher.decrypt_padded::<Pkcs7>(&mut bytes).map_err(|_| DoesNotOpen)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// Key and vector, one after the other.
fn derive(passphrase: &[u8], salt: &[u8]) -> Vec<u8> {
    let (mut derived, mut last) = (Vec::new(), Vec::new());
    while derived.len() < KEY_BYTES + VECTOR_BYTES {
        let hash = Sha1::new().chain_update(&last).chain_update(passphrase).chain_update(salt);
        last = hash.finalize().to_vec();
        derived.extend_from_slice(&last);
    }
    derived.truncate(KEY_BYTES + VECTOR_BYTES);
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'archive.info' | openssl enc -aes-256-cbc -md sha1 -pass pass:secret -S 0102030405060708`
    const SEALED: [u8; 32] = [
        0x53, 0x61, 0x6c, 0x74, 0x65, 0x64, 0x5f, 0x5f, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x2a,
        0xa8, 0x85, 0xc3, 0x9f, 0x44, 0x6e, 0xd0, 0xbe, 0x6c, 0xee, 0x7b, 0x82, 0x59, 0x5e, 0x6f,
    ];

    #[test]
    fn what_openssl_sealed_is_opened() {
        assert!(is_encrypted(&SEALED));
        assert_eq!(open(&SEALED, &Secret::new("secret")), Ok(b"archive.info".to_vec()));
    }

    #[test]
    fn nothing_opens_with_another_passphrase_nor_cut_off() {
        assert_eq!(open(&SEALED, &Secret::new("Secret")), Err(DoesNotOpen));
        assert_eq!(open(&SEALED[..20], &Secret::new("secret")), Err(DoesNotOpen));
        assert_eq!(open(b"[backrest]", &Secret::new("secret")), Err(DoesNotOpen));
    }
}
