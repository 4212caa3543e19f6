//! A gate for inbound direct messages.
