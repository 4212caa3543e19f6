//! Files.

use dmgate::FetchError;

use super::*;

/// `hello world`, encrypted by OpenSSL with the key 000102…0f.
const ENCRYPTED: [u8; 16] =
    [0x92, 0x76, 0xfd, 0xf3, 0x84, 0xf3, 0x85, 0x18, 0xfa, 0x6c, 0x83, 0x10, 0xf1, 0x91, 0x67, 0x8d];

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// What a message with this part describes.
fn described(item: &Value) -> Vec<Attachment> {
    let mut message = hello(1);
    message["item_list"] = json!([item]);
    update::parse(&account(), Some(BOT), &message).unwrap().attachments
}

async fn fetched(server: &FakeServer, attachment: &Attachment, limit: u64) -> Result<Vec<u8>, FetchError> {
    let bot = bot(server, Setup::new(account()), |config| config.cdn_base += "/c2c");
    let mut file = Vec::new();
    let length = attachment::fetch(&bot.cdn, &bot.cdn_hosts, attachment, limit, &mut file).await?;
    assert_eq!(length, file.len() as u64);
    Ok(file)
}

#[test]
fn keys_come_in_three_forms() {
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let media = |key: &str| json!({ "encrypt_query_param": "a+b/c", "aes_key": key });
    let raw = base64(&hex::decode(KEY).unwrap());
    let hex = base64(KEY.as_bytes());
    for item in [
        json!({ "type": 2, "image_item": { "media": media(&raw) } }),
        json!({ "type": 4, "file_item": { "media": media(&hex), "file_name": "a.pdf", "len": "11" } }),
        json!({ "type": 2, "image_item": { "aeskey": KEY.to_uppercase(), "media": media("!") } }),
    ] {
        assert_eq!(described(&item)[0].reference, format!("{KEY}:a+b/c"), "{item}");
    }
    assert_eq!(
        described(&json!({ "image_item": { "media": { "full_url": "https://x.test/a" } } }))[0].reference,
        "-:https://x.test/a"
    );
    for wrong in ["!", "", "AAAA", &base64(b"0123456789abcdef0123456789abcdeg")] {
        let item = json!({ "file_item": { "media": media(wrong) } });
        assert!(wrong.is_empty() || described(&item).is_empty(), "{wrong}");
    }
    assert!(described(&json!({ "file_item": { "media": { "full_url": "x".repeat(5_000) } } })).is_empty());
}

#[tokio::test]
async fn a_file_is_fetched_and_decrypted_up_to_the_limit() {
    let server = FakeServer::start().await;
    let attachment = Attachment {
        kind: "file".to_owned(),
        media_type: None,
        name: None,
        size: None,
        reference: format!("{KEY}:a+b/c="),
    };
    for (limit, expected) in [(100, Some("hello world")), (11, Some("hello world")), (10, None)] {
        let (got, ()) = tokio::join!(fetched(&server, &attachment, limit), async {
            let call = server.call().await;
            assert_eq!(call.line, "GET /c2c/download?encrypted_query_param=a%2Bb%2Fc%3D");
            assert_eq!(call.header("authorization"), None, "the token is not for the server for files");
            call.answer(200, ENCRYPTED).await;
        });
        match (expected, got) {
            (Some(expected), got) => assert_eq!(got.unwrap(), expected.as_bytes()),
            (None, got) => assert!(matches!(got, Err(FetchError::TooLarge(10))), "{got:?}"),
        }
    }
    let (got, ()) = tokio::join!(fetched(&server, &attachment, 20), async {
        server.call().await.answer(200, [0; 48]).await;
    });
    assert!(matches!(got, Err(FetchError::TooLarge(20))), "refused by its length: {got:?}");
    let (got, ()) = tokio::join!(fetched(&server, &attachment, 20), async {
        server.call().await.answer(404, "").await;
    });
    assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");
}

#[tokio::test]
async fn files_are_fetched_from_tencent_and_from_nobody_else() {
    let server = FakeServer::start().await;
    let at = |place: &str| Attachment {
        kind: "image".to_owned(),
        media_type: None,
        name: None,
        size: None,
        reference: format!("-:{place}"),
    };
    for elsewhere in [
        "https://evil.test/a",
        "http://169.254.169.254/",
        "https://weixin.qq.com.evil.test/",
        "http://novac2c.cdn.weixin.qq.com/",
        "file:///etc/passwd",
    ] {
        let got = fetched(&server, &at(elsewhere), 10).await;
        assert!(
            matches!(&got, Err(FetchError::Failed(reason)) if reason.contains("host")),
            "{elsewhere}: {got:?}"
        );
    }
    let here = at(&format!("{}/plain", server.base()));
    let (got, ()) = tokio::join!(fetched(&server, &here, 10), async {
        server.call().await.answer(200, "plain").await;
    });
    assert_eq!(got.unwrap(), b"plain");
    for none in ["", "zz:a", "0001:a", "a"] {
        let got = fetched(&server, &Attachment { reference: none.to_owned(), ..at("") }, 10).await;
        assert!(matches!(got, Err(FetchError::Unsupported)), "{none}: {got:?}");
    }
}

#[tokio::test]
async fn a_large_file_is_decrypted_while_it_comes() {
    struct Count(u64);
    impl tokio::io::AsyncWrite for Count {
        fn poll_write(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            bytes: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            // As a disk may: never all at once.
            let taken = bytes.len().min(10_000);
            self.0 += taken as u64;
            std::task::Poll::Ready(Ok(taken))
        }
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }
    use tokio::io::AsyncWriteExt;
    let limit = 8 * 1024 * 1024;
    let mut file = Count(0);
    let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let mut decrypting = decrypt::Decrypting::new(&key, limit, &mut file);
    // Blocks of zeros, then a block of nothing but padding.
    let (piece, pieces) = (vec![0; 64 * 1024], limit / (64 * 1024));
    for _ in 0..pieces {
        decrypting.write_all(&piece).await.unwrap();
    }
    let padding = hex::decode("954f64f2e4e86e9eee82d20216684899").unwrap();
    decrypting.write_all(&padding).await.unwrap();
    assert_eq!(decrypting.finish().await.unwrap(), limit);
    assert_eq!(file.0, limit);
}
