//! Texts that people give: tokens, names, origins. What is accepted keeps its promise and its spelling.

use tokenkeep_core::{ApiToken, ConnectionName, MAX_PAYLOAD, Origin, ProviderName, TenantId};
use url::Url;

/// Gives the same text to each of the types; true where one more than the names, which take nearly all, accepted it.
///
/// # Panics
/// When a promise is broken.
pub fn token_shape(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let token = token(text);
    names(text);
    let origin = origin(text);
    token || origin
}

fn token(text: &str) -> bool {
    let new = ApiToken::new(text.to_owned()).ok();
    let pasted = ApiToken::from_pasted(text.to_owned()).ok();
    assert_eq!(new.as_ref().map(ApiToken::expose_secret), can_be_token(text).then_some(text));
    let trimmed = text.trim();
    assert_eq!(pasted.as_ref().map(ApiToken::expose_secret), can_be_token(trimmed).then_some(trimmed));
    pasted.is_some()
}

fn can_be_token(text: &str) -> bool {
    (1..=MAX_PAYLOAD).contains(&text.len())
        && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        && !text.contains("://")
}

fn names(text: &str) {
    let tenant = TenantId::new(text).ok();
    let connection = ConnectionName::new(text).ok();
    let provider = ProviderName::new(text).ok();
    assert_eq!(tenant.as_ref().map(TenantId::as_str), connection.as_ref().map(ConnectionName::as_str));
    if let Some(tenant) = &tenant {
        assert_eq!(tenant.as_str(), text);
        assert_eq!(tenant.to_string(), text);
        assert!((1..=255).contains(&text.len()) && text.trim() == text);
        assert!(!text.chars().any(misleads), "{}", text.escape_unicode());
    }
    let short = (1..=255).contains(&text.len());
    if short && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        assert!(tenant.is_some(), "printable ASCII is a name");
    }
    let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let plain = plain && (1..=64).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-');
    assert_eq!(provider.as_ref().map(ProviderName::as_str), plain.then_some(text));
}

/// Controls, and what turns the writing's direction or has no width.
fn misleads(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn origin(text: &str) -> bool {
    let Ok(origin) = Origin::parse(text) else { return false };
    assert_eq!(origin.as_str(), text);
    assert_eq!(origin.to_string(), text);
    let again = match origin.port() {
        443 => format!("https://{}", origin.host()),
        port => format!("https://{}:{port}", origin.host()),
    };
    assert_eq!(again, text);
    // What a HTTP client makes of the text is the origin that a person read: nothing is normalised away.
    let url = Url::parse(text).expect("an origin is a URL");
    assert_eq!(url.origin().ascii_serialization(), text);
    assert_eq!(url.as_str(), format!("{text}/"));
    assert!(matches!(url.host(), Some(url::Host::Domain(host)) if host == origin.host()), "an IP address");
    true
}
