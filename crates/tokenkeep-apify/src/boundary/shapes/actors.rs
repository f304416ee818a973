//! Actors, their versions, their environment variables, and Apify Store.

use crate::boundary::class::Class::{Billing, Builds, EnvVars, Inputs, OtherUsers, Sharing, SourceCode};
use crate::boundary::shape::{Fields, Shape, data, page, part, plain};

const STATS: Shape = Shape::Object(&[
    plain(&[
        "totalBuilds",
        "totalRuns",
        "totalUsers",
        "totalUsers7Days",
        "totalUsers30Days",
        "totalUsers90Days",
        "totalMetamorphs",
        "lastRunStartedAt",
        "actorReviewCount",
        "actorReviewRating",
        "bookmarkCount",
    ]),
    part(
        &["publicActorRunStats30Days"],
        &Shape::Object(&[plain(&["ABORTED", "FAILED", "SUCCEEDED", "TIMED-OUT", "TOTAL"])]),
    ),
]);

pub(crate) const ACTOR_LIST: Shape = page!(Shape::Object(&[
    plain(&["id", "createdAt", "modifiedAt", "name", "username", "title"]),
    part(&["stats"], &STATS),
]));

pub(crate) const ACTOR: Shape = data!(Shape::Object(&[
    plain(&[
        "id",
        "userId",
        "name",
        "username",
        "title",
        "description",
        "notice",
        "seoTitle",
        "seoDescription",
        "createdAt",
        "modifiedAt",
        "restartOnError",
        "actorPermissionLevel",
        "isPublic",
        "isDeprecated",
        "isCritical",
        "isGeneric",
        "isSourceCodeHidden",
        "hasNoDataset",
    ]),
    part(&["categories"], &Shape::List(&Shape::Scalar)),
    part(&["stats"], &STATS),
    part(&["versions"], &Shape::List(&VERSION_FIELDS)),
    part(&["defaultRunOptions"], &RUN_DEFAULTS),
    part(&["actorStandby"], &STANDBY),
    part(&["taggedBuilds"], &Shape::Map(&TAGGED_BUILD)).of(&[Builds]),
    part(&["exampleRunInput"], &Shape::Object(&[plain(&["body", "contentType"])])).of(&[Inputs]),
    part(&["pricingInfos"], &Shape::List(&PRICING)).of(&[Billing]),
    // The key of the repository that the source is fetched from, and a text that is made of the source's read-me.
    plain(&["deploymentKey", "readmeSummary"]).of(&[SourceCode]),
    plain(&["standbyUrl", "pictureUrl"]).of(&[Sharing]),
]));

pub(super) const RUN_DEFAULTS: Shape = Shape::Object(&[
    plain(&["build", "timeoutSecs", "memoryMbytes", "restartOnError", "maxItems", "forcePermissionLevel"]),
    plain(&["maxTotalChargeUsd"]).of(&[Billing]),
]);

pub(super) const STANDBY: Shape = Shape::Object(&[plain(&[
    "isEnabled",
    "desiredRequestsPerActorRun",
    "maxRequestsPerActorRun",
    "idleTimeoutSecs",
    "build",
    "memoryMbytes",
    "disableStandbyFieldsOverride",
    "shouldPassActorInput",
])]);

const TAGGED_BUILD: Shape =
    Shape::Object(&[plain(&["buildId", "buildNumber", "buildNumberInt", "finishedAt"])]);

const VERSION_FIELDS: Shape = Shape::Object(&[
    plain(&["versionNumber", "sourceType", "applyEnvVarsToBuild", "buildTag"]),
    part(&["envVars"], &Shape::List(&ENV_VAR_FIELDS)).of(&[EnvVars]),
    part(&["sourceFiles"], &Shape::List(&Shape::Object(&[plain(&["format", "content", "name", "folder"])])))
        .of(&[SourceCode]),
    // Such an address can hold a password.
    plain(&["gitRepoUrl", "tarballUrl", "gitHubGistUrl"]).of(&[SourceCode]),
]);

pub(crate) const VERSION: Shape = data!(VERSION_FIELDS);
pub(crate) const VERSION_LIST: Shape = page!(VERSION_FIELDS);

const ENV_VAR_FIELDS: Shape = Shape::Object(&[plain(&["name", "value", "isSecret"])]);

pub(crate) const ENV_VAR: Shape = data!(ENV_VAR_FIELDS);
pub(crate) const ENV_VAR_LIST: Shape = page!(ENV_VAR_FIELDS);

pub(crate) const INPUT_VALID: Shape = Shape::Object(&[plain(&["valid"])]);

const PRICING_FIELDS: Fields = plain(&[
    "apifyMarginPercentage",
    "createdAt",
    "startedAt",
    "notifiedAboutFutureChangeAt",
    "notifiedAboutChangeAt",
    "reasonForChange",
    "isPriceChangeNotificationSuppressed",
    "forceContainsSignificantPriceChange",
    "isPPEPlatformUsagePaidByUser",
    "pricingModel",
    "minimalMaxTotalChargeUsd",
    "unitName",
    "pricePerUnitUsd",
    "trialMinutes",
]);

pub(super) const PRICING: Shape = Shape::Object(&[
    PRICING_FIELDS,
    part(&["pricingPerEvent"], &Shape::Object(&[part(&["actorChargeEvents"], &Shape::Map(&CHARGE_EVENT))])),
    part(&["tieredPricing"], &Shape::Map(&Shape::Object(&[plain(&["tieredPricePerUnitUsd"])]))),
]);

const CHARGE_EVENT: Shape = Shape::Object(&[
    plain(&["eventTitle", "eventDescription", "eventPriceUsd", "isPrimaryEvent", "isOneTimeEvent"]),
    part(&["eventTieredPricingUsd"], &Shape::Map(&Shape::Object(&[plain(&["tieredEventPriceUsd"])]))),
]);

/// What Apify Store shows of an Actor is public, prices and pictures too. The full name of a person is of another class.
pub(crate) const STORE_LIST: Shape = page!(Shape::Object(&[
    plain(&[
        "id",
        "title",
        "name",
        "username",
        "description",
        "notice",
        "pictureUrl",
        "url",
        "isWhiteListedForAgenticPayments",
        "actorReviewCount",
        "actorReviewRating",
        "bookmarkCount",
        "badge",
        "readmeSummary",
    ]),
    part(&["categories"], &Shape::List(&Shape::Scalar)),
    part(&["stats"], &STATS),
    part(&["currentPricingInfo"], &PRICING),
    plain(&["userFullName", "userPictureUrl"]).of(&[OtherUsers]),
]));
