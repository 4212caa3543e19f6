//! What listens for dmgate: web hooks and the web chat.
//!
//! | path | what |
//! |---|---|
//! | `POST`, `GET /webhooks/<channel>/<account>` | web hooks; the channel's adapter proves and answers them |
//! | `GET /chat` and below | the web chat: its page, and the page's interface (see `chat.rs`) |
//! | `GET /` | leads to the web chat, where it is on |
//! | `GET /healthz` | `ok` while the gateway serves |
//!
//! Everything else is not found. Nothing here decides who is let in; what came in goes to the
//! [`Pipeline`](dmgate::Pipeline). An outsider sees a bare status; why, is in the log.

mod body;
mod chat;
mod gateway;
mod limits;
mod quota;
mod server;
mod site;
mod webhook;

pub use gateway::Gateway;
pub use limits::Limits;
pub use site::{PublicUrl, PublicUrlError};
