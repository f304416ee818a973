//! Many DEKs in one call, and what each refusal means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokenkeep_core::{Dek, KekId, UnwrapRequest, WrapRequest, WrappedDek};
use tokenkeep_https::Method;
use zeroize::Zeroizing;

use crate::OpenBaoFailure;
use crate::client::by;
use crate::ids::Named;
use crate::keys::Inner;
use crate::transit_key::View;
use crate::wire::{self, Answers, Plain};

impl Inner {
    pub(crate) async fn wrap(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, OpenBaoFailure>> {
        let answers = by(self.client.deadline(), async { Ok(self.wrap_under_primary(requests).await) });
        answers.await.unwrap_or_else(|failure| all(requests.len(), &failure))
    }

    async fn wrap_under_primary(
        &self,
        requests: &[WrapRequest<'_>],
    ) -> Vec<Result<WrappedDek, OpenBaoFailure>> {
        let path = self.keys_path(&self.key);
        let first = match self.watched.recent(&self.client, &path).await {
            Ok(view) => view,
            Err(failure) => return all(requests.len(), &failure),
        };
        let id = first.primary(&self.place);
        let answers = self.wrap_under(&self.key, id, first.key.latest_version, requests).await;
        // A version that is not the newest may be one that wraps no more.
        let refused = |answer: &Result<_, _>| matches!(answer, Err(OpenBaoFailure::Refused));
        if !answers.iter().any(refused) {
            return answers;
        }
        match self.view_from(Instant::now()).await {
            Ok(view) if view.key.soft_deleted => all(requests.len(), &OpenBaoFailure::Disabled),
            Ok(view) if view.primary(&self.place) != id => {
                let id = view.primary(&self.place);
                self.wrap_under(&self.key, id, view.key.latest_version, requests).await
            }
            Ok(_) => answers,
            Err(failure) => all(requests.len(), &failure),
        }
    }

    /// `Refused` for what the service refused.
    pub(crate) async fn wrap_under(
        &self,
        key: &str,
        id: KekId,
        version: u32,
        requests: &[WrapRequest<'_>],
    ) -> Vec<Result<WrappedDek, OpenBaoFailure>> {
        let items: Vec<Plain<'_>> = requests
            .iter()
            .map(|request| Plain { dek: request.dek(), digest: request.context_digest(&id) })
            .collect();
        let body = wire::encrypt_body(&items, version);
        let answers = self
            .batch(key, "encrypt", body, |answer| wire::ciphertexts(answer, requests.len(), version))
            .await;
        let wrapped = |bytes: Option<Vec<u8>>| {
            let bytes = bytes.ok_or(OpenBaoFailure::Refused)?;
            WrappedDek::from_service(id, bytes).map_err(|_| OpenBaoFailure::Garbage)
        };
        match answers {
            Ok(Some(answers)) => answers.into_iter().map(wrapped).collect(),
            Ok(None) => all(requests.len(), &OpenBaoFailure::Refused),
            Err(failure) => all(requests.len(), &failure),
        }
    }

    pub(crate) async fn unwrap(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, OpenBaoFailure>> {
        let (begin, deadline) = (Instant::now(), self.client.deadline());
        let mut answers: Vec<Option<Result<Dek, OpenBaoFailure>>> = requests.iter().map(|_| None).collect();
        // By the name of the transit key.
        let mut calls: BTreeMap<String, Vec<(usize, Named)>> = BTreeMap::new();
        let mut view = None;
        for (index, request) in requests.iter().enumerate() {
            let sorted = match self.place.read(request.kek()) {
                None => Err(OpenBaoFailure::UnknownKey),
                Some(named @ Named::Own(random)) => match &self.own {
                    Some(own) => Ok((own.name(&random), named)),
                    None => Err(OpenBaoFailure::UnknownKey),
                },
                Some(named @ Named::Version { number, stamp }) => {
                    let view = once(&mut view, by(deadline, self.view_from(begin)));
                    self.allowed(number, &stamp, view).await.map(|()| (self.key.clone(), named))
                }
            };
            match sorted {
                Ok((key, named)) => calls.entry(key).or_default().push((index, named)),
                Err(failure) => answers[index] = Some(Err(failure)),
            }
        }
        let mut out_of_reach = None;
        for (key, items) in calls {
            if let Some(failure) = &out_of_reach {
                for (index, _) in items {
                    answers[index] = Some(Err(OpenBaoFailure::clone(failure)));
                }
                continue;
            }
            for (index, answer) in self.unwrap_twice(&key, &items, requests, deadline).await {
                out_of_reach = out_of_reach.or(answer.as_ref().err().filter(|f| is_for_all(f)).cloned());
                answers[index] = Some(answer);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(OpenBaoFailure::Garbage))).collect()
    }

    /// By what is known already where that says yes, else by what the service says.
    async fn allowed(
        &self,
        number: u32,
        stamp: &[u8; 16],
        view: impl Future<Output = Result<Arc<View>, OpenBaoFailure>>,
    ) -> Result<(), OpenBaoFailure> {
        if self.watched.last().is_some_and(|view| view.may_open(&self.place, number, stamp).is_ok()) {
            return Ok(());
        }
        view.await?.may_open(&self.place, number, stamp)
    }

    /// Asks once more for what was refused though its key decrypts: the key may have been enabled between the refusal and the look
    /// at its state, or two nodes have answered.
    async fn unwrap_twice(
        &self,
        key: &str,
        items: &[(usize, Named)],
        requests: &[UnwrapRequest<'_>],
        deadline: Instant,
    ) -> Vec<(usize, Result<Dek, OpenBaoFailure>)> {
        use OpenBaoFailure::{Refused, Rejected};
        let mut answers = self.unwrap_with(key, items, requests, deadline).await;
        let again: Vec<(usize, Named)> = items
            .iter()
            .zip(&answers)
            .filter(|(_, (_, answer))| matches!(answer, Err(Rejected | Refused)))
            .map(|(item, _)| *item)
            .collect();
        if !again.is_empty() {
            for (index, answer) in self.unwrap_with(key, &again, requests, deadline).await {
                if let Some(first) = answers.iter_mut().find(|(first, _)| *first == index) {
                    first.1 = answer;
                }
            }
        }
        answers
    }

    async fn unwrap_with(
        &self,
        key: &str,
        items: &[(usize, Named)],
        requests: &[UnwrapRequest<'_>],
        deadline: Instant,
    ) -> Vec<(usize, Result<Dek, OpenBaoFailure>)> {
        let sealed: Vec<wire::Sealed<'_>> = items
            .iter()
            .map(|(index, named)| {
                let request = &requests[*index];
                let version = match named {
                    Named::Version { number, .. } => *number,
                    Named::Own(_) => 1,
                };
                wire::Sealed { version, bytes: request.wrapped(), digest: request.context_digest() }
            })
            .collect();
        let body = wire::decrypt_body(&sealed);
        let call = self.batch(key, "decrypt", body, |answer| wire::deks(answer, items.len()));
        let (answers, else_it_is) = match by(deadline, call).await {
            Ok(Some(answers)) => (answers, OpenBaoFailure::Rejected),
            // The call as a whole, whatever was in it.
            Ok(None) => (items.iter().map(|_| None).collect(), OpenBaoFailure::Refused),
            Err(failure) => {
                return items.iter().map(|(index, _)| (*index, Err(failure.clone()))).collect();
            }
        };
        let answered = Instant::now();
        let (mut view, mut own) = (None, None);
        let mut results = Vec::with_capacity(items.len());
        for ((index, named), answer) in items.iter().zip(answers) {
            let result = match answer {
                Some(dek) => Ok(dek),
                None => {
                    let view = once(&mut view, by(deadline, self.view_from(answered)));
                    let own = once(&mut own, by(deadline, self.own_allowed(named)));
                    Err(self.why_refused(named, view, own).await.unwrap_or_else(|| else_it_is.clone()))
                }
            };
            results.push((*index, result));
        }
        results
    }

    /// Why something did not decrypt, if the key is the reason. Its state is asked, not the words of a refusal: they are not part
    /// of the API.
    async fn why_refused(
        &self,
        named: &Named,
        view: impl Future<Output = Result<Arc<View>, OpenBaoFailure>>,
        own: impl Future<Output = Result<(), OpenBaoFailure>>,
    ) -> Option<OpenBaoFailure> {
        let allowed = match named {
            Named::Version { number, stamp } => {
                view.await.and_then(|view| view.allows(&self.place, *number, stamp))
            }
            Named::Own(_) => own.await,
        };
        allowed.err()
    }

    async fn own_allowed(&self, named: &Named) -> Result<(), OpenBaoFailure> {
        match (named, &self.own) {
            (Named::Own(random), Some(own)) => own.allowed(self, random).await,
            _ => Err(OpenBaoFailure::UnknownKey),
        }
    }

    /// What the service says of the key, now or in an answer to a question from this moment on.
    pub(crate) async fn view_from(&self, begin: Instant) -> Result<Arc<View>, OpenBaoFailure> {
        self.watched.from(&self.client, &self.keys_path(&self.key), begin).await
    }

    async fn batch<T>(
        &self,
        key: &str,
        act: &str,
        body: Zeroizing<Vec<u8>>,
        read: impl Fn(&[u8]) -> Result<Answers<T>, OpenBaoFailure>,
    ) -> Result<Answers<T>, OpenBaoFailure> {
        let mut path: Vec<&str> = self.mount.split('/').collect();
        path.extend([act, key]);
        let reply = self.client.call(&Method::POST, &path, Some(&body)).await?;
        let answers = read(reply.body())?;
        // Nobody gets away with an error that says nothing, or with a success that holds one.
        match (&answers, reply.is_done()) {
            (None, true) => Err(OpenBaoFailure::Garbage),
            _ => Ok(answers),
        }
    }
}

/// Asked when it is needed first, and once for a whole batch, whatever comes of it.
async fn once<T: Clone>(answer: &mut Option<T>, question: impl Future<Output = T>) -> T {
    match answer {
        Some(answer) => answer.clone(),
        None => answer.insert(question.await).clone(),
    }
}

/// Whether it is no matter of one key, so that asking about the next would only take its time as well.
fn is_for_all(failure: &OpenBaoFailure) -> bool {
    use OpenBaoFailure::{NoActiveNode, Sealed, Throttled, TimedOut, Unreachable, Untrusted};
    matches!(failure, Unreachable(_) | TimedOut(_) | Untrusted(_) | Sealed | NoActiveNode | Throttled(_))
}

/// The same failure for each.
fn all<T>(count: usize, failure: &OpenBaoFailure) -> Vec<Result<T, OpenBaoFailure>> {
    (0..count).map(|_| Err(failure.clone())).collect()
}
