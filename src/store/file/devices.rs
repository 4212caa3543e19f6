//! The devices of a gateway, in `devices/pending.json`, `paired.json` and `bootstrap.json`.

mod files;

use std::sync::{Arc, Mutex, PoisonError};

use super::audit::{About, Line};
use super::folder::Folder;
use super::part::attempt;
use super::{FileOptions, audit};
use crate::clock::{Timestamp, World};
use crate::device::{
    Admission, Approved, Approver, Ask, Bootstrap, Cleared, Connected, Credential, Device, DeviceError,
    DeviceId, DeviceRequest, DeviceRequestId, Devices, Grant, Refused, Role, Scopes,
};
use crate::store::{Actor, StoreError};

pub use files::DeviceView;
use files::{Files, Needs};

/// The store of paired devices. A cheap handle; any number of processes may use one directory.
///
/// Each method is one transaction, as those of [`Store`](crate::store::Store) are.
#[derive(Clone)]
pub struct DeviceStore(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    last: Mutex<Option<(u64, Arc<DeviceView>)>>,
}

impl DeviceStore {
    /// Opens the devices of a state directory.
    ///
    /// # Errors
    /// [`StoreError::Fault`] if the directory is missing and not to be made, is another user's, or can be written by
    /// others.
    pub fn open(options: FileOptions, world: World) -> Result<Self, StoreError> {
        let folder = Folder::open(options, world, "devices")?;
        Ok(Self(Arc::new(Inner { folder, last: Mutex::default() })))
    }

    /// What the files say now, read again only when they changed. It reads files: not for a thread that must not wait.
    #[must_use]
    pub fn view(&self) -> Arc<DeviceView> {
        self.0.view()
    }

    /// A number that differs from an earlier answer if anything was changed in between; `None` if that can't be told.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.0.folder.freshness.revision()
    }

    /// Waits until the revision is another than `since`; may return early.
    pub async fn changed(&self, since: Option<u64>) {
        self.0.folder.freshness.changed(since).await;
    }

    /// A device connects: [`Devices::connect`].
    ///
    /// # Errors
    /// [`StoreError`]; nobody is let in then.
    pub async fn connect(&self, ask: Ask, credential: Credential) -> Result<Connected, StoreError> {
        let needs = match credential {
            Credential::Bootstrap(_) => Needs::PairedAndBootstrap,
            Credential::Secret | Credential::Token(_) => Needs::Paired,
        };
        self.blocking(move |store| {
            let world = &store.0.folder.world;
            // Most of the time nothing changes, and nothing is locked.
            let view = store.0.view();
            if needs.fault(&view).is_none() {
                let mut after = view.devices.clone();
                let connected = after.connect(&ask, &credential, world.clock.now(), &*world.entropy)?;
                if after == view.devices {
                    return Ok(connected);
                }
            }
            let mut came: Option<Admission> = None;
            store.0.transact(needs, |devices, now| {
                let connected = devices.connect(&ask, &credential, now, &*world.entropy)?;
                // Somebody came in between after it was let in and its code was dead.
                let earlier = came.take().filter(|came| devices.stands(&came.session));
                let connected = match (connected, earlier) {
                    (Connected::Refused(Refused::Bootstrap), Some(came)) => Connected::In(came),
                    (connected, _) => connected,
                };
                came = if let Connected::In(in_now) = &connected { Some(in_now.clone()) } else { None };
                Ok(connected)
            })
        })
        .await
    }

    /// The owner, or whom they let, approves a request: [`Devices::approve`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn approve(
        &self,
        id: DeviceRequestId,
        approver: Approver,
        actor: Actor,
    ) -> Result<Approved, DeviceError> {
        self.blocking(move |store| {
            let entropy = &*store.0.folder.world.entropy;
            let mut made: Option<Approved> = None;
            let done = store.0.transact(Needs::PairedAndPending, |devices, now| {
                let done = devices.approve(&id, &approver, now, entropy).or_else(|error| {
                    // Somebody came between the device that was let in and the request that was over.
                    let is_done = error == DeviceError::UnknownRequest;
                    made.clone().filter(|made| is_done && made.is_in(devices)).ok_or(error)
                });
                made = done.as_ref().ok().cloned().or(made.take());
                Ok(done)
            })??;
            let role = Some(done.request.role);
            store.note(&actor, "approve device", Some(&done.request.device_id), role, Some(&id));
            Ok(done)
        })
        .await
    }

    /// A request is rejected: [`Devices::reject`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn reject(
        &self,
        id: DeviceRequestId,
        approver: Approver,
        actor: Actor,
    ) -> Result<DeviceRequest, DeviceError> {
        self.blocking(move |store| {
            let mut rejected: Option<(DeviceRequest, Option<Device>)> = None;
            let done = store.0.transact(Needs::PairedAndPending, |devices, now| {
                let done = devices.reject(&id, &approver, now).or_else(|error| {
                    // Gone by our own hand, unless somebody let the device in.
                    let is_done = |(request, known): &(DeviceRequest, Option<Device>)| {
                        error == DeviceError::UnknownRequest
                            && devices.device(&request.device_id) == known.as_ref()
                    };
                    rejected.clone().filter(is_done).map(|(request, _)| request).ok_or(error)
                });
                if let Ok(request) = &done {
                    rejected = Some((request.clone(), devices.device(&request.device_id).cloned()));
                }
                Ok(done)
            })??;
            store.note(&actor, "reject device", Some(&done.device_id), Some(done.role), Some(&id));
            Ok(done)
        })
        .await
    }

    /// A device is removed: [`Devices::remove`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn remove(
        &self,
        id: DeviceId,
        approver: Approver,
        actor: Actor,
    ) -> Result<Device, DeviceError> {
        self.blocking(move |store| {
            let mut removed = None;
            let done = store.0.transact(Needs::Paired, |devices, _| {
                let done = devices.remove(&id, &approver).or_else(|error| {
                    let is_done = error == DeviceError::UnknownDevice;
                    removed.clone().filter(|_| is_done).ok_or(error)
                });
                removed = done.as_ref().ok().cloned().or(removed.take());
                Ok(done)
            })??;
            store.note(&actor, "remove device", Some(&id), None, None);
            Ok(done)
        })
        .await
    }

    /// All requests are rejected, and all devices removed unless `only_requests`: [`Devices::clear`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn clear(
        &self,
        only_requests: bool,
        approver: Approver,
        actor: Actor,
    ) -> Result<Cleared, DeviceError> {
        self.blocking(move |store| {
            let mut cleared = Cleared::default();
            let done = store.0.transact(Needs::PairedAndPending, |devices, now| {
                let done = devices.clear(only_requests, &approver, now);
                Ok(done.map(|done| {
                    cleared.join(done);
                    cleared.clone()
                }))
            })??;
            done.devices.iter().for_each(|id| store.note(&actor, "remove device", Some(id), None, None));
            done.requests.iter().for_each(|id| store.note(&actor, "reject device", None, None, Some(id)));
            Ok(done)
        })
        .await
    }

    /// A device gets another token: [`Devices::rotate`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn rotate(
        &self,
        id: DeviceId,
        role: Role,
        scopes: Option<Scopes>,
        approver: Approver,
        actor: Actor,
    ) -> Result<Grant, DeviceError> {
        self.blocking(move |store| {
            let entropy = &*store.0.folder.world.entropy;
            let done = store.0.transact(Needs::Paired, |devices, now| {
                Ok(devices.rotate(&id, role, scopes.as_ref(), &approver, now, entropy))
            })??;
            store.note(&actor, "rotate token", Some(&id), Some(role), None);
            Ok(done)
        })
        .await
    }

    /// A device loses a role: [`Devices::revoke`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn revoke(
        &self,
        id: DeviceId,
        role: Role,
        approver: Approver,
        actor: Actor,
    ) -> Result<Grant, DeviceError> {
        self.blocking(move |store| {
            let revoke = |devices: &mut Devices, now| Ok(devices.revoke(&id, role, &approver, now));
            let done = store.0.transact(Needs::Paired, revoke)??;
            store.note(&actor, "revoke token", Some(&id), Some(role), None);
            Ok(done)
        })
        .await
    }

    /// Makes a setup code's token: [`Devices::invite`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invite(&self, actor: Actor) -> Result<Bootstrap, StoreError> {
        self.blocking(move |store| {
            let entropy = &*store.0.folder.world.entropy;
            let invite = |devices: &mut Devices, now| Ok(devices.invite(now, entropy)?);
            let made = store.0.transact(Needs::Bootstrap, invite)?;
            store.note(&actor, "make setup code", None, None, None);
            Ok(made)
        })
        .await
    }

    /// Every setup code is dead: [`Devices::cancel_invitations`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel_invitations(&self, actor: Actor) -> Result<usize, StoreError> {
        self.blocking(move |store| {
            let cancel = |devices: &mut Devices, now| Ok(devices.cancel_invitations(now));
            let count = store.0.transact(Needs::Bootstrap, cancel)?;
            store.note(&actor, "cancel setup codes", None, None, None);
            Ok(count)
        })
        .await
    }

    fn note(
        &self,
        actor: &Actor,
        action: &str,
        device: Option<&DeviceId>,
        role: Option<Role>,
        request: Option<&DeviceRequestId>,
    ) {
        let device = device.map(ToString::to_string);
        let about = About::Device { device: device.as_deref(), role: role.map(Role::as_str) };
        let folder = &self.0.folder;
        let line =
            Line::new(folder.world.clock.now(), actor, action, about, request.map(DeviceRequestId::as_str));
        audit::note(&folder.options.state_dir, &line);
    }

    async fn blocking<T, E>(&self, work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        super::blocking(move || work(&store)).await
    }
}

impl Inner {
    fn view(&self) -> Arc<DeviceView> {
        // Taken before anything is read.
        let revision = self.folder.freshness.revision();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((of, view)), Some(now)) = (&*last, revision)
            && *of == now
        {
            return Arc::clone(view);
        }
        let view = Arc::new(match self.folder.dir() {
            Ok(dir) => Files::read(&dir).view(),
            Err(fault) => DeviceView::unreadable(&fault),
        });
        // What could not be read may be readable without an event.
        *last = revision.filter(|_| view.is_whole()).map(|revision| (revision, Arc::clone(&view)));
        view
    }

    /// One transaction: what `act` makes of the devices is durable when this returns.
    fn transact<T>(
        &self,
        needs: Needs,
        mut act: impl FnMut(&mut Devices, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        attempt(|| {
            let locked = self.folder.lock()?;
            let mut files = Files::read(locked.dir());
            let view = files.view();
            if let Some(fault) = needs.fault(&view) {
                return Err(fault.clone().into());
            }
            let mut after = view.devices.clone();
            let answer = act(&mut after, self.folder.world.clock.now())?;
            let wrote = files.write(&locked, &view.devices, &after)?;
            if !wrote {
                locked.make_sure()?;
            }
            Ok(answer)
        })
    }
}
