//! The gate inside a program of one's own: one call decides about one message.
#![allow(clippy::print_stdout, reason = "an example")]

use dmgate::{AccountKey, Decision, DmGate, InboundMessage, Sender, SenderId};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gate = DmGate::builder().build();
    let account = AccountKey::parse("telegram", "default")?;
    let sender = Sender::new(SenderId::parse(account.channel(), "123456789")?);
    let message = InboundMessage::direct(account, sender, "hello");
    match gate.admit(&message).await {
        Decision::Admit(permit) => println!("run the agent for {}", permit.sender()),
        Decision::Challenge(challenge) => println!("send this, and nothing else:\n\n{}", challenge.reply),
        Decision::Ignore(refusal) => println!("do nothing ({})", refusal.reason),
        Decision::Unavailable(fault) => println!("do nothing, and tell the operator: {fault}"),
    }
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
