//! The gateway as a whole: what it is made of, and which path leads where.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::get;
use dmgate::Pipeline;
use dmgate_channels::webchat::WebChat;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::body::Bodies;
use crate::device::{self, DeviceAccess};
use crate::limits::Limits;
use crate::quota::{AddressQuota, Quota};
use crate::site::{PublicUrl, Sites};
use crate::{chat, server, webhook};

/// Everything that listens.
pub struct Gateway {
    pipeline: Pipeline,
    webchat: Option<Arc<WebChat>>,
    devices: Option<DeviceAccess>,
    public_url: Option<PublicUrl>,
    limits: Limits,
}

impl Gateway {
    /// A gateway that hands web hooks to this pipeline.
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        Self { pipeline, webchat: None, devices: None, public_url: None, limits: Limits::default() }
    }

    /// Serves the page of this web chat, which is one of the pipeline's channels too.
    #[must_use]
    pub fn webchat(mut self, webchat: Arc<WebChat>) -> Self {
        self.webchat = Some(webchat);
        self
    }

    /// Lets devices connect.
    #[must_use]
    pub fn devices(mut self, access: DeviceAccess) -> Self {
        self.devices = Some(access);
        self
    }

    /// Where people reach the gateway, if it is not by loopback. The web chat answers there and on loopback only.
    #[must_use]
    pub fn public_url(mut self, url: PublicUrl) -> Self {
        self.public_url = Some(url);
        self
    }

    /// Other bounds than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves until `shutdown` is cancelled; then takes nothing new, closes open web-chat pages and devices' sockets, and returns when the
    /// requests under way are answered, or at the latest after [`Limits::end_within`].
    ///
    /// Cancel it after the pipeline has ended, so that the last answers reach their pages; the pipeline's channels take
    /// nothing any more by then.
    ///
    /// # Errors
    /// If the listener has no address.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let address = listener.local_addr()?;
        let limits = self.limits.clone();
        let gate = self.gate(address.port(), &shutdown);
        let routes = self.routes(address.port(), gate.clone(), &shutdown);
        tracing::info!(%address, "listening");
        let keeping = async {
            if let Some(gate) = gate {
                device::keep(gate, shutdown.clone()).await;
            }
        };
        tokio::join!(server::serve(listener, routes, &limits, shutdown.clone()), keeping);
        Ok(())
    }

    /// What lets devices in, if something does.
    fn gate(&self, port: u16, shutdown: &CancellationToken) -> Option<Arc<device::Gate>> {
        let sites = Sites::new(port, self.public_url.as_ref());
        let is_proxied = self.public_url.is_some();
        let access = self.devices.clone()?;
        Some(device::Gate::new(access, sites, is_proxied, shutdown.clone()))
    }

    /// Which path leads where.
    fn routes(self, port: u16, gate: Option<Arc<device::Gate>>, shutdown: &CancellationToken) -> Router {
        let limits = self.limits;
        let bodies = Bodies::new(&limits);
        let webhooks = webhook::Webhooks {
            pipeline: self.pipeline.clone(),
            deliveries: AddressQuota::new(limits.deliveries, limits.deliveries.div_ceil(4), true),
            accounts: Quota::new(limits.deliveries, limits.per_account()),
            bodies: Arc::clone(&bodies),
            largest: limits.webhook_bytes,
        };
        let mut routes =
            Router::new().route("/healthz", get(|| async { "ok" })).merge(webhook::routes(webhooks));
        let has_chat = self.webchat.is_some();
        if let Some(webchat) = self.webchat {
            let is_proxied = self.public_url.is_some();
            let chat = chat::Chat {
                sites: Sites::new(port, self.public_url.as_ref()),
                is_proxied,
                pages: AddressQuota::new(limits.pages, limits.pages_per_address, is_proxied),
                deliveries: AddressQuota::new(limits.deliveries, limits.deliveries_per_address, is_proxied),
                inbox: self.pipeline.inbox(),
                webchat,
                bodies,
                closing: shutdown.clone(),
            };
            routes = routes.merge(chat::routes(Arc::new(chat)));
        }
        let root = move |request: Request| async move {
            match gate {
                Some(gate) if device::is_upgrade(request.headers()) => device::open(&gate, request),
                _ if has_chat => (StatusCode::FOUND, [(header::LOCATION, "/chat")]).into_response(),
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        };
        routes.route("/", get(root))
    }
}
