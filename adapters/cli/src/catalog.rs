//! The channels that this program can connect, and what each needs.

/// A channel that can be connected.
pub(crate) struct ChannelSpec {
    /// Its name.
    pub(crate) name: &'static str,
    /// How events can come; none for the web chat, which our own gateway serves.
    transports: &'static [&'static str],
    /// What its configuration may hold.
    pub(crate) options: &'static [OptionSpec],
}

/// One key of a channel's configuration.
pub(crate) struct OptionSpec {
    /// The key.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: OptionKind,
    /// Whether the channel can't do without.
    pub(crate) required: bool,
}

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OptionKind {
    String,
    Secret,
    Integer,
    Bool,
    List,
    OneOf(&'static [&'static str]),
}

/// The web chat's name.
pub(crate) const WEBCHAT: &str = "webchat";

const fn option(name: &'static str, kind: OptionKind, required: bool) -> OptionSpec {
    OptionSpec { name, kind, required }
}

static CATALOG: &[(&str, &[&str], &[OptionSpec])] = &[
    (
        "irc",
        &["connection"],
        &[
            option("server", OptionKind::String, true),
            option("port", OptionKind::Integer, false),
            option("tls", OptionKind::Bool, false),
            option("identity", OptionKind::OneOf(&["account", "hostmask"]), false),
            option("channels", OptionKind::List, false),
        ],
    ),
    (
        "telegram",
        &["long poll"],
        &[option("token", OptionKind::Secret, true), option("base_url", OptionKind::String, false)],
    ),
];

/// All of them, by name.
pub(crate) fn all() -> impl Iterator<Item = ChannelSpec> {
    let connected =
        CATALOG.iter().map(|(name, transports, options)| ChannelSpec { name, transports, options });
    connected.chain([ChannelSpec { name: WEBCHAT, transports: &[], options: &[] }])
}

/// The channel of this name.
pub(crate) fn find(name: &str) -> Option<ChannelSpec> {
    all().find(|spec| spec.name == name)
}

impl ChannelSpec {
    /// Whether the platform may call us.
    pub(crate) fn takes_web_hooks(&self) -> bool {
        self.transports.contains(&"web hook")
    }

    /// How events can come, for people.
    pub(crate) fn transport(&self) -> String {
        if self.transports.is_empty() {
            return "our own page, /chat".to_owned();
        }
        self.transports.join(" or ")
    }
}
