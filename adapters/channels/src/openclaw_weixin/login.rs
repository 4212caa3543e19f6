//! Logging in: a code that the owner scans with WeChat, and what becomes of it.

use std::time::Duration;

use dmgate::{AccountKey, SenderId};
use form_urlencoded::byte_serialize;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::Link;
use super::session::{Credentials, Session};
use super::{Config, HOSTS};
use crate::adapter::Setup;
use crate::api::{ApiError, Trouble};
use crate::hosts::Hosts;
use crate::login::{Code, LoggedIn, Login, LoginError, Screen};

/// The kind of bot that a login makes.
const BOT_TYPE: &str = "3";

/// How many codes are shown, one after another.
const CODES: usize = 3;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(480);

/// How long the server may hold the question how it stands.
const HOLD: Duration = Duration::from_secs(35);

/// The wait between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// How many tokens we show, so that the server knows the bots that we have.
const TOKENS: usize = 10;

/// What the server says of a code.
#[derive(Deserialize)]
struct Standing {
    status: String,
    bot_token: Option<String>,
    ilink_bot_id: Option<String>,
    baseurl: Option<String>,
    ilink_user_id: Option<String>,
    redirect_host: Option<String>,
}

/// What to do next.
enum Next {
    Wait,
    /// At once, with this number from the telephone.
    Verify(String),
    AnotherCode(&'static str),
    At(Link),
    Done(Box<Standing>),
    Bound,
}

/// A login at work.
struct Process<'a> {
    setup: Setup,
    config: Config,
    screen: &'a mut dyn Screen,
    /// What the last login left.
    own: Option<Credentials>,
    /// The tokens of all accounts.
    tokens: Vec<String>,
    /// What was said of the code that is shown.
    is_scanned: bool,
    pause: Duration,
}

/// Shows codes until one is scanned, and keeps what comes of it.
pub(super) async fn log_in(login: Login<'_>) -> Result<LoggedIn, LoginError> {
    log_in_with(login, PAUSE).await
}

/// The same with another pause.
pub(super) async fn log_in_with(login: Login<'_>, pause: Duration) -> Result<LoggedIn, LoginError> {
    let config = Config::from_options(login.options)?;
    if config.token.is_some() {
        let reason = "`token` stands in the configuration and goes before a login; leave it out first";
        return Err(LoginError::Failed(reason.to_owned()));
    }
    // What is damaged is replaced.
    let own = Credentials::load(&login.setup.login).await.unwrap_or_default();
    let mut tokens: Vec<String> = own.iter().map(|own| own.token.clone()).collect();
    for other in login.others.iter().take(TOKENS.saturating_sub(tokens.len())) {
        tokens.extend(Credentials::load(other).await.ok().flatten().map(|other| other.token));
    }
    let Login { setup, screen, .. } = login;
    let mut process = Process { setup, config, screen, own, tokens, is_scanned: false, pause };
    process.run().await
}

impl Process<'_> {
    async fn run(&mut self) -> Result<LoggedIn, LoginError> {
        let end = Instant::now() + PATIENCE;
        let (mut shown, mut code) = (1, self.code().await?);
        let (mut link, mut number) = (self.anonymous()?, None);
        while Instant::now() < end {
            let next = match standing(&link, &code, number.as_deref()).await {
                Ok(standing) => self.next(standing, number.is_some()).await?,
                // A poll that was held for too long, or a gateway that is busy.
                Err(error) if is_passing(&error) => Next::Wait,
                Err(error) => return Err(failed(error)),
            };
            match next {
                Next::Wait => {}
                Next::Verify(typed) => {
                    number = Some(typed);
                    continue;
                }
                Next::AnotherCode(_) if shown == CODES => {
                    return Err(failed(
                        "no code was scanned in time; log in again when the telephone is at hand",
                    ));
                }
                Next::AnotherCode(why) => {
                    self.screen.say(why).await;
                    (shown, code) = (shown + 1, self.code().await?);
                    (link, number, self.is_scanned) = (self.anonymous()?, None, false);
                }
                Next::At(other) => link = other,
                Next::Done(standing) => return self.keep(*standing).await,
                Next::Bound => return self.bound(),
            }
            sleep(self.pause).await;
        }
        Err(failed("nobody scanned the code in time"))
    }

    /// Asks for a code and shows it; what to ask after.
    async fn code(&mut self) -> Result<String, LoginError> {
        let path = format!("ilink/bot/get_bot_qrcode?bot_type={BOT_TYPE}");
        let asked = json!({ "local_token_list": self.tokens });
        let answer = self.anonymous()?.post(&path, &asked, Duration::ZERO).await.map_err(failed)?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(code), Some(shown)) = (text("qrcode"), text("qrcode_img_content")) else {
            return Err(failed("WeChat gives no code"));
        };
        self.screen.say("Scan this code with WeChat on your telephone:").await;
        self.screen.show(Code::Text(shown)).await;
        Ok(code.to_owned())
    }

    async fn next(&mut self, standing: Standing, was_asked: bool) -> Result<Next, LoginError> {
        Ok(match standing.status.as_str() {
            "scaned" => {
                if !std::mem::replace(&mut self.is_scanned, true) {
                    self.screen.say("Scanned; confirm it on the telephone.").await;
                }
                Next::Wait
            }
            "need_verifycode" => {
                let question = match was_asked {
                    false => "Type the number that WeChat shows:",
                    true => "That is not the number. Type the one that WeChat shows:",
                };
                let typed = self.screen.ask(question).await.ok_or_else(|| failed("no number was typed"))?;
                Next::Verify(typed)
            }
            "verify_code_blocked" => Next::AnotherCode("Too many wrong numbers; here is another code."),
            "expired" => Next::AnotherCode("The code has expired; here is another one."),
            "scaned_but_redirect" => match standing.redirect_host.filter(|host| !host.is_empty()) {
                Some(host) => Next::At(self.redirected(&host)?),
                None => Next::Wait,
            },
            "binded_redirect" => Next::Bound,
            "confirmed" => Next::Done(Box::new(standing)),
            // "wait", and what is not known yet.
            _ => Next::Wait,
        })
    }

    fn anonymous(&self) -> Result<Link, LoginError> {
        Session::anonymous(&self.setup, &self.config).map_err(failed)
    }

    /// The server that we are sent to; only to Tencent's.
    fn redirected(&self, host: &str) -> Result<Link, LoginError> {
        let scheme =
            Url::parse(&self.config.api_base).map_or("https".to_owned(), |url| url.scheme().to_owned());
        let base = self.allowed(&format!("{scheme}://{host}"))?;
        Link::new(&base, None, &self.config, self.setup.world.clone()).map_err(failed)
    }

    fn allowed(&self, base: &str) -> Result<String, LoginError> {
        match Hosts::new(HOSTS, [self.config.api_base.as_str()]).allow(base) {
            Some(_) => Ok(base.to_owned()),
            None => Err(failed("WeChat's answer names a server that is not Tencent's")),
        }
    }

    /// Keeps a login for `run`.
    async fn keep(&mut self, standing: Standing) -> Result<LoggedIn, LoginError> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (Some(token), Some(bot)) = (given(standing.bot_token), given(standing.ilink_bot_id)) else {
            return Err(failed("WeChat says that it is done, and gives no token"));
        };
        let base = given(standing.baseurl).map(|base| self.allowed(base.trim())).transpose()?;
        let person = given(standing.ilink_user_id);
        let login = Credentials { token, bot, base, person };
        let document = serde_json::to_string(&login).map_err(failed)?;
        self.setup.login.save(&document).await.map_err(failed)?;
        let told =
            format!("Logged in as {}. `dmgate run` takes it up by itself.", dmgate::escape(&login.bot));
        Ok(LoggedIn { told, scanned_by: scanned_by(&self.setup.account, &login) })
    }

    /// The bot of whoever scanned is one of those whose tokens we showed.
    fn bound(&self) -> Result<LoggedIn, LoginError> {
        let Some(own) = &self.own else {
            return Err(failed("the bot of this WeChat is logged in already, on another account here"));
        };
        let told = "This WeChat is logged in already; nothing has changed.".to_owned();
        Ok(LoggedIn { told, scanned_by: scanned_by(&self.setup.account, own) })
    }
}

async fn standing(link: &Link, code: &str, number: Option<&str>) -> Result<Standing, ApiError> {
    let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let number = number.map(|number| format!("&verify_code={}", escaped(number))).unwrap_or_default();
    let path = format!("ilink/bot/get_qrcode_status?qrcode={}{number}", escaped(code));
    let answer = link.get(&path, HOLD).await?;
    Standing::deserialize(&answer).map_err(|_| link.lost("the answer does not say how it stands"))
}

/// Whether the next try may fare better.
fn is_passing(error: &ApiError) -> bool {
    match &error.trouble {
        Trouble::Lost(_) | Trouble::NotSent(_) => true,
        Trouble::Refused { status, .. } => *status == 429 || *status >= 500,
    }
}

/// Who scanned, if it is somebody who can write to the bot.
fn scanned_by(account: &AccountKey, login: &Credentials) -> Option<SenderId> {
    let person = login.person.as_deref().filter(|person| super::update::is_person(person))?;
    SenderId::parse(account.channel(), person).ok()
}

#[allow(clippy::needless_pass_by_value, reason = "it ends an error")]
fn failed(reason: impl ToString) -> LoginError {
    LoginError::Failed(reason.to_string())
}
