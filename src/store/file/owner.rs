//! What the owner does: each command is one transaction, and then a line in the audit.

use super::FileStore;
use super::part::{Interrupted, attempt};
use super::transaction::Transaction;
use crate::decision::Fault;
use crate::message::{AccountKey, ChannelId, SenderId};
use crate::pairing::{Approval, Request};
use crate::store::{Actor, OperatorError, Revoked, StoreError};

impl FileStore {
    pub(super) fn approve_now(
        &self,
        channel: &ChannelId,
        approval: &Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        let inner = &*self.0;
        // What an earlier round decided: it may have let the sender in before it was interrupted.
        let mut begun: Option<Request> = None;
        let result = attempt(|| {
            let accounts = self.lists_of(channel, approval, begun.as_ref())?;
            let mut t = Transaction::begin(inner, channel, &accounts)?;
            t.require_pending()?;
            let done = begun.take().filter(|request| t.entries_of(&request.account, &request.id) > 0);
            let (result, change) = match done {
                Some(request) => {
                    let change = t.state.admission(&request, approval, actor.surface, t.now.wall);
                    (Ok(request), change)
                }
                None => t.state.approve(approval, actor.surface, t.now.wall),
            };
            if let Ok(request) = &result {
                if !accounts.iter().any(|account| *account.account() == request.account) {
                    let detail = "a request came in while its approval was prepared; try again";
                    return Err(Interrupted::Again(Fault::locked(detail)));
                }
                begun = Some(request.clone());
            }
            t.apply(change);
            t.commit_for_sure()?;
            Ok(result)
        })?;
        let request = result?;
        self.note(actor, "approve", &key(channel, &request)?, &request.id, Some(&request.request));
        Ok(request)
    }

    /// The accounts whose lists an approval may write. Only these are locked, so that trouble with the list of one
    /// account does not keep the owner from approving on another.
    // INVARIANT I7: a damaged allow file costs its account, and nothing else.
    fn lists_of(
        &self,
        channel: &ChannelId,
        approval: &Approval,
        begun: Option<&Request>,
    ) -> Result<Vec<AccountKey>, StoreError> {
        let state = self.0.load(&AccountKey::default_of(channel.clone())).snapshot.pending.clone()?;
        let mut accounts = Vec::new();
        for account in state.meant_by(approval).chain(begun.map(|request| &request.account)) {
            let account = AccountKey::new(channel.clone(), account.clone());
            let account = account.map_err(|error| StoreError::Refused(error.to_string()))?;
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }

    pub(super) fn reject_now(
        &self,
        channel: &ChannelId,
        approval: &Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        let request = self.0.transact(channel, &[], |t| {
            t.require_pending()?;
            Ok(t.state.reject(approval, actor.surface, block, t.now.wall))
        })??;
        let action = if block { "reject and block" } else { "reject" };
        self.note(actor, action, &key(channel, &request)?, &request.id, Some(&request.request));
        Ok(request)
    }

    pub(super) fn allow_now(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, OperatorError> {
        // Here and below: what an interrupted round did counts as done by this command.
        let mut added = false;
        self.0.transact(account.channel(), std::slice::from_ref(account), |t| {
            let (result, change) = t.state.allow(account.account(), sender);
            added |= t.entries_of(account.account(), sender) == 0;
            Ok((result, change))
        })??;
        self.note(actor, "allow", account, sender, None);
        Ok(added)
    }

    pub(super) fn revoke_now(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<Revoked, StoreError> {
        let of = account.account();
        let (mut entries, mut requests) = (0, 0);
        let revoked = self.0.transact(account.channel(), std::slice::from_ref(account), |t| {
            let (revoked, change) = t.state.revoke(of, sender, |other| t.entries_of(of, other) > 0);
            entries = entries.max(t.entries_of(of, sender));
            requests = requests.max(revoked.requests);
            Ok((revoked, change))
        })?;
        self.note(actor, "revoke", account, sender, None);
        Ok(Revoked { entries, requests, ..revoked })
    }

    pub(super) fn block_now(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let mut is_new = false;
        self.0.transact(account.channel(), &[], |t| {
            let (new, change) = t.state.block(account.account(), sender);
            is_new |= new;
            Ok(((), change))
        })?;
        self.note(actor, "block", account, sender, None);
        Ok(is_new)
    }

    pub(super) fn unblock_now(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let mut was_blocked = false;
        self.0.transact(account.channel(), &[], |t| {
            let (was, change) = t.state.unblock(account.account(), sender);
            was_blocked |= was;
            Ok(((), change))
        })?;
        self.note(actor, "unblock", account, sender, None);
        Ok(was_blocked)
    }
}

fn key(channel: &ChannelId, request: &Request) -> Result<AccountKey, StoreError> {
    super::key(channel, &request.account)
}
