//! Datasets, key-value stores, request queues.

use crate::boundary::class::Class::{DatasetItems, Sharing, SourceCode};
use crate::boundary::shape::{Fields, Shape, data, page, part, plain};

const LINKS: Fields = plain(&[
    "urlSigningSecretKey",
    "itemsPublicUrl",
    "keysPublicUrl",
    "recordsPublicUrl",
    "consoleUrl",
    "generalAccess",
])
.of(&[Sharing]);

/// A file of the Actor's source, in whatever form.
const SCHEMA: Fields = part(&["schema"], &Shape::Any).of(&[SourceCode]);

const DATASET_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "name",
        "title",
        "userId",
        "username",
        "createdAt",
        "modifiedAt",
        "accessedAt",
        "itemCount",
        "cleanItemCount",
        "actId",
        "actRunId",
    ]),
    part(&["fields"], &Shape::List(&Shape::Scalar)),
    part(&["stats"], &Shape::Object(&[plain(&["readCount", "writeCount", "storageBytes", "inflatedBytes"])])),
    SCHEMA,
    LINKS,
]);

pub(crate) const DATASET: Shape = data!(DATASET_FIELDS);
pub(crate) const DATASET_LIST: Shape = page!(DATASET_FIELDS);

/// How often a field is missing or empty is metadata; the least and the greatest value are values of items.
pub(crate) const DATASET_STATISTICS: Shape = data!(Shape::Object(&[part(
    &["fieldStatistics"],
    &Shape::Map(&Shape::Object(&[
        plain(&["nullCount", "emptyCount"]),
        plain(&["min", "max"]).of(&[DatasetItems]),
    ])),
)]));

const STORE_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "name",
        "title",
        "userId",
        "username",
        "createdAt",
        "modifiedAt",
        "accessedAt",
        "actId",
        "actRunId",
    ]),
    part(
        &["stats"],
        &Shape::Object(&[plain(&[
            "readCount",
            "writeCount",
            "deleteCount",
            "listCount",
            "s3StorageBytes",
            "storageBytes",
        ])]),
    ),
    SCHEMA,
    LINKS,
]);

pub(crate) const KEY_VALUE_STORE: Shape = data!(STORE_FIELDS);
pub(crate) const KEY_VALUE_STORE_LIST: Shape = page!(STORE_FIELDS);

pub(crate) const KEY_LIST: Shape = data!(Shape::Object(&[
    plain(&["count", "limit", "exclusiveStartKey", "isTruncated", "nextExclusiveStartKey"]),
    part(
        &["items"],
        &Shape::List(&Shape::Object(&[plain(&["key", "size"]), plain(&["recordPublicUrl"]).of(&[Sharing]),])),
    ),
]));

const QUEUE_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "name",
        "userId",
        "username",
        "actId",
        "actRunId",
        "createdAt",
        "modifiedAt",
        "accessedAt",
        "expireAt",
        "totalRequestCount",
        "handledRequestCount",
        "pendingRequestCount",
        "hadMultipleClients",
    ]),
    part(
        &["stats"],
        &Shape::Object(&[plain(&[
            "deleteCount",
            "headItemReadCount",
            "readCount",
            "storageBytes",
            "writeCount",
        ])]),
    ),
    LINKS,
]);

pub(crate) const QUEUE: Shape = data!(QUEUE_FIELDS);
pub(crate) const QUEUE_LIST: Shape = page!(QUEUE_FIELDS);

/// What a request carries is free data of whoever put it there.
const REQUEST_FIELDS: Shape = Shape::Object(&[
    plain(&[
        "id",
        "uniqueKey",
        "url",
        "method",
        "retryCount",
        "loadedUrl",
        "noRetry",
        "handledAt",
        "lockExpiresAt",
    ]),
    part(&["payload", "headers", "userData", "errorMessages"], &Shape::Any),
]);

pub(crate) const REQUEST: Shape = data!(REQUEST_FIELDS);

pub(crate) const REQUEST_LIST: Shape = data!(Shape::Object(&[
    plain(&["limit", "exclusiveStartId", "cursor", "nextCursor"]),
    part(&["items"], &Shape::List(&REQUEST_FIELDS)),
]));

pub(crate) const QUEUE_HEAD: Shape = data!(Shape::Object(&[
    plain(&[
        "limit",
        "queueModifiedAt",
        "queueHasLockedRequests",
        "clientKey",
        "hadMultipleClients",
        "lockSecs",
    ]),
    part(&["items"], &Shape::List(&REQUEST_FIELDS)),
]));

pub(crate) const REQUEST_ADDED: Shape = data!(ADDED_FIELDS);

const ADDED_FIELDS: Shape = Shape::Object(&[plain(&[
    "requestId",
    "id",
    "uniqueKey",
    "wasAlreadyPresent",
    "wasAlreadyHandled",
    "url",
    "method",
])]);

pub(crate) const REQUEST_BATCH: Shape =
    data!(Shape::Object(&[
        part(&["processedRequests", "unprocessedRequests"], &Shape::List(&ADDED_FIELDS),)
    ]));

pub(crate) const REQUEST_LOCK: Shape = data!(Shape::Object(&[plain(&["lockExpiresAt"])]));
pub(crate) const REQUESTS_UNLOCKED: Shape = data!(Shape::Object(&[plain(&["unlockedCount"])]));
