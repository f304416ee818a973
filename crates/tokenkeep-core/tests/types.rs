//! What the types can't do. A breach doesn't compile: the call in `lacks!` becomes ambiguous, and for no other reason.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use tokenkeep_core::{
    ApiToken, Credential, CredentialSource, Dek, EncryptionContext, Envelope, Error, IssuedToken, Kek,
    Provider, SealDraft, SecretVars, UnwrapRequest, WrapRequest, WrappedDek,
};

/// Does not compile when the type has one of the traits.
macro_rules! lacks {
    ($type:ty: $($trait:path),+) => { $({
        trait Lacks<Answer> { fn holds() {} }
        impl<T: ?Sized> Lacks<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Lacks<Has> for T {}
        // `_` is `()` when the first implementation is the only one.
        <$type as Lacks<_>>::holds();
    })+ };
}

#[test]
fn secrets_are_not_cloned_printed_compared_or_serialized() {
    macro_rules! secret {
        ($($type:ty),+) => { $(
            lacks!($type: Clone, Copy, Display, PartialEq, std::hash::Hash, Serialize, Deserialize<'static>,
                AsRef<str>, AsRef<[u8]>, Into<String>, Into<Vec<u8>>, Default);
        )+ };
    }
    secret!(ApiToken, Dek, Kek, IssuedToken, SealDraft<'static>, WrapRequest<'static>);
    // A set of variables may be made from nothing, as nothing is in it then.
    lacks!(SecretVars: Clone, Copy, Display, PartialEq, std::hash::Hash, Serialize, Deserialize<'static>);
    // A credential gives tokens out; it is not told from another, written down or made from nothing.
    lacks!(Credential: Display, PartialEq, Serialize, Deserialize<'static>, Default);
}

#[test]
fn what_is_shared_between_threads() {
    fn sent<T: Send + Sync + Unpin + 'static>() {}
    sent::<ApiToken>();
    sent::<SecretVars>();
    sent::<Dek>();
    sent::<Kek>();
    sent::<Envelope>();
    sent::<EncryptionContext>();
    sent::<WrappedDek>();
    sent::<SealDraft<'static>>();
    sent::<WrapRequest<'static>>();
    sent::<UnwrapRequest<'static>>();
    sent::<Error>();
    sent::<Credential>();
    fn shared<T: ?Sized + Send + Sync>() {}
    shared::<dyn CredentialSource>();
    shared::<dyn Provider>();
}
