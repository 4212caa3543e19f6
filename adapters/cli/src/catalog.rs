//! The channels that this program can connect, and what each needs.

use dmgate_channels::options::{Need, OptionSpec};
use dmgate_channels::{Channel, Direction, Feature, Transport};

/// A channel that can be connected.
pub(crate) struct ChannelSpec {
    /// Its name.
    pub(crate) name: &'static str,
    /// How events can come; none for the web chat, which our own gateway serves.
    transports: &'static [Transport],
    features: &'static [Feature],
    /// What its configuration may hold.
    pub(crate) options: &'static [OptionSpec],
    needs_public_url: bool,
}

/// The web chat's name.
pub(crate) const WEBCHAT: &str = "webchat";

/// All of them, by name.
pub(crate) fn all() -> impl Iterator<Item = ChannelSpec> {
    let connected = Channel::all().iter().map(|channel| ChannelSpec {
        name: channel.name,
        transports: channel.transports,
        features: channel.features,
        options: channel.options,
        needs_public_url: channel.needs_public_url(),
    });
    let web_chat = ChannelSpec {
        name: WEBCHAT,
        transports: &[],
        features: &[Feature::Typing],
        options: &[],
        needs_public_url: false,
    };
    connected.chain([web_chat])
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
            Transport::Child => "program",
        });
        names.collect::<Vec<_>>().join(" or ")
    }

    /// Who calls whom, for people: what calls us needs a way in.
    pub(crate) fn direction(&self) -> &'static str {
        let is_there = |wanted| self.transports.iter().any(|transport| transport.direction() == wanted);
        match (is_there(Direction::Out), is_there(Direction::In)) {
            (true, true) => "out or in",
            (true, false) => "out",
            (false, _) => "in",
        }
    }

    /// What it can't do without, as long as no other way is chosen.
    pub(crate) fn needs(&self) -> Vec<&'static str> {
        let options = self.options.iter().filter(|option| option.need != Need::Never);
        options
            .map(|option| option.name)
            .chain(self.needs_public_url.then_some("gateway.public_url"))
            .collect()
    }

    /// What it can do beside texts, in words.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let word = |feature: &Feature| match feature {
            Feature::Attachments => "attachments",
            Feature::Typing => "typing",
            Feature::Login => "login",
            Feature::Resume => "resume",
        };
        self.features.iter().map(word).collect()
    }
}
