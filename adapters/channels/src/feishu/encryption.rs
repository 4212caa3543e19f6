//! What Feishu encrypts for a web hook: AES-256 in CBC mode, the key is the SHA-256 of the Encrypt Key, the first block is
//! the initial vector, PKCS#7 at the end, all of it in base64.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Secret;

/// The JSON in what is encrypted; `None` for what was not encrypted with this key. That is all that an outsider learns.
pub(super) fn decrypt(key: &Secret, encrypted: &str) -> Option<Value> {
    let bytes = STANDARD.decode(encrypted).ok()?;
    let (vector, rest) = bytes.split_first_chunk::<16>()?;
    let mut rest = rest.to_vec();
    let key: [u8; 32] = Sha256::digest(key.reveal()).into();
    let cipher = cbc::Decryptor::<Aes256>::new(&key.into(), &(*vector).into());
    let plain = cipher.decrypt_padded::<Pkcs7>(&mut rest).ok()?;
    serde_json::from_slice(plain).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use cbc::cipher::BlockModeEncrypt;

    use super::*;

    /// Feishu's own example: `hello world`, by the key `test key`.
    const EXAMPLE: &str = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=";

    /// Encrypts as Feishu does, always with the same vector.
    pub(crate) fn encrypt(key: &str, plain: &str) -> String {
        let key: [u8; 32] = Sha256::digest(key).into();
        let vector = [7; 16];
        let length = plain.len();
        let mut buffer = plain.as_bytes().to_vec();
        buffer.resize(length + 16, 0);
        let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into());
        let encrypted = cipher.encrypt_padded::<Pkcs7>(&mut buffer, length).unwrap();
        STANDARD.encode([&vector[..], encrypted].concat())
    }

    #[test]
    fn i14_only_what_was_encrypted_with_the_key_is_read() {
        let key = Secret::new("test key");
        assert_eq!(decrypt(&key, EXAMPLE), None, "it is read, and is no JSON");
        let whole = encrypt("test key", r#"{"type":"url_verification"}"#);
        assert_eq!(decrypt(&key, &whole).unwrap()["type"], "url_verification");
        assert_eq!(decrypt(&Secret::new("another"), &whole), None);
        let mut bytes = STANDARD.decode(&whole).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(decrypt(&key, &STANDARD.encode(&bytes)), None);
        for wrong in
            ["", "!", "AAAA", &STANDARD.encode([0; 16]), &STANDARD.encode([0; 31]), &STANDARD.encode([0; 32])]
        {
            assert_eq!(decrypt(&key, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn feishus_own_example_is_read() {
        let bytes = STANDARD.decode(EXAMPLE).unwrap();
        let (vector, rest) = bytes.split_first_chunk::<16>().unwrap();
        let key: [u8; 32] = Sha256::digest("test key").into();
        let cipher = cbc::Decryptor::<Aes256>::new(&key.into(), &(*vector).into());
        assert_eq!(cipher.decrypt_padded::<Pkcs7>(&mut rest.to_vec()).unwrap(), b"hello world");
    }
}
