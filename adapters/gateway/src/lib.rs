//! What listens for dmgate: web hooks, the web chat, and the WebSocket of devices.
//!
//! | path | what |
//! |---|---|
//! | `POST`, `GET /webhooks/<channel>/<account>` | web hooks; the channel's adapter proves and answers them |
//! | `GET /chat` and below | the web chat: its page, and the page's interface (see `chat.rs`) |
//! | `GET /` | the WebSocket of devices (see `device.rs`); without an upgrade it leads to the web chat, where it is on |
//! | `GET /healthz` | `ok` while the gateway serves |
//!
//! Everything else is not found. Nothing here decides who is let in; what came in goes to the
//! [`Pipeline`](dmgate::Pipeline). An outsider sees a bare status; why, is in the log.

mod body;
mod chat;
mod device;
mod gateway;
mod limits;
mod quota;
mod server;
mod site;
mod webhook;

pub use device::{BadConnect, Connect, DeviceAccess, Network, NetworkError, NoRequest, Request, Secrets};
pub use gateway::Gateway;
pub use limits::Limits;
pub use site::{PublicUrl, PublicUrlError};
