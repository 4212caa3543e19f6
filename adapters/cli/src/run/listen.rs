//! The address that we listen on, where something needs one.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::catalog;
use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;

/// Listens; `None` where no page, no web hook and no device needs it.
pub(super) async fn listen(config: &Config, context: &Context) -> Result<Option<TcpListener>, Failure> {
    let hooked = config.connected().any(|account| {
        catalog::find(account.key.channel().as_str()).is_some_and(|spec| spec.takes_web_hooks())
    });
    let wanted = config.gateway.is_chosen
        || config.web_chat().is_some()
        || config.gateway.secrets().next().is_some()
        || (hooked && config.gateway.public_url.is_some());
    if !wanted {
        return Ok(None);
    }
    let address = config.gateway.listen;
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|error| refusal(address, &error, context))
}

fn refusal(address: SocketAddr, error: &std::io::Error, context: &Context) -> Failure {
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8790));
    let file = context.sources.path.display();
    Failure::refused(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is in use by another program; choose another address: DMGATE_GATEWAY__LISTEN={other}, \
             or gateway.listen in {file}"
        ),
        _ => format!("{address} can't be listened on ({error}); set gateway.listen in {file}"),
    })
}
