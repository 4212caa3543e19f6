//! A store in trouble, and a pipeline on real files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use dmgate::pairing::record::{SendKind, SendStep, Sending};
use dmgate::pairing::{Approval, Knock, Knocked, Request, RequestId};
use dmgate::store::{
    Actor, FileOptions, FileStore, Loaded, MemoryStore, OperatorError, Places, Revoked, Snapshot, Store,
    StoreError,
};
use dmgate::{AccountKey, ChannelId, Decision, DmGate, Fault, MockAgent, Reason, SenderId, World};

use crate::support::{
    Echo, Ground, HOUR, Slow, account, adapter, adapter_of, allow, approve, failed, message, meta, only_code,
    start, unknown,
};

/// A store in memory that breaks at will.
#[derive(Default)]
struct Switch {
    is_broken: AtomicBool,
    /// What became of a try can't be noted.
    forgets: AtomicBool,
    /// Nor that one begins.
    is_locked: AtomicBool,
    loads: AtomicUsize,
}

struct Breakable(MemoryStore, Arc<Switch>);

impl Breakable {
    fn fault(&self) -> Option<Fault> {
        let is_broken = self.1.is_broken.load(Ordering::SeqCst);
        is_broken.then(|| Fault::unreadable("broken on purpose"))
    }

    fn working(&self) -> Result<&MemoryStore, StoreError> {
        self.fault().map_or(Ok(&self.0), |fault| Err(fault.into()))
    }
}

#[async_trait]
impl Store for Breakable {
    fn revision(&self, account: &AccountKey) -> Option<u64> {
        self.working().ok()?.revision(account)
    }

    async fn load(&self, account: &AccountKey) -> Loaded {
        if self.1.loads.fetch_add(1, Ordering::SeqCst) > 10_000 {
            // Whatever goes round in a circle must fail, and not hang.
            tokio::time::sleep(HOUR).await;
        }
        match self.fault() {
            None => self.0.load(account).await,
            Some(fault) => Loaded { revision: None, snapshot: Arc::new(Snapshot::unavailable(&fault)) },
        }
    }

    async fn changed(&self, account: &AccountKey, since: Option<u64>) {
        match since {
            None => tokio::time::sleep(HOUR).await,
            since => self.0.changed(account, since).await,
        }
    }

    async fn knock(&self, channel: &ChannelId, knock: Knock) -> Result<Knocked, StoreError> {
        self.working()?.knock(channel, knock).await
    }

    async fn bind(
        &self,
        account: &AccountKey,
        entry: &SenderId,
        primary: &SenderId,
    ) -> Result<SenderId, StoreError> {
        self.working()?.bind(account, entry, primary).await
    }

    async fn sending(
        &self,
        account: &AccountKey,
        request: &RequestId,
        what: SendKind,
        step: SendStep,
    ) -> Result<Option<Sending>, StoreError> {
        let refused = if step == SendStep::Try { &self.1.is_locked } else { &self.1.forgets };
        if refused.load(Ordering::SeqCst) {
            return Err(Fault::unreadable("broken on purpose").into());
        }
        self.working()?.sending(account, request, what, step).await
    }

    async fn channels(&self) -> Result<Vec<ChannelId>, StoreError> {
        self.working()?.channels().await
    }

    async fn pending(&self, channel: &ChannelId) -> Result<Vec<Request>, StoreError> {
        self.working()?.pending(channel).await
    }

    async fn approve(
        &self,
        channel: &ChannelId,
        approval: Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        self.working()?.approve(channel, approval, actor).await
    }

    async fn reject(
        &self,
        channel: &ChannelId,
        approval: Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        self.working()?.reject(channel, approval, block, actor).await
    }

    async fn allowed(&self, account: &AccountKey) -> Result<Vec<String>, StoreError> {
        self.working()?.allowed(account).await
    }

    async fn listed_in(&self, account: &AccountKey, sender: &SenderId) -> Result<Vec<String>, StoreError> {
        self.working()?.listed_in(account, sender).await
    }

    async fn allow(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, OperatorError> {
        self.working()?.allow(account, sender, actor).await
    }

    async fn revoke(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<Revoked, StoreError> {
        self.working()?.revoke(account, sender, actor).await
    }

    async fn blocked(&self, account: &AccountKey) -> Result<Vec<SenderId>, StoreError> {
        self.working()?.blocked(account).await
    }

    async fn block(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.working()?.block(account, sender, actor).await
    }

    async fn unblock(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.working()?.unblock(account, sender, actor).await
    }

    fn places(&self, account: &AccountKey) -> Places {
        self.0.places(account)
    }
}

fn ground() -> (Ground, Arc<Switch>) {
    let Ground { clock, .. } = Ground::new();
    let switch = Arc::new(Switch::default());
    let store = Arc::new(Breakable(MemoryStore::new(clock.world()), Arc::clone(&switch)));
    (Ground { clock, store }, switch)
}

#[tokio::test(start_paused = true)]
async fn i7_a_store_in_trouble_lets_nobody_in_and_sends_nothing() {
    let (ground, switch) = ground();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "before")).await;
    assert_eq!(sends.next().await.text.body, "echo before");

    switch.is_broken.store(true, Ordering::SeqCst);
    let decision = running.pipeline.gate().admit(&message("42", "hi")).await;
    assert!(matches!(decision, Decision::Unavailable(_)), "{decision:?}");
    assert_eq!(decision.reason(), Reason::StoreUnreadable);
    for id in ["42", "43"] {
        running.inbox.deliver(message(id, "in trouble")).await;
    }
    sends.silence(HOUR).await;

    switch.is_broken.store(false, Ordering::SeqCst);
    sends.silence(HOUR).await;
    running.inbox.deliver(message("42", "after")).await;
    assert_eq!(sends.next().await.text.body, "echo after");
    running.inbox.deliver(message("43", "after")).await;
    assert!(sends.next().await.text.body.contains(&only_code(&*ground.store).await));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_sent_outlives_trouble_of_the_store() {
    let (ground, switch) = ground();
    let (adapter, mut sends) = adapter(vec![failed()]);
    let running = ground.run(adapter, MockAgent::new());
    running.inbox.deliver(message("42", "hi")).await;
    let first = sends.next().await;
    switch.is_broken.store(true, Ordering::SeqCst);
    let before = switch.loads.load(Ordering::SeqCst);
    sends.silence(HOUR).await;
    let looks = switch.loads.load(Ordering::SeqCst) - before;
    assert!((10..1_000).contains(&looks), "{looks} looks in an hour");
    switch.is_broken.store(false, Ordering::SeqCst);
    assert_eq!(sends.next().await.text.body, first.text.body);
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_a_success_that_can_t_be_noted_is_not_repeated() {
    let (ground, switch) = ground();
    let (first, mut sends) = adapter(vec![]);
    switch.forgets.store(true, Ordering::SeqCst);
    let running = ground.run(first, MockAgent::new());
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    sends.silence(HOUR).await;
    switch.forgets.store(false, Ordering::SeqCst);
    sends.silence(HOUR).await;
    running.stop().await;

    let (second, mut sends) = adapter(vec![]);
    let running = ground.run(second, MockAgent::new());
    sends.silence(HOUR).await;
    running.stop().await;
}

/// The end comes before it can be noted that a text arrived: then that is not known, and it is sent once more.
#[tokio::test(start_paused = true)]
async fn i6_the_end_does_not_wait_for_a_store_in_trouble() {
    let (ground, switch) = ground();
    switch.forgets.store(true, Ordering::SeqCst);
    for sent in [1, 1, 0] {
        let (adapter, mut sends) = adapter(vec![]);
        let running = ground.run(adapter, MockAgent::new());
        running.inbox.deliver(message("42", "hi")).await;
        tokio::time::sleep(HOUR).await;
        assert_eq!(sends.so_far().len(), sent);
        let begin = tokio::time::Instant::now();
        running.stop().await;
        assert_eq!(tokio::time::Instant::now(), begin);
    }
}

#[tokio::test(start_paused = true)]
async fn i6_a_failure_that_can_t_be_noted_is_still_a_failure() {
    let (ground, switch) = ground();
    let of_store = Arc::clone(&switch);
    let mut tries = 0;
    let (adapter, mut sends) = adapter_of(meta(), move |_| {
        tries += 1;
        of_store.forgets.store(tries < 5, Ordering::SeqCst);
        if tries < 5 { failed() } else { Ok(()) }
    });
    let running = ground.run(adapter, MockAgent::new());
    running.inbox.deliver(message("42", "hi")).await;
    for _ in 0..4 {
        sends.next().await;
        sends.silence(HOUR).await;
        switch.forgets.store(false, Ordering::SeqCst);
    }
    sends.next().await;
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_not_given_up_because_the_store_was_in_trouble() {
    let (ground, switch) = ground();
    let (adapter, mut sends) = adapter(vec![Ok(()), failed(), failed()]);
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    approve(&*ground.store, "42", true).await;
    sends.next().await;
    for trouble in [&switch.is_broken, &switch.is_locked] {
        trouble.store(true, Ordering::SeqCst);
        sends.silence(12 * HOUR).await;
        trouble.store(false, Ordering::SeqCst);
        assert_eq!(sends.next().await.to, "42");
    }
    running.stop().await;
}

/// As after a real restart: nothing but the files is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_a_code_outlives_the_process_on_disk() {
    let temp = tempfile::tempdir().unwrap();
    // The machine's own time: outbox and gate wait for each other's locks.
    let gate = || {
        let store = FileStore::open(FileOptions::new(temp.path().join("state")), World::default()).unwrap();
        DmGate::builder().store(store).build()
    };
    // Cut off in the middle of a try …
    let (mock, mut sends) = adapter(vec![]);
    let running = start(gate(), Slow::new(mock, 0), MockAgent::new());
    running.inbox.deliver(message("42", "hi")).await;
    let cut_off = sends.next().await;
    running.crash().await;
    // … and again in its second one, whose outcome the platform leaves open …
    let (second, mut sends) = adapter(vec![unknown()]);
    let running = start(gate(), second, MockAgent::new());
    assert_eq!(sends.next().await.text.body, cut_off.text.body);
    running.stop().await;
    // … so that it is not sent a third time: the next text is another stranger's.
    let after = gate();
    let (third, mut sends) = adapter(vec![]);
    let running = start(after.clone(), third, MockAgent::new());
    running.inbox.deliver(message("43", "hi")).await;
    assert_eq!(sends.next().await.to, "43");
    assert_eq!(after.store().pending(account().channel()).await.unwrap().len(), 2);
    running.stop().await;
    // One that arrived is not sent again either.
    let after = gate();
    let (fourth, mut sends) = adapter(vec![]);
    let running = start(after, fourth, MockAgent::new());
    running.inbox.deliver(message("44", "hi")).await;
    assert_eq!(sends.next().await.to, "44");
    running.stop().await;
}
