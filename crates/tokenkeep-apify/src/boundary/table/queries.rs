//! The names of query parameters, in groups that operations share.

pub(super) const PAGE: &[&str] = &["offset", "limit", "desc"];
pub(super) const LAST: &[&str] = &["status", "origin"];
pub(super) const START: &[&str] =
    &["timeout", "memory", "maxItems", "maxTotalChargeUsd", "build", "webhooks"];
pub(super) const RESTART: &[&str] = &["restartOnError"];
pub(super) const WAIT: &[&str] = &["waitForFinish"];
pub(super) const OUTPUT: &[&str] = &["outputRecordKey"];
pub(super) const FORCE: &[&str] = &["forcePermissionLevel"];
pub(super) const ITEMS: &[&str] = &[
    "format",
    "clean",
    "offset",
    "limit",
    "fields",
    "outputFields",
    "omit",
    "unwind",
    "flatten",
    "desc",
    "attachment",
    "delimiter",
    "bom",
    "xmlRoot",
    "xmlRow",
    "skipHeaderRow",
    "skipHidden",
    "skipEmpty",
    "simplified",
    "view",
    "skipFailedPages",
    "feedTitle",
    "feedDescription",
];
pub(super) const SIGNED: &[&str] = &["signature"];
pub(super) const KEYS: &[&str] = &["exclusiveStartKey", "limit", "collection", "prefix"];
pub(super) const SELECT: &[&str] = &["collection", "prefix"];
pub(super) const ATTACH: &[&str] = &["attachment"];
pub(super) const CLIENT: &[&str] = &["clientKey"];
pub(super) const FOREFRONT: &[&str] = &["forefront"];
pub(super) const LOCK: &[&str] = &["lockSecs"];
pub(super) const LIMIT: &[&str] = &["limit"];
pub(super) const REQUESTS: &[&str] = &["clientKey", "exclusiveStartId", "limit", "cursor", "filter"];
pub(super) const LOG: &[&str] = &["stream", "download"];
pub(super) const RAW: &[&str] = &["raw"];
pub(super) const GRACE: &[&str] = &["gracefully"];
pub(super) const MORPH: &[&str] = &["targetActorId", "build"];
pub(super) const OF_BUILD: &[&str] = &["build"];
pub(super) const UNNAMED: &[&str] = &["unnamed", "ownership"];
pub(super) const NAME: &[&str] = &["name"];
pub(super) const RUNS: &[&str] = &["status", "startedAfter", "startedBefore"];
pub(super) const STATUS: &[&str] = &["status"];
pub(super) const MINE: &[&str] = &["my", "sortBy"];
pub(super) const NEWBUILD: &[&str] = &["version", "useCache", "betaPackages", "tag", "waitForFinish"];
pub(super) const RESURRECT: &[&str] = &["build", "timeout", "memory", "restartOnError"];
pub(super) const RESURRECT_MAX: &[&str] = &["maxItems", "maxTotalChargeUsd"];
pub(super) const STORE: &[&str] = &[
    "limit",
    "offset",
    "search",
    "sortBy",
    "category",
    "username",
    "pricingModel",
    "allowsAgenticUsers",
    "responseFormat",
    "includeUnrunnableActors",
];
pub(super) const DATE: &[&str] = &["date"];
pub(super) const ECHO: &[&str] = &["skipHeaders", "rawHeaders"];
