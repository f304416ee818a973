//! What a stand-in knows and remembers.

use crate::access::{Access, Scope};
use crate::accounts::Account;
use crate::faults::Fault;
use crate::recorded::RecordedRequest;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Tokens, accounts, faults to come, and requests received.
#[derive(Default)]
pub(crate) struct State {
    /// The account's id and the scope, by token.
    tokens: HashMap<String, (String, Scope)>,
    accounts: BTreeMap<String, Account>,
    pub(crate) next_faults: VecDeque<Fault>,
    pub(crate) always: Option<Fault>,
    pub(crate) requests: Vec<RecordedRequest>,
}

impl State {
    /// Makes the account up when it is new; the last grant's username counts.
    pub(crate) fn grant(&mut self, token: &str, access: Access) {
        self.accounts
            .entry(access.account_id.clone())
            .and_modify(|account| account.username.clone_from(&access.username))
            .or_insert_with(|| Account::made_up(&access.account_id, &access.username));
        self.tokens.insert(token.to_owned(), (access.account_id, access.scope));
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Whose token it is and how far it reaches; none when it is unknown or revoked.
    pub(crate) fn holder(&mut self, token: &str) -> Option<(&mut Account, Scope)> {
        let (account_id, scope) = self.tokens.get(token)?;
        Some((self.accounts.get_mut(account_id)?, *scope))
    }

    pub(crate) fn account(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.get_mut(id)
    }

    /// The fault for the request that just came, taken from the queue first.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.next_faults.pop_front().or_else(|| self.always.clone())
    }
}
