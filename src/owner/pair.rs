//! `/pair`, carried out.

use std::sync::Arc;

use super::command::{Command, Notify, Which, find};
use super::notice::Mode;
use super::{Desk, Present, say};
use crate::agent::Turn;
use crate::channel::OutboundPicture;
use crate::device::{Approver, DeviceError, DeviceRequest, DeviceView, GatewayUrl, SetupCode};
use crate::qr::Qr;
use crate::store::StoreError;

/// Where a setup code is best copied as a message of its own.
const IN_TWO: &str = "telegram";

/// What a request is to become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Approve,
    Reject,
}

impl Desk {
    pub(super) async fn carry_out(&self, turn: &Turn, present: &Present, command: Command) -> Vec<String> {
        match command {
            Command::Code => self.code(turn, present).await,
            Command::Qr => self.picture(turn, present).await,
            Command::Pending => vec![self.pending(present).await],
            Command::Approve(which) => vec![self.decide(present, which, Word::Approve).await],
            Command::Reject(which) => vec![self.decide(present, which, Word::Reject).await],
            Command::Cleanup => vec![self.clean_up(present).await],
            Command::Notify(notify) => vec![self.notify(turn, present, notify).await],
            Command::Help => vec![say::HELP.to_owned()],
        }
    }

    async fn code(&self, turn: &Turn, present: &Present) -> Vec<String> {
        match self.setup_code(turn, present).await {
            Ok((url, code)) => in_form(turn, url, &code.encode()),
            Err(why) => vec![why],
        }
    }

    async fn picture(&self, turn: &Turn, present: &Present) -> Vec<String> {
        let (url, code) = match self.setup_code(turn, present).await {
            Ok(made) => made,
            Err(why) => return vec![why],
        };
        let code = code.encode();
        let Some(qr) = Qr::of(&code) else { return in_form(turn, url, &code) };
        let idempotency_key = format!("qr-{:x}", self.0.gate.clock().now().as_millis());
        let picture = OutboundPicture { png: qr.png().into(), caption: say::caption(url), idempotency_key };
        match turn.send_picture(&picture).await {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::info!(account = %turn.message().account, "a picture is sent as text: {error}");
                in_form(turn, url, &code)
            }
        }
    }

    /// A new setup code, and where it leads; or why there is none. Who asks for one is told of the request that follows.
    async fn setup_code(&self, turn: &Turn, present: &Present) -> Result<(&GatewayUrl, SetupCode), String> {
        let url = self.0.url.as_ref().map_err(|why| format!("There is no setup code: {why}"))?;
        let made = self.0.devices.invite(present.actor()).await.map_err(|error| in_trouble(&error))?;
        let code = SetupCode::new(url, made.token.clone(), made.expires_at());
        if let Err(error) = self.subscribe(turn, present, Mode::Once).await {
            tracing::warn!("nobody is told of the request that follows a setup code: {error}");
        }
        Ok((url, code))
    }

    async fn pending(&self, present: &Present) -> String {
        let Some(view) = self.view().await else { return say::TROUBLE.to_owned() };
        let waiting = self.waiting(&view);
        if waiting.is_empty() {
            return say::NOBODY.to_owned();
        }
        let (text, listed) = say::list(&waiting, &view.devices);
        self.has_shown(&present.owner, listed.into_iter().map(|request| &request.id));
        format!("{text}\n\n/pair approve or /pair reject, with the id or its beginning if there are several.")
    }

    /// Approves or rejects a request. Without its id only one that the owner saw is approved: what they did not see may
    /// be another device's, or ask for more than they think.
    async fn decide(&self, present: &Present, which: Which, word: Word) -> String {
        let Some(view) = self.view().await else { return say::TROUBLE.to_owned() };
        let waiting = self.waiting(&view);
        let request = match (&which, &waiting[..]) {
            (_, []) => return say::NOBODY.to_owned(),
            (Which::Of(typed), _) => match find(&waiting, typed) {
                Some(request) => request,
                None => return say::UNKNOWN.to_owned(),
            },
            (Which::Only, [only]) | (Which::Latest, [.., only]) => only,
            (Which::Only, _) => {
                let list = self.pending(present).await;
                return format!("Several wait; say which one.\n\n{list}");
            }
        };
        let ids: Vec<_> = waiting.iter().map(|request| &request.id).collect();
        let is_named = matches!(which, Which::Of(_));
        if word == Word::Approve && !is_named && !self.was_shown(&present.owner, &request.id, &ids) {
            self.has_shown(&present.owner, [&request.id]);
            let entry = say::entry(request, &view.devices);
            return format!("Look first, and say it again if that is the device you mean:\n\n{entry}");
        }
        self.carry_through(present, request, word).await
    }

    async fn carry_through(&self, present: &Present, request: &DeviceRequest, word: Word) -> String {
        let (id, actor) = (request.id.clone(), present.actor());
        let devices = &self.0.devices;
        let done = match word {
            Word::Approve => devices.approve(id, Approver::Owner, actor).await.map(|done| done.request),
            Word::Reject => devices.reject(id, Approver::Owner, actor).await,
        };
        match (done, word) {
            (Ok(done), Word::Approve) => {
                let who = say::who(&done.description);
                format!("✅ {who} is in as {}. It gets its token when it connects again.", done.role)
            }
            (Ok(done), Word::Reject) => {
                format!("Rejected: {}. A setup code that led to this is dead.", say::who(&done.description))
            }
            (Err(DeviceError::Store(error)), _) => in_trouble(&error),
            (Err(_), _) => say::UNKNOWN.to_owned(),
        }
    }

    async fn clean_up(&self, present: &Present) -> String {
        match self.0.devices.cancel_invitations(present.actor()).await {
            Ok(0) => "No setup code was left that worked.".to_owned(),
            Ok(1) => "One setup code works no more.".to_owned(),
            Ok(count) => format!("{count} setup codes work no more."),
            Err(error) => in_trouble(&error),
        }
    }

    async fn notify(&self, turn: &Turn, present: &Present, notify: Notify) -> String {
        let changed = match notify {
            Notify::On => self.subscribe(turn, present, Mode::Persistent).await,
            Notify::Once => self.subscribe_once(turn, present).await,
            Notify::Off => self.unsubscribe(present).await,
            Notify::Status => self.subscription(present).await,
        };
        match changed {
            Ok(Some(Mode::Persistent)) => "You are told of every new request, here.".to_owned(),
            Ok(Some(Mode::Once)) => {
                "You are told of the next new request, here, and then no more.".to_owned()
            }
            Ok(None) => "You are told of no requests.".to_owned(),
            Err(error) => {
                tracing::error!("who is told of requests can't be noted: {error}");
                "That can't be noted now; the log says why.".to_owned()
            }
        }
    }

    /// What the files say; `None` if they can't be read.
    pub(super) async fn view(&self) -> Option<Arc<DeviceView>> {
        let devices = self.0.devices.clone();
        let view = tokio::task::spawn_blocking(move || devices.view()).await.ok()?;
        let fault = view.pending_fault.as_ref().or(view.paired_fault.as_ref());
        match fault {
            None => Some(view),
            Some(fault) => {
                tracing::error!("the requests of devices can't be shown: {fault}");
                None
            }
        }
    }

    pub(super) fn waiting<'a>(&self, view: &'a DeviceView) -> Vec<&'a DeviceRequest> {
        view.devices.waiting(self.0.gate.clock().now())
    }
}

/// A setup code in the form that suits the channel: on a phone a message is copied as a whole.
fn in_form(turn: &Turn, url: &GatewayUrl, code: &str) -> Vec<String> {
    let meta = turn.channel();
    let whole = format!("{}\n\n{code}", say::code(url, "what stands last here"));
    let is_too_long = whole.encode_utf16().count() > meta.text_limit;
    if meta.account.channel().as_str() == IN_TWO || is_too_long {
        return vec![say::code(url, "what the next message says"), code.to_owned()];
    }
    vec![whole]
}

fn in_trouble(error: &StoreError) -> String {
    tracing::error!("a command of the owner was not carried out: {error}");
    say::TROUBLE.to_owned()
}
