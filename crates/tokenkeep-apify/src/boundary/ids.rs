//! What may stand where a path has a name of someone's choice.

/// The longest identifier or name of Apify's, with room to spare.
const MAX_LEN: usize = 256;

/// Words that stand where an identifier may, and mean something else there. In whatever case: a server that does not care for
/// case would take one for the other.
const WORDS: [&str; 12] = [
    "last", "default", "me", "batch", "unlock", "lock", "head", "requests", "items", "keys", "records", "log",
];

/// Whether a segment may stand for the parameter of this name.
pub(crate) fn fits(parameter: &str, segment: &str) -> bool {
    if segment.is_empty() || segment.len() > MAX_LEN {
        return false;
    }
    match parameter {
        // Where Apify takes `default` for the id of a build.
        "buildIdOrDefault" => segment == "default" || is_id(segment),
        "runId" | "buildId" | "buildOrRunId" | "requestId" | "webhookId" | "dispatchId" | "scheduleId" => {
            is_id(segment)
        }
        "actorId" | "actorTaskId" | "datasetId" | "storeId" | "queueId" => is_id_or_name(segment),
        // `me.json` is `me` for a server that takes an ending for a format.
        "userId" => is_username(segment) && !segment.split('.').any(is_word),
        "versionNumber" => is_version(segment),
        "envVarName" => segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
        // The path was checked: this is what Apify allows in a key.
        "recordKey" => !segment.contains('~'),
        _ => false,
    }
}

/// Whether an environment variable of this name can be told in a path.
pub(crate) fn is_env_var_name(name: &str) -> bool {
    fits("envVarName", name)
}

fn is_word(segment: &str) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(segment))
}

fn is_id(segment: &str) -> bool {
    segment.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !is_word(segment)
}

/// An identifier, or `user~name` in one segment. Never two segments, and never one with a dot segment behind the tilde.
fn is_id_or_name(segment: &str) -> bool {
    match segment.split_once('~') {
        None => is_id(segment),
        Some((user, name)) => {
            is_username(user)
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }
    }
}

fn is_username(segment: &str) -> bool {
    segment.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && !segment.contains("..")
        && !segment.ends_with('.')
}

fn is_version(segment: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    segment.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_what_apify_makes() {
        for (parameter, good) in [
            ("runId", "3KH8gEpp4d8uQSe8T"),
            ("actorId", "3KH8gEpp4d8uQSe8T"),
            ("actorId", "jane-doe~price-watch"),
            ("actorId", "jane.doe_1~x"),
            ("datasetId", "jane~My-Data"),
            ("userId", "jane.doe"),
            ("buildIdOrDefault", "default"),
            ("versionNumber", "0.12"),
            ("envVarName", "MY_KEY_2"),
            ("recordKey", "INPUT"),
            ("recordKey", "a.b-c_d%21%27%28%29"),
            ("recordKey", "default"),
        ] {
            assert!(fits(parameter, good), "{parameter} {good}");
        }
        for (parameter, bad) in [
            ("runId", "last"),
            ("runId", "LAST"),
            ("runId", "a~b"),
            ("runId", "a.b"),
            ("runId", "%21"),
            ("buildId", "default"),
            ("buildIdOrDefault", "Default"),
            ("requestId", "batch"),
            ("actorId", "~b"),
            ("actorId", "a~"),
            ("actorId", "a~.."),
            ("actorId", "a~-b"),
            ("actorId", "a~b~c"),
            ("actorId", "..~b"),
            ("actorId", "a..b~c"),
            ("actorId", "a.~b"),
            ("actorId", "a.b"),
            ("actorId", "last"),
            ("actorId", "a~b%21"),
            ("userId", "me"),
            ("userId", "Me"),
            ("userId", "me.json"),
            ("userId", "a~b"),
            ("versionNumber", "0"),
            ("versionNumber", "0."),
            ("versionNumber", ".1"),
            ("versionNumber", "0.1.2"),
            ("versionNumber", "0.x"),
            ("envVarName", "a-b"),
            ("recordKey", "a~b"),
            ("recordKey", ""),
            ("anything", "a"),
        ] {
            assert!(!fits(parameter, bad), "{parameter} {bad}");
        }
        assert!(fits("runId", &"a".repeat(MAX_LEN)) && !fits("runId", &"a".repeat(MAX_LEN + 1)));
    }
}
