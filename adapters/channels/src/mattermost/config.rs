//! What the Mattermost adapter is told.

use std::path::PathBuf;

use super::api::MattermostApi;
use crate::dial::Proxy;
use crate::options::{ConfigError, OptionKind, OptionSpec, Options};
use crate::secret::Secret;
use crate::socket::SocketAddress;

/// What the Mattermost adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the server is: an `http` or `https` URL, with its path if it has one.
    pub base_url: String,
    /// The bot's access token.
    pub token: Secret,
    /// A PEM file with certificates to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// The URL of a proxy for everything that goes there.
    pub proxy: Option<Secret>,
}

/// The configuration, checked.
pub(super) struct Settings {
    pub(super) api: MattermostApi,
    pub(super) socket: SocketAddress,
    pub(super) proxy: Option<Proxy>,
}

/// The options of [`Config`], in the order in which people should meet them.
pub const OPTIONS: &[OptionSpec] = &[
    BASE_URL,
    TOKEN,
    OptionSpec::optional(
        "ca_file",
        OptionKind::String,
        "A PEM file with certificates to trust besides the machine's, for servers with an authority of their own.",
    ),
    OptionSpec::optional(
        "proxy",
        OptionKind::Secret,
        "A proxy for everything that goes there, as `http://proxy.example.org:3128`; it may hold a password.",
    ),
];

const BASE_URL: OptionSpec = OptionSpec::required(
    "base_url",
    OptionKind::String,
    "Where the server is, with its path if it has one: `https://chat.example.org`.",
);

const TOKEN: OptionSpec = OptionSpec::required(
    "token",
    OptionKind::Secret,
    "The bot's access token, as \"Integrations\", \"Bot Accounts\" shows it once.",
);

impl Config {
    /// A server whose certificate the machine trusts.
    #[must_use]
    pub fn new(base_url: String, token: Secret) -> Self {
        Self { base_url, token, ca_file: None, proxy: None }
    }

    /// What is given; the rest as in [`Config::new`].
    ///
    /// # Errors
    /// [`ConfigError`] names the option that is unknown, missing or of the wrong kind.
    pub fn from_options(options: &Options) -> Result<Self, ConfigError> {
        options.check(OPTIONS)?;
        let base_url = options.text("base_url")?.ok_or_else(|| BASE_URL.missing())?;
        let token = options.secret("token")?.ok_or_else(|| TOKEN.missing())?;
        Ok(Self {
            ca_file: options.text("ca_file")?.map(PathBuf::from),
            proxy: options.secret("proxy")?,
            ..Self::new(base_url, token)
        })
    }
}

impl Settings {
    pub(super) fn check(config: Config) -> Result<Self, ConfigError> {
        let invalid = |name| move |reason| ConfigError::Invalid { name, reason };
        if config.token.reveal().is_empty()
            || !config.token.reveal().bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(invalid("token")("an access token is one word".to_owned()));
        }
        let base = config.base_url.trim().trim_end_matches('/');
        let (ca_file, proxy) = (config.ca_file.as_deref(), config.proxy.as_ref());
        if ca_file.is_some() && !base.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
            let reason = "it is of no use without `https`; leave it out".to_owned();
            return Err(invalid("ca_file")(reason));
        }
        let api = MattermostApi::new(base, config.token, proxy).map_err(invalid("base_url"))?;
        let api = api.trusting(ca_file, proxy).map_err(invalid("ca_file"))?;
        // `http://…` becomes `ws://…`, and `https://…` `wss://…`.
        let rest = base.get(4..).unwrap_or_default();
        let socket = SocketAddress::trusting(&format!("ws{rest}/api/v4/websocket"), ca_file);
        let socket = socket.map_err(invalid("base_url"))?;
        let proxy = proxy.map(Proxy::parse).transpose().map_err(invalid("proxy"))?;
        Ok(Self { api, socket, proxy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::check_table;

    fn config() -> Config {
        Config::new("https://chat.example.org/mattermost/".to_owned(), Secret::new("t0ken"))
    }

    #[test]
    fn the_table_says_what_is_read() {
        let needed = Options::new().with("base_url", "https://chat.example.org").with("token", "x");
        check_table(OPTIONS, &needed, Config::from_options);
    }

    #[test]
    fn what_cannot_be_a_server_is_refused() {
        let refusal = |change: &dyn Fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            Settings::check(config).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refusal(&|_| ()), "");
        for base in ["", "chat.example.org", "ftp://chat.example.org", "https://x/?a", "https://", "wss://x"]
        {
            assert!(refusal(&|config| config.base_url = base.to_owned()).starts_with("`base_url`"), "{base}");
        }
        for token in ["", "a b", "a\nb"] {
            assert!(refusal(&|config| config.token = Secret::new(token)).starts_with("`token`"), "{token}");
        }
        assert!(refusal(&|config| config.ca_file = Some("/no/such/file".into())).starts_with("`ca_file`"));
        let plain = |config: &mut Config| {
            config.base_url = "http://127.0.0.1:8065".to_owned();
            config.ca_file = Some("/no/such/file".into());
        };
        assert!(refusal(&plain).contains("of no use"));
        let proxy = |config: &mut Config| config.proxy = Some(Secret::new("https://me:s3cret@proxy"));
        assert!(refusal(&proxy).starts_with("`proxy`") && !refusal(&proxy).contains("s3cret"));
    }
}
