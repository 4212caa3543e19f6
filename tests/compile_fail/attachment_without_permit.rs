//! What came with a message is fetched with its permit in hand.

use dmgate::{Attachment, ChannelAdapter};

async fn fetch(channel: &dyn ChannelAdapter, attachment: &Attachment) {
    let _ = channel.fetch(attachment, 1_000, &mut Vec::new()).await;
}

fn main() {}
