//! tokenkeep-core.

use std::sync::Arc;

use tokenkeep_core::{
    Account, ApiToken, ConnectionId, Credential, Dek, EncryptionContext, Envelope, Error, ErrorKind,
    HiddenValues, ImportedVars, Incarnation, Kek, KekId, ListedRun, Origin, PayloadKind, ProviderSpec,
    Redactor, RunPage, SealDraft, SecretVars, SecretVersion, TenantId, TokenFacts, Use, ValueScan, VaultId,
    WrapRequest, WrappedDek, open_token, seal_token,
};

use crate::Secrets;
use crate::shown::{Shown, show, show_small};

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let token = secrets.token();
    let spec = spec();
    let facts = facts();
    let context = EncryptionContext::for_token(&facts);
    show!(shown, tokenkeep_core::ApiToken: token);
    show!(shown, tokenkeep_core::TokenFacts: facts);
    show!(shown, tokenkeep_core::EncryptionContext: context);
    show!(shown, tokenkeep_core::ConnectionId: facts.connection);
    show!(shown, tokenkeep_core::TenantId: facts.connection.tenant().clone());
    show!(shown, tokenkeep_core::ConnectionName: facts.connection.name().clone());
    show!(shown, tokenkeep_core::ProviderName: facts.provider);
    show!(shown, tokenkeep_core::Origin: facts.origin);
    show!(shown, tokenkeep_core::ProviderSpec: spec);

    // The DEK that is drawn for the token is looked for too, and the KEK under which it is.
    let id = KekId::from_slice(b"key-1").unwrap();
    let kek = Kek::from_bytes(id, &secrets.key);
    let draft = SealDraft::new(&context).unwrap();
    let request = draft.wrap_request();
    secrets.also("a token's DEK", request.dek().expose_secret());
    show!(shown, tokenkeep_core::Kek: kek);
    show!(shown, tokenkeep_core::Dek: *request.dek(), Dek::from_bytes(&secrets.key));
    show!(shown, tokenkeep_core::SealDraft<'_>: draft);
    show!(shown, tokenkeep_core::WrapRequest<'_>: request);
    let wrapped = request.wrap_with(&kek);
    show!(shown, tokenkeep_core::WrappedDek: wrapped, WrappedDek::from_service(id, b"receipt".to_vec()).unwrap());
    let envelope = draft.finish(secrets.token.as_bytes(), &wrapped).unwrap();
    show!(shown, tokenkeep_core::Envelope: envelope);
    let request = envelope.unwrap_request(&context);
    show!(shown, tokenkeep_core::UnwrapRequest<'_>: request);
    let dek = request.unwrap_with(&kek).unwrap();
    show!(shown, tokenkeep_core::WrapRequest<'_>: WrapRequest::for_rewrap(&dek, &context).unwrap());

    let mut vars = SecretVars::new();
    vars.set("SECRET", secrets.token.clone()).unwrap();
    show!(shown, tokenkeep_core::SecretVars: vars);
    for (name, value) in [("A", format!("{}\0", secrets.token)), (&*secrets.token.repeat(9), String::new())] {
        shown.add_error("tokenkeep_core::SecretVarRejected", &vars.set(name, value).unwrap_err());
    }

    let values = Arc::new(HiddenValues::new([("A_NAME", secrets.token.as_bytes())]));
    let (mut redactor, mut scan) = (Redactor::new(values.clone()), ValueScan::new());
    redactor.push(&secrets.token.as_bytes()[..10], &mut Vec::new());
    scan.read(&values, secrets.token.as_bytes(), |_| ());
    show_small!(shown, tokenkeep_core::TextPart);
    show!(shown, tokenkeep_core::HiddenValues: values);
    show!(shown, tokenkeep_core::Redactor: redactor);
    show!(shown, tokenkeep_core::ValueScan: scan);

    let text = format!("A_NAME={}", secrets.token);
    show!(shown, tokenkeep_core::ImportedVars: ImportedVars::from_dotenv(text).unwrap());
    let rejected = ImportedVars::from_dotenv(format!("A_NAME={} {0}", secrets.token)).unwrap_err();
    show!(shown, tokenkeep_core::ImportFault: rejected.fault);
    show!(shown, tokenkeep_core::ImportRejected: rejected);

    let credential = Credential::fixed(spec.origin.clone(), secrets.token());
    let kept = Arc::new(secrets.token());
    show!(shown, tokenkeep_core::Credential: credential, Credential::lent(spec.origin.clone(), &kept));
    show!(shown, tokenkeep_core::Use<'_>: Use::at(&spec));
    show!(shown, tokenkeep_core::IssuedToken: credential.issue(Use::at(&spec)).await.unwrap());
    show!(shown, tokenkeep_core::Outcome<'_>: tokenkeep_core::Outcome::Created("a-run"));
    show!(shown, tokenkeep_core::Account: Account::new("u1", "jane-doe").unwrap());
    let run = ListedRun::new("a-run", 0).unwrap().with_user_agent("somebody's client");
    show!(shown, tokenkeep_core::ListedRun: run);
    show!(shown, tokenkeep_core::RunPage: RunPage { runs: vec![run], more: false });

    // Errors of calls that were given a secret.
    let text = |around: &str| format!("{}{around}{}", secrets.token, secrets.token);
    for bad in [" ", "\n", "ä", "://", "\0"] {
        show!(shown, tokenkeep_core::TokenRejected: ApiToken::new(text(bad)).unwrap_err());
        let error = TenantId::new(text(&format!("{bad}\n"))).unwrap_err();
        show!(shown, tokenkeep_core::BadName: error);
        let error = Error::new(ErrorKind::InvalidName).because("it is no name").with_source(error);
        shown.add_error("tokenkeep_core::Error", &error);
    }
    shown.add_error("tokenkeep_core::BadName", &TenantId::new(secrets.token.repeat(10)).unwrap_err());
    for origin in [
        secrets.token.clone(),
        format!("https://{}@api.example", secrets.token),
        format!("https://api.example/{}", secrets.token),
    ] {
        shown.add_error("tokenkeep_core::BadOrigin", &Origin::parse(&origin).unwrap_err());
    }
    shown.add_error("tokenkeep_core::BadKekId", &KekId::from_slice(&secrets.key).unwrap_err());
    let other = Kek::from_bytes(id, &[7; 32]);
    shown.add_error("tokenkeep_core::OpenError", &open_token(&other, &context, &envelope).unwrap_err());
    shown.add_error(
        "tokenkeep_core::DecodeError",
        &Envelope::decode(secrets.token.clone().into()).unwrap_err(),
    );
    let long = SealDraft::new(&context).unwrap().finish(secrets.token.repeat(400).as_bytes(), &wrapped);
    shown.add_error("tokenkeep_core::SealError", &long.unwrap_err());
    assert!(seal_token(&kek, &context, &token).is_ok());

    show_small!(
        shown,
        tokenkeep_core::CustomerAction,
        tokenkeep_core::ErrorKind,
        tokenkeep_core::Fault,
        tokenkeep_core::Incarnation,
        tokenkeep_core::KekId,
        tokenkeep_core::Meaning,
        tokenkeep_core::PayloadKind,
        tokenkeep_core::RandomUnavailable,
        tokenkeep_core::Revision,
        tokenkeep_core::SecretVersion,
        tokenkeep_core::VaultId,
        tokenkeep_core::VaultKeyPurpose,
    );
}

pub(crate) fn spec() -> ProviderSpec {
    ProviderSpec::new("apify".parse().unwrap(), Origin::parse("https://api.apify.com").unwrap())
}

pub(crate) fn facts() -> TokenFacts {
    let spec = spec();
    TokenFacts {
        vault: VaultId::random().unwrap(),
        connection: ConnectionId::new("customer-17", "apify").unwrap(),
        incarnation: Incarnation::random().unwrap(),
        provider: spec.name.clone(),
        origin: spec.origin.clone(),
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::FIRST,
    }
}
