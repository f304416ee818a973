//! Tasks, schedules, webhooks.

use super::actors::{RUN_DEFAULTS, STANDBY};
use crate::boundary::class::Class::{Inputs, Sharing};
use crate::boundary::shape::{Fields, Shape, data, page, part, plain};

const TASK_SHORT: Fields = plain(&[
    "id",
    "userId",
    "actId",
    "actName",
    "name",
    "username",
    "actUsername",
    "createdAt",
    "modifiedAt",
    "removedAt",
    "title",
]);
const TASK_STATS: Fields = part(&["stats"], &Shape::Object(&[plain(&["totalRuns"])]));

pub(crate) const TASK_LIST: Shape = page!(Shape::Object(&[TASK_SHORT, TASK_STATS]));

pub(crate) const TASK: Shape = data!(Shape::Object(&[
    TASK_SHORT,
    TASK_STATS,
    part(&["options"], &RUN_DEFAULTS),
    part(&["actorStandby"], &STANDBY),
    part(&["input"], &Shape::Any).of(&[Inputs]),
    plain(&["standbyUrl"]).of(&[Sharing]),
]));

/// It has no `data` around it.
pub(crate) const TASK_INPUT: Shape = Shape::Any;

const SCHEDULE_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "userId",
        "name",
        "title",
        "description",
        "cronExpression",
        "timezone",
        "isEnabled",
        "isExclusive",
        "createdAt",
        "modifiedAt",
        "nextRunAt",
        "lastRunAt",
    ]),
    part(&["notifications"], &Shape::Object(&[plain(&["email"])])),
    part(&["actions"], &Shape::List(&ACTION)),
]);

const ACTION: Shape = Shape::Object(&[
    plain(&["id", "type", "actorId", "actorTaskId"]),
    part(&["runOptions"], &RUN_DEFAULTS),
    part(&["runInput"], &Shape::Object(&[plain(&["body", "contentType"])])).of(&[Inputs]),
    part(&["input"], &Shape::Any).of(&[Inputs]),
]);

pub(crate) const SCHEDULE: Shape = data!(SCHEDULE_FIELDS);
pub(crate) const SCHEDULE_LIST: Shape = page!(SCHEDULE_FIELDS);
pub(crate) const SCHEDULE_LOG: Shape =
    data!(Shape::List(&Shape::Object(&[plain(&["message", "level", "createdAt"])])));

const CONDITION: Fields =
    part(&["condition"], &Shape::Object(&[plain(&["actorId", "actorTaskId", "actorRunId"])]));

/// Where a webhook goes and what it sends along may hold secrets: whoever may read webhooks may read those.
const WEBHOOK_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "createdAt",
        "modifiedAt",
        "userId",
        "isAdHoc",
        "isApifyIntegration",
        "isEnabled",
        "actionType",
        "shouldInterpolateStrings",
        "ignoreSslErrors",
        "doNotRetry",
        "requestUrl",
        "payloadTemplate",
        "headersTemplate",
        "description",
    ]),
    part(&["eventTypes"], &Shape::List(&Shape::Scalar)),
    CONDITION,
    part(&["lastDispatch"], &Shape::Object(&[plain(&["status", "finishedAt", "removedAt"])])),
    part(&["stats"], &Shape::Object(&[plain(&["totalDispatches"])])),
]);

pub(crate) const WEBHOOK: Shape = data!(WEBHOOK_FIELDS);
pub(crate) const WEBHOOK_LIST: Shape = page!(WEBHOOK_FIELDS);

const DISPATCH_FIELDS: Shape = Shape::Object(&[
    plain(&["id", "userId", "webhookId", "createdAt", "status", "eventType"]),
    part(&["eventData"], &Shape::Object(&[plain(&["actorId", "actorRunId", "actorBuildId", "actorTaskId"])])),
    part(&["webhook"], &Shape::Object(&[plain(&["actionType", "requestUrl", "isAdHoc"]), CONDITION])),
    part(
        &["calls"],
        &Shape::List(&Shape::Object(&[plain(&[
            "startedAt",
            "finishedAt",
            "errorMessage",
            "responseStatus",
            "responseBody",
        ])])),
    ),
]);

pub(crate) const DISPATCH: Shape = data!(DISPATCH_FIELDS);
pub(crate) const DISPATCH_LIST: Shape = page!(DISPATCH_FIELDS);
