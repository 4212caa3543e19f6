//! Files: how a message describes them, and how they are fetched. They lie encrypted on a server for files, the key is in
//! the message (AES-128, each block by itself, PKCS#7 at the end).
//!
//! A reference is the key in hex, or `-` for a picture that has none, a colon, and the place: a URL, or what stands for
//! one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::{Attachment, FetchError};
use form_urlencoded::byte_serialize;
use serde::Deserialize;

use super::decrypt::Decrypting;
use super::update::Item;
use crate::api::Api;
use crate::hosts::Hosts;
use crate::media::File;

/// The longest place that is remembered.
const PLACE_LIMIT: usize = 4_096;

#[derive(Deserialize)]
pub(super) struct Media {
    encrypt_query_param: Option<String>,
    full_url: Option<String>,
    /// In base64: the key, or the key in hex.
    aes_key: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Picture {
    media: Option<Media>,
    /// The key in hex, which goes before the other one.
    aeskey: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Recording {
    media: Option<Media>,
    encode_type: Option<i64>,
    /// What WeChat understood.
    pub(super) text: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Stored {
    media: Option<Media>,
    file_name: Option<String>,
    /// Bytes, in decimal.
    len: Option<serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct Video {
    media: Option<Media>,
}

/// What came with a message, described; nothing for what has no place.
pub(super) fn describe(item: &Item) -> Option<Attachment> {
    let described = |kind: &str, media_type: Option<&str>, media: &Option<Media>, key: Option<&String>| {
        Some(Attachment {
            kind: kind.to_owned(),
            media_type: media_type.map(str::to_owned),
            name: None,
            size: None,
            reference: reference(media.as_ref()?, key)?,
        })
    };
    if let Some(picture) = &item.image_item {
        return described("image", None, &picture.media, picture.aeskey.as_ref());
    }
    if let Some(recording) = &item.voice_item {
        let media_type = match recording.encode_type {
            Some(5) => Some("audio/amr"),
            Some(6) => Some("audio/silk"),
            Some(7) => Some("audio/mpeg"),
            _ => None,
        };
        return described("audio", media_type, &recording.media, None);
    }
    if let Some(file) = &item.file_item {
        let size = file.len.as_ref().and_then(|len| len.as_u64().or_else(|| len.as_str()?.parse().ok()));
        let described = described("file", None, &file.media, None)?;
        return Some(Attachment { name: file.file_name.clone(), size, ..described });
    }
    described("video", Some("video/mp4"), &item.video_item.as_ref()?.media, None)
}

fn reference(media: &Media, key: Option<&String>) -> Option<String> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let place = given(&media.full_url).or_else(|| given(&media.encrypt_query_param))?;
    let key = match (key.filter(|key| !key.is_empty()), given(&media.aes_key)) {
        (Some(key), _) => hex_key(key.as_bytes())?,
        (None, Some(key)) => {
            let bytes = STANDARD.decode(key).ok()?;
            if bytes.len() == 16 { hex::encode(bytes) } else { hex_key(&bytes)? }
        }
        (None, None) => "-".to_owned(),
    };
    (place.len() <= PLACE_LIMIT).then(|| format!("{key}:{place}"))
}

fn hex_key(key: &[u8]) -> Option<String> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(key, &mut bytes).ok()?;
    Some(hex::encode(bytes))
}

/// Fetches a file from the server for files, and decrypts it while it comes.
pub(super) async fn fetch(
    cdn: &Api,
    hosts: &Hosts,
    attachment: &Attachment,
    limit: u64,
    file: File<'_>,
) -> Result<u64, FetchError> {
    let (key, place) = attachment.reference.split_once(':').ok_or(FetchError::Unsupported)?;
    let url = match place {
        url if url.contains("://") => url.to_owned(),
        place => {
            let parameter: String = byte_serialize(place.as_bytes()).collect();
            cdn.url(&format!("download?encrypted_query_param={parameter}"))
        }
    };
    if key == "-" {
        return cdn.fetch(&url, None, hosts, limit, file).await;
    }
    let mut bytes = [0; 16];
    hex::decode_to_slice(key, &mut bytes).map_err(|_| FetchError::Unsupported)?;
    let mut decrypting = Decrypting::new(&bytes, limit, file);
    cdn.fetch(&url, None, hosts, decrypting.encrypted_limit(), &mut decrypting).await.map_err(|error| {
        // What was asked for is the file's own size.
        if matches!(error, FetchError::TooLarge(_)) { FetchError::TooLarge(limit) } else { error }
    })?;
    decrypting.finish().await
}
