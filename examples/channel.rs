//! A chat platform of one's own: each line that comes in is `name: text`, and each line that goes out is an answer.
//!
//! `(echo 'ann: hello'; sleep 1) | cargo run --example channel`
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::Arc;

use async_trait::async_trait;
use dmgate::{
    AccountKey, Agent, AgentError, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, DmGate,
    InboundMessage, Inbox, OutboundText, Pipeline, ReplyRoute, SendError, Sender, SenderId, Turn,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

/// Lines in, lines out.
struct Lines {
    meta: ChannelMeta,
    input: Mutex<Box<dyn AsyncBufRead + Send + Unpin>>,
    output: mpsc::Sender<String>,
}

impl Lines {
    fn new(
        input: impl AsyncBufRead + Send + Unpin + 'static,
        output: mpsc::Sender<String>,
    ) -> Result<Arc<Self>, Failure> {
        let account = AccountKey::parse("lines", "default")?;
        let meta = ChannelMeta { account, id_line: "name".into(), text_limit: 400, idempotent_sends: false };
        Ok(Arc::new(Self { meta, input: Mutex::new(Box::new(input)), output }))
    }
}

#[async_trait]
impl ChannelAdapter for Lines {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let mut input = self.input.lock().await;
        let mut line = String::new();
        loop {
            line.clear();
            let read = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                read = input.read_line(&mut line) => read.map_err(|error| ChannelError(error.to_string()))?,
            };
            if read == 0 {
                return Ok(());
            }
            // What is no message is dropped here. Whether a message is let in is not decided here.
            let Some((name, text)) = line.trim().split_once(": ") else { continue };
            let account = &self.meta.account;
            let Ok(id) = SenderId::parse(account.channel(), name) else { continue };
            let mut message = InboundMessage::direct(account.clone(), Sender::new(id), text);
            message.route = ReplyRoute::new(name);
            inbox.deliver(message).await;
        }
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let line = format!("to {}: {}", route.as_str(), text.body);
        self.output.send(line).await.map_err(|_| SendError::Impossible { reason: "nobody reads".into() })
    }

    fn status(&self) -> ChannelStatus {
        ChannelStatus::Ready
    }
}

struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        Ok(vec![format!("you said: {}", turn.message().text)])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (output, mut sent) = mpsc::channel(16);
    let lines = Lines::new(BufReader::new(tokio::io::stdin()), output)?;
    let pipeline = Pipeline::new(DmGate::builder().build(), Arc::new(Echo), vec![lines]);
    let running = tokio::spawn(async move { pipeline.run(CancellationToken::new()).await });
    while let Some(line) = sent.recv().await {
        println!("{line}");
    }
    Ok(running.await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmgate::{AccountPolicy, DmPolicy, Limits};

    /// What goes out for one line that comes in, under a policy that lists `ann`.
    async fn answer(line: &'static str) -> String {
        let (output, mut sent) = mpsc::channel(16);
        let lines = Lines::new(line.as_bytes(), output).unwrap();
        let account = lines.meta().account.clone();
        let policy = AccountPolicy::new(account.channel(), DmPolicy::Pairing, ["ann"], Limits::default());
        let gate = DmGate::builder().account(account, policy.unwrap()).build();
        let pipeline = Pipeline::new(gate, Arc::new(Echo), vec![lines]);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (pipeline, shutdown) = (pipeline.clone(), shutdown.clone());
            async move { pipeline.run(shutdown).await }
        });
        let line = sent.recv().await.unwrap();
        shutdown.cancel();
        running.await.unwrap();
        line
    }

    #[tokio::test]
    async fn friends_are_answered_and_strangers_get_a_code() {
        assert_eq!(answer("ann: hello\n").await, "to ann: you said: hello");
        assert!(answer("bob: hello\n").await.contains("dmgate pairing approve lines"));
    }
}
