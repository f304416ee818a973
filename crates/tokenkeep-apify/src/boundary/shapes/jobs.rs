//! Runs and builds.

use super::actors::PRICING;
use crate::boundary::class::Class::{Billing, EnvVars, KeyValueStores, RunLogs, Sharing, SourceCode, User};
use crate::boundary::shape::{Fields, Shape, data, page, part, plain};

const RUN_SHORT: Fields = plain(&[
    "id",
    "actId",
    "userId",
    "actorTaskId",
    "status",
    "startedAt",
    "finishedAt",
    "buildId",
    "buildNumber",
    "buildNumberInt",
    "usageTotalUsd",
    "defaultKeyValueStoreId",
    "defaultDatasetId",
    "defaultRequestQueueId",
]);

/// Where a run was started from tells our runs from others, address and program too.
const RUN_META: Shape =
    Shape::Object(&[plain(&["origin", "clientIp", "userAgent", "scheduleId", "scheduledAt"])]);

pub(crate) const RUN_LIST: Shape = page!(Shape::Object(&[RUN_SHORT, part(&["meta"], &RUN_META)]));

pub(crate) const RUN: Shape = data!(Shape::Object(&[
    RUN_SHORT,
    plain(&["exitCode", "isContainerServerReady", "isStatusMessageTerminal"]),
    part(&["meta"], &RUN_META),
    part(&["stats"], &RUN_STATS),
    part(&["options"], &RUN_OPTIONS),
    part(&["usage", "usageUsd"], &SERVICES),
    part(&["storageIds"], &STORAGE_IDS),
    part(&["metamorphs"], &Shape::List(&METAMORPH)),
    // What the Actor says is its own text.
    plain(&["statusMessage"]).of(&[RunLogs]),
    plain(&["gitBranchName"]).of(&[SourceCode]),
    plain(&["generalAccess", "containerUrl", "consoleUrl"]).of(&[Sharing]),
    plain(&["platformUsageBillingModel"]).of(&[Billing]),
    part(&["pricingInfo"], &PRICING).of(&[Billing]),
    part(&["chargedEventCounts"], &Shape::Map(&Shape::Scalar)).of(&[Billing]),
]));

const RUN_STATS: Shape = Shape::Object(&[plain(&[
    "inputBodyLen",
    "migrationCount",
    "rebootCount",
    "restartCount",
    "resurrectCount",
    "memAvgBytes",
    "memMaxBytes",
    "memCurrentBytes",
    "cpuAvgUsage",
    "cpuMaxUsage",
    "cpuCurrentUsage",
    "netRxBytes",
    "netTxBytes",
    "durationMillis",
    "runTimeSecs",
    "metamorph",
    "computeUnits",
])]);

const RUN_OPTIONS: Shape = Shape::Object(&[
    plain(&["build", "timeoutSecs", "memoryMbytes", "diskMbytes", "maxItems"]),
    plain(&["maxTotalChargeUsd"]).of(&[Billing]),
]);

const SERVICES: Shape = Shape::Object(&[plain(&[
    "ACTOR_COMPUTE_UNITS",
    "DATASET_READS",
    "DATASET_WRITES",
    "KEY_VALUE_STORE_READS",
    "KEY_VALUE_STORE_WRITES",
    "KEY_VALUE_STORE_LISTS",
    "REQUEST_QUEUE_READS",
    "REQUEST_QUEUE_WRITES",
    "DATA_TRANSFER_INTERNAL_GBYTES",
    "DATA_TRANSFER_EXTERNAL_GBYTES",
    "PROXY_RESIDENTIAL_TRANSFER_GBYTES",
    "PROXY_SERPS",
])]);

const STORAGE_IDS: Shape =
    Shape::Object(&[part(&["datasets", "keyValueStores", "requestQueues"], &Shape::Map(&Shape::Scalar))]);

const METAMORPH: Shape =
    Shape::Object(&[plain(&["createdAt", "actorId", "buildId"]), plain(&["inputKey"]).of(&[KeyValueStores])]);

const BUILD_SHORT: Fields = plain(&[
    "id",
    "actId",
    "userId",
    "status",
    "startedAt",
    "finishedAt",
    "usageTotalUsd",
    "buildNumber",
    "buildNumberInt",
]);

const BUILD_META: Shape = Shape::Object(&[plain(&["origin"]), plain(&["clientIp", "userAgent"]).of(&[User])]);

pub(crate) const BUILD_LIST: Shape = page!(Shape::Object(&[BUILD_SHORT, part(&["meta"], &BUILD_META)]));

pub(crate) const BUILD: Shape = data!(Shape::Object(&[
    BUILD_SHORT,
    part(&["meta"], &BUILD_META),
    part(
        &["stats"],
        &Shape::Object(&[plain(&["durationMillis", "runTimeSecs", "computeUnits", "imageSizeBytes"])]),
    ),
    part(&["options"], &Shape::Object(&[plain(&["useCache", "betaPackages", "memoryMbytes", "diskMbytes"])]),),
    part(&["usage", "usageUsd"], &Shape::Object(&[plain(&["ACTOR_COMPUTE_UNITS"])])),
    part(&["actVersion"], &BUILT_VERSION),
    plain(&["inputSchema", "readme"]).of(&[SourceCode]),
    part(&["actorDefinition"], &DEFINITION).of(&[SourceCode]),
]));

const BUILT_VERSION: Shape = Shape::Object(&[
    plain(&["versionNumber", "buildTag", "sourceType"]),
    plain(&["gitRepoUrl"]).of(&[SourceCode]),
    part(&["sourceFiles"], &Shape::List(&Shape::Object(&[plain(&["format", "content", "name"])])))
        .of(&[SourceCode]),
]);

const DEFINITION: Shape = Shape::Object(&[
    plain(&[
        "actorSpecification",
        "name",
        "version",
        "buildTag",
        "dockerfile",
        "dockerContextDir",
        "readme",
        "changelog",
        "defaultMemoryMbytes",
        "minMemoryMbytes",
        "maxMemoryMbytes",
        "usesStandbyMode",
    ]),
    part(&["input"], &Shape::Any),
    part(&["storages"], &Shape::Object(&[part(&["dataset"], &Shape::Any)])),
    part(&["environmentVariables"], &Shape::Map(&Shape::Scalar)).of(&[EnvVars]),
]);

/// A description of the build as an API, made of the input schema.
pub(crate) const BUILD_OPENAPI: Shape = Shape::Any;
