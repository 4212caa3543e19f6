//! The channels that this program can connect, and what each needs.

use dmgate_channels::options::OptionSpec;
use dmgate_channels::{Channel, Transport};

/// A channel that can be connected.
pub(crate) struct ChannelSpec {
    /// Its name.
    pub(crate) name: &'static str,
    /// How events can come; none for the web chat, which our own gateway serves.
    transports: &'static [Transport],
    /// What its configuration may hold.
    pub(crate) options: &'static [OptionSpec],
}

/// The web chat's name.
pub(crate) const WEBCHAT: &str = "webchat";

/// All of them, by name.
pub(crate) fn all() -> impl Iterator<Item = ChannelSpec> {
    let connected = Channel::all().iter().map(|channel| ChannelSpec {
        name: channel.name,
        transports: channel.transports,
        options: channel.options,
    });
    connected.chain([ChannelSpec { name: WEBCHAT, transports: &[], options: &[] }])
}

/// The channel of this name.
pub(crate) fn find(name: &str) -> Option<ChannelSpec> {
    all().find(|spec| spec.name == name)
}

impl ChannelSpec {
    /// Whether the platform may call us.
    pub(crate) fn takes_web_hooks(&self) -> bool {
        self.transports.contains(&Transport::Webhook)
    }

    /// How events can come, for people.
    pub(crate) fn transport(&self) -> String {
        if self.transports.is_empty() {
            return "our own page, /chat".to_owned();
        }
        let names = self.transports.iter().map(|transport| match transport {
            Transport::Poll => "long poll",
            Transport::Webhook => "web hook",
            Transport::Socket => "connection",
        });
        names.collect::<Vec<_>>().join(" or ")
    }
}
