//! A file that is decrypted while it comes: AES-128, each block by itself (ECB), PKCS#7 at the end. The last block that is
//! there is held back, since only the end says whether it is padding.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, KeyInit};
use dmgate::FetchError;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::media::File;

/// Bytes in a block.
const BLOCK: usize = 16;

/// Takes what is encrypted, writes what is not.
pub(super) struct Decrypting<'a> {
    cipher: Aes128,
    file: File<'a>,
    /// The most that the file may hold.
    limit: u64,
    /// What came and is not decrypted: less than two blocks.
    held: Vec<u8>,
    /// What is decrypted and not written, from `written` on.
    plain: Vec<u8>,
    written: usize,
    /// How much was written before that.
    total: u64,
}

impl<'a> Decrypting<'a> {
    pub(super) fn new(key: &[u8; BLOCK], limit: u64, file: File<'a>) -> Self {
        let (held, plain) = (Vec::new(), Vec::new());
        Self { cipher: Aes128::new(&(*key).into()), file, limit, held, plain, written: 0, total: 0 }
    }

    /// The most that may come: the padding is at least one byte.
    pub(super) fn encrypted_limit(&self) -> u64 {
        let block = BLOCK as u64;
        (self.limit / block).saturating_add(1).saturating_mul(block)
    }

    /// Writes what was held back without its padding; how many bytes the file has.
    pub(super) async fn finish(mut self) -> Result<u64, FetchError> {
        let failed = |reason: &str| FetchError::Failed(reason.to_owned());
        let unwritten = |error: io::Error| failed(&format!("what came can't be written: {error}"));
        self.flush().await.map_err(unwritten)?;
        let Ok(mut last) = <[u8; BLOCK]>::try_from(self.held.as_slice()) else {
            return Err(failed("what came is not whole"));
        };
        self.cipher.decrypt_block((&mut last).into());
        let length = last.last().and_then(|padding| BLOCK.checked_sub(usize::from(*padding)));
        let length = length.filter(|length| *length < BLOCK);
        let split = length.and_then(|length| last.split_at_checked(length));
        let is_padding = |(rest, padding): &(&[u8], &[u8])| {
            padding.iter().all(|byte| usize::from(*byte) + rest.len() == BLOCK)
        };
        let (rest, _) = split.filter(is_padding).ok_or_else(|| failed("its key is not the right one"))?;
        let total = self.total.saturating_add(rest.len() as u64);
        if total > self.limit {
            return Err(FetchError::TooLarge(self.limit));
        }
        self.file.write_all(rest).await.map_err(unwritten)?;
        self.file.flush().await.map_err(unwritten)?;
        Ok(total)
    }

    /// Writes what is decrypted.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.plain.get(self.written..).filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut *self.file).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.total = self.total.saturating_add(self.plain.len() as u64);
        self.plain.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Decrypts what came, all but the last block.
    fn decrypt(&mut self) {
        let whole = self.held.len().saturating_sub(1) / BLOCK * BLOCK;
        self.plain.extend(self.held.drain(..whole));
        for block in self.plain.chunks_exact_mut(BLOCK) {
            if let Ok(block) = <&mut [u8; BLOCK]>::try_from(block) {
                self.cipher.decrypt_block(block.into());
            }
        }
    }
}

impl AsyncWrite for Decrypting<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.drain(context))?;
        self.held.extend_from_slice(bytes);
        self.decrypt();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        Pin::new(&mut *self.file).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenSSL encrypts them: `openssl enc -aes-128-ecb -K 000102…0f`.
    const VECTORS: [(&str, &str); 3] = [
        ("", "954f64f2e4e86e9eee82d20216684899"),
        ("hello world", "9276fdf384f38518fa6c8310f191678d"),
        ("0123456789abcdef", "281567ab2f4cf0d73d3198225b8b8393954f64f2e4e86e9eee82d20216684899"),
    ];

    fn key() -> [u8; BLOCK] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    /// What becomes of these bytes when they come in pieces of `size`.
    async fn decrypted(encrypted: &[u8], size: usize, limit: u64) -> Result<String, FetchError> {
        let mut file = Vec::new();
        let mut decrypting = Decrypting::new(&key(), limit, &mut file);
        assert!(encrypted.len() as u64 <= decrypting.encrypted_limit() || limit < 16);
        for piece in encrypted.chunks(size) {
            decrypting.write_all(piece).await.unwrap();
            assert!(decrypting.held.len() <= BLOCK + size && decrypting.plain.len() <= size + BLOCK);
        }
        let length = decrypting.finish().await?;
        assert_eq!(length, file.len() as u64);
        Ok(String::from_utf8(file).unwrap())
    }

    #[tokio::test]
    async fn what_another_program_encrypted_is_read_in_pieces_of_any_size() {
        for (plain, encrypted) in VECTORS {
            let encrypted = hex::decode(encrypted).unwrap();
            for size in [1, 5, 15, 16, 17, 32, 100] {
                assert_eq!(decrypted(&encrypted, size, 100).await.unwrap(), plain, "{size}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_too_long_cut_off_or_not_for_this_key_is_refused() {
        let encrypted = hex::decode(VECTORS[2].1).unwrap();
        assert!(decrypted(&encrypted, 16, 16).await.is_ok());
        assert!(matches!(decrypted(&encrypted, 16, 15).await, Err(FetchError::TooLarge(15))));
        for cut in [&encrypted[..16], &encrypted[..31], &encrypted[..0]] {
            assert!(matches!(decrypted(cut, 16, 100).await, Err(FetchError::Failed(_))), "{}", cut.len());
        }
        let mut changed = encrypted.clone();
        changed[31] ^= 1;
        assert!(matches!(decrypted(&changed, 16, 100).await, Err(FetchError::Failed(_))));
        // Ends that are no padding: three and two, and nothing.
        for end in ["e7b5bf2a0e0e12b4f20470a015b2546b", "9cee81f0d33141a33307629acd71fd76"] {
            let end = hex::decode(end).unwrap();
            assert!(matches!(decrypted(&end, 16, 100).await, Err(FetchError::Failed(_))));
        }
    }
}
