//! Facts of a token made of the fuzzer's bytes: mostly good ones, and two sets of them that are mostly close.

use arbitrary::{Result, Unstructured};
use tokenkeep_core::{
    ConnectionId, Incarnation, Origin, PayloadKind, ProviderName, SecretVersion, TokenFacts, VaultId,
};

/// Any facts. A name that the types refuse becomes `x`.
pub(crate) fn any(source: &mut Unstructured<'_>) -> Result<TokenFacts> {
    Ok(TokenFacts {
        vault: VaultId::from_bytes(source.arbitrary()?),
        connection: connection(name(source)?, name(source)?),
        incarnation: Incarnation::from_bytes(source.arbitrary()?),
        provider: provider(source)?,
        origin: origin(source)?,
        kind: PayloadKind::ApiToken,
        secret_version: SecretVersion::from_u64(source.arbitrary()?),
    })
}

/// Facts that differ from these in what the fuzzer chooses; they may come out equal.
pub(crate) fn near(facts: &TokenFacts, source: &mut Unstructured<'_>) -> Result<TokenFacts> {
    let mut near = facts.clone();
    let which: u8 = source.arbitrary()?;
    let differs = |bit: u8| which & (1 << bit) != 0;
    if differs(0) {
        near.vault = VaultId::from_bytes(flipped(*facts.vault.as_bytes(), source)?);
    }
    if differs(1) {
        near.incarnation = Incarnation::from_bytes(flipped(*facts.incarnation.as_bytes(), source)?);
    }
    if differs(2) {
        near.secret_version =
            SecretVersion::from_u64(facts.secret_version.get() ^ source.arbitrary::<u64>()?);
    }
    if differs(3) {
        near.provider = provider(source)?;
    }
    if differs(4) {
        near.origin = origin(source)?;
    }
    let (mut tenant, mut connected) =
        (facts.connection.tenant().to_string(), facts.connection.name().to_string());
    if differs(5) {
        tenant = name(source)?.to_owned();
    }
    if differs(6) {
        connected = name(source)?.to_owned();
    }
    if differs(7) {
        // The same text, cut elsewhere: alike to whoever only joins the fields.
        let joined = format!("{tenant}{connected}");
        let cut = source.int_in_range(0..=joined.len())?;
        if let Some((start, rest)) = joined.split_at_checked(cut) {
            (tenant, connected) = (start.to_owned(), rest.to_owned());
        }
    }
    near.connection = connection(&tenant, &connected);
    Ok(near)
}

fn flipped(mut bytes: [u8; 16], source: &mut Unstructured<'_>) -> Result<[u8; 16]> {
    let at: u8 = source.int_in_range(0..=15)?;
    bytes[usize::from(at)] ^= source.arbitrary::<u8>()?;
    Ok(bytes)
}

fn name<'a>(source: &mut Unstructured<'a>) -> Result<&'a str> {
    source.arbitrary()
}

fn connection(tenant: &str, name: &str) -> ConnectionId {
    let parts = [(tenant, name), (tenant, "x"), ("x", name)];
    let mut good = parts.into_iter().filter_map(|(tenant, name)| ConnectionId::new(tenant, name).ok());
    good.next().unwrap_or_else(|| ConnectionId::new("x", "x").expect("a good name"))
}

/// Letters, digits and hyphens, and dots where they may stand.
fn plain(source: &mut Unstructured<'_>, most: usize, alphabet: &[u8]) -> Result<String> {
    let bytes: &[u8] = source.arbitrary()?;
    let letters = bytes.iter().take(most).map(|byte| alphabet[usize::from(*byte) % alphabet.len()]);
    Ok(letters.map(char::from).collect())
}

fn provider(source: &mut Unstructured<'_>) -> Result<ProviderName> {
    let text = plain(source, 64, b"abcdefghijklmnopqrstuvwxyz0123456789-")?;
    Ok(text.parse().unwrap_or_else(|_| "x".parse().expect("a good name")))
}

fn origin(source: &mut Unstructured<'_>) -> Result<Origin> {
    let host = plain(source, 253, b"abcdefghijklmnopqrstuvwxyz0123456789-...")?;
    let port: u16 = source.arbitrary()?;
    let text = if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") };
    Ok(Origin::parse(&text).unwrap_or_else(|_| Origin::parse("https://x.example").expect("a good origin")))
}
