//! Batches: what belongs to the provider goes there in one call, and an epoch is taken once for all that are under it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokenkeep_core::{Dek, Error, ErrorKind, KekId, UnwrapRequest, WrapRequest, WrappedDek};

use crate::ProviderCall;
use crate::epoch_flight::own;
use crate::epoch_inner::Inner;

impl Inner {
    pub(crate) async fn wrap_batch(&self, requests: &[WrapRequest<'_>]) -> Vec<Result<WrappedDek, Error>> {
        let mut answers = unanswered(requests.len());
        let (vault_keys, tokens): (Vec<usize>, Vec<usize>) =
            (0..requests.len()).partition(|at| requests[*at].is_for_vault_key());

        let (mut places, mut asked) = (Vec::new(), Vec::new());
        for at in vault_keys {
            match requests[at].anew() {
                Ok(request) => {
                    places.push(at);
                    asked.push(request);
                }
                Err(error) => answers[at] = Err(error.into()),
            }
        }
        if !asked.is_empty() {
            let work = self.asker.base.wrap_deks(&asked);
            put(&mut answers, &places, self.asker.timed_batch(ProviderCall::Wrap, asked.len(), work).await);
        }

        // Not more than an instance sets aside at a time.
        let most = usize::try_from(self.options.reserve).unwrap_or(usize::MAX);
        for tokens in tokens.chunks(most) {
            let epoch = self.sealing(tokens.len() as u64).await.map_err(Arc::new);
            for at in tokens {
                answers[*at] = match &epoch {
                    Ok(epoch) => epoch.kek().map(|kek| requests[*at].wrap_with(kek)),
                    Err(error) => Err(own(error)),
                };
            }
        }
        answers
    }

    pub(crate) async fn unwrap_batch(&self, requests: &[UnwrapRequest<'_>]) -> Vec<Result<Dek, Error>> {
        let mut answers = unanswered(requests.len());
        let mut under: HashMap<KekId, Vec<usize>> = HashMap::new();
        for (at, request) in requests.iter().enumerate() {
            under.entry(*request.kek()).or_default().push(at);
        }
        // Each is one call at most; of several none waits for another.
        let epochs = join_all(under.iter().map(async |(id, places)| (self.opening(id).await, places))).await;

        let (mut places, mut asked) = (Vec::new(), Vec::new());
        for (epoch, under_it) in epochs {
            let epoch = epoch.map_err(Arc::new);
            for at in under_it {
                match &epoch {
                    Ok(Some(epoch)) => {
                        answers[*at] =
                            epoch.kek().and_then(|kek| requests[*at].unwrap_with(kek).map_err(Error::from));
                    }
                    Ok(None) => {
                        places.push(*at);
                        asked.push(requests[*at].clone());
                    }
                    Err(error) => answers[*at] = Err(own(error)),
                }
            }
        }
        if !asked.is_empty() {
            let work = self.asker.base.unwrap_deks(&asked);
            let given = self.asker.timed_batch(ProviderCall::Unwrap, asked.len(), work).await;
            self.note_base(asked.iter().zip(&given));
            put(&mut answers, &places, given);
        }
        answers
    }
}

fn unanswered<T>(count: usize) -> Vec<Result<T, Error>> {
    (0..count).map(|_| Err(ErrorKind::Internal.into())).collect()
}

fn put<T>(answers: &mut [Result<T, Error>], places: &[usize], given: Vec<Result<T, Error>>) {
    for (at, answer) in places.iter().zip(given) {
        answers[*at] = answer;
    }
}
