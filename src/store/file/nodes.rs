//! The records of nodes, in `nodes/pending.json` and `paired.json`.

use std::sync::Arc;

use super::audit::{About, Line};
use super::document::Record;
use super::folder::{File, Folder, read, values};
use super::part::attempt;
use super::{FileOptions, audit};
use crate::clock::{Entropy, Timestamp, World};
use crate::device::{DeviceError, DeviceRequestId, NodeAsk, NodeRequest, Nodes, PairedNode};
use crate::store::{Actor, StoreError};

/// The store of node records. A cheap handle; any number of processes may use one directory.
#[derive(Clone)]
pub struct NodeStore(Arc<Folder>);

impl NodeStore {
    /// Opens the node records of a state directory.
    ///
    /// # Errors
    /// [`StoreError::Fault`] if the directory is missing and not to be made, is another user's, or can be written by
    /// others.
    pub fn open(options: FileOptions, world: World) -> Result<Self, StoreError> {
        Folder::open(options, world, "nodes").map(Self)
    }

    /// What the files say.
    ///
    /// # Errors
    /// [`StoreError`] if one of them can't be read.
    pub async fn load(&self) -> Result<Nodes, StoreError> {
        self.blocking(|store| {
            let dir = store.0.dir()?;
            let (pending, paired) = (read(&dir, PENDING), read(&dir, PAIRED));
            let mut nodes = nodes(&pending, &paired)?;
            nodes.upkeep(store.0.world.clock.now());
            Ok(nodes)
        })
        .await
    }

    /// A number that differs from an earlier answer if anything was changed in between; `None` if that can't be told.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.0.freshness.revision()
    }

    /// Waits until the revision is another than `since`; may return early.
    pub async fn changed(&self, since: Option<u64>) {
        self.0.freshness.changed(since).await;
    }

    /// A node asks: [`Nodes::request`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request(&self, ask: NodeAsk) -> Result<Option<(NodeRequest, bool)>, StoreError> {
        self.transact(move |nodes, now, entropy| Ok(nodes.request(ask.clone(), now, entropy)?)).await
    }

    /// A request is approved: [`Nodes::approve`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn approve(&self, id: DeviceRequestId, actor: Actor) -> Result<PairedNode, DeviceError> {
        let asked = id.clone();
        let mut made: Option<PairedNode> = None;
        let approve = move |nodes: &mut Nodes, now, entropy: &dyn Entropy| {
            let done = nodes.approve(&asked, now, entropy).or_else(|error| {
                // Somebody came in between after it was approved, and its request was over.
                let is_done =
                    |made: &PairedNode| error == DeviceError::UnknownRequest && nodes.paired.contains(made);
                made.clone().filter(is_done).ok_or(error)
            });
            made = done.as_ref().ok().cloned().or(made.take());
            Ok(done)
        };
        let done = self.transact(approve).await??;
        self.note(&actor, "approve node", &done.ask, Some(&id));
        Ok(done)
    }

    /// A request is rejected: [`Nodes::reject`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn reject(&self, id: DeviceRequestId, actor: Actor) -> Result<NodeRequest, DeviceError> {
        let asked = id.clone();
        let mut rejected: Option<NodeRequest> = None;
        let reject = move |nodes: &mut Nodes, now, _: &dyn Entropy| {
            let done = nodes.reject(&asked, now).or_else(|error| {
                let is_in = |was: &NodeRequest| {
                    let is_it = |node: &&PairedNode| node.ask.node_id == was.ask.node_id;
                    nodes.paired.iter().find(is_it).is_some_and(|node| node.approved_at >= was.asked_at)
                };
                let is_done = |was: &NodeRequest| error == DeviceError::UnknownRequest && !is_in(was);
                rejected.clone().filter(is_done).ok_or(error)
            });
            rejected = done.as_ref().ok().cloned().or(rejected.take());
            Ok(done)
        };
        let done = self.transact(reject).await??;
        self.note(&actor, "reject node", &done.ask, Some(&id));
        Ok(done)
    }

    /// A node gets another name: [`Nodes::rename`].
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn rename(&self, node: String, name: String, actor: Actor) -> Result<PairedNode, DeviceError> {
        let done = self.transact(move |nodes, _, _| Ok(nodes.rename(&node, &name))).await??;
        self.note(&actor, "rename node", &done.ask, None);
        Ok(done)
    }

    fn note(&self, actor: &Actor, action: &str, node: &NodeAsk, request: Option<&DeviceRequestId>) {
        let about = About::Node { node: &node.node_id };
        let line =
            Line::new(self.0.world.clock.now(), actor, action, about, request.map(DeviceRequestId::as_str));
        audit::note(&self.0.options.state_dir, &line);
    }

    async fn transact<T: Send + 'static>(
        &self,
        mut act: impl FnMut(&mut Nodes, Timestamp, &dyn Entropy) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(move |store| {
            attempt(|| {
                let locked = store.0.lock()?;
                let (mut pending, mut paired) = (read(locked.dir(), PENDING), read(locked.dir(), PAIRED));
                let mut nodes = nodes(&pending, &paired)?;
                let answer = act(&mut nodes, store.0.world.clock.now(), &*store.0.world.entropy)?;
                // Who is in is in before nobody waits any more.
                let mut wrote = locked.write(&mut paired, &nodes.paired)?;
                wrote |= locked.write(&mut pending, &nodes.pending)?;
                if !wrote {
                    locked.make_sure()?;
                }
                Ok(answer)
            })
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        super::blocking(move || work(&store)).await
    }
}

const PENDING: &str = "pending.json";
const PAIRED: &str = "paired.json";

fn nodes(pending: &File<NodeRequest>, paired: &File<PairedNode>) -> Result<Nodes, StoreError> {
    if let Some(fault) = pending.as_ref().err().or(paired.as_ref().err()) {
        return Err(fault.clone().into());
    }
    Ok(Nodes { pending: values(pending), paired: values(paired) })
}

impl Record for NodeRequest {
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl Record for PairedNode {
    fn key(&self) -> String {
        self.ask.node_id.clone()
    }
}
