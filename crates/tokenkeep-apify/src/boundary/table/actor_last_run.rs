//! The last run of an Actor, and what belongs to it.

use super::queries::{
    ATTACH, CLIENT, FOREFRONT, GRACE, ITEMS, KEYS, LAST, LIMIT, LOCK, LOG, MORPH, RAW, REQUESTS, SELECT,
    SIGNED, WAIT,
};
use crate::boundary::shapes::{
    DATASET, DATASET_STATISTICS, EMPTY, KEY_LIST, KEY_VALUE_STORE, QUEUE, QUEUE_HEAD, REQUEST, REQUEST_ADDED,
    REQUEST_BATCH, REQUEST_LIST, REQUEST_LOCK, REQUESTS_UNLOCKED, RUN,
};

super::operations! {
    GET "/v2/actors/{actorId}/runs/last" [r Runs] [LAST, WAIT] Json(&RUN);
    GET "/v2/actors/{actorId}/runs/last/dataset" [r Runs, r Datasets] [LAST] Json(&DATASET);
    PUT "/v2/actors/{actorId}/runs/last/dataset" [r Runs, w Datasets, w Sharing] [LAST] Json(&DATASET);
    DELETE "/v2/actors/{actorId}/runs/last/dataset" [r Runs, w Datasets, w DatasetItems] [LAST] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/dataset/items" [r Runs, r DatasetItems] [ITEMS, LAST, SIGNED] Whole;
    POST "/v2/actors/{actorId}/runs/last/dataset/items" [r Runs, w DatasetItems] [LAST] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/dataset/statistics"
        [r Runs, r Datasets] [LAST] Json(&DATASET_STATISTICS);
    GET "/v2/actors/{actorId}/runs/last/key-value-store"
        [r Runs, r KeyValueStores] [LAST] Json(&KEY_VALUE_STORE);
    PUT "/v2/actors/{actorId}/runs/last/key-value-store"
        [r Runs, w KeyValueStores, w Sharing] [LAST] Json(&KEY_VALUE_STORE);
    DELETE "/v2/actors/{actorId}/runs/last/key-value-store"
        [r Runs, w KeyValueStores, w Records] [LAST] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/key-value-store/keys"
        [r Runs, r KeyValueStores] [KEYS, LAST, SIGNED] Json(&KEY_LIST);
    GET "/v2/actors/{actorId}/runs/last/key-value-store/records"
        [r Runs, r Records] [LAST, SIGNED, SELECT] Whole;
    GET "/v2/actors/{actorId}/runs/last/key-value-store/records/{recordKey}"
        [r Runs, r Records] [LAST, SIGNED, ATTACH] Whole;
    PUT "/v2/actors/{actorId}/runs/last/key-value-store/records/{recordKey}"
        [r Runs, w Records] [LAST] Json(&EMPTY);
    POST "/v2/actors/{actorId}/runs/last/key-value-store/records/{recordKey}"
        [r Runs, w Records] [LAST] Json(&EMPTY);
    DELETE "/v2/actors/{actorId}/runs/last/key-value-store/records/{recordKey}"
        [r Runs, w Records] [LAST] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/request-queue" [r Runs, r RequestQueues] [LAST] Json(&QUEUE);
    PUT "/v2/actors/{actorId}/runs/last/request-queue"
        [r Runs, w RequestQueues, w Sharing] [LAST] Json(&QUEUE);
    DELETE "/v2/actors/{actorId}/runs/last/request-queue" [r Runs, w RequestQueues] [LAST] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/request-queue/requests"
        [r Runs, r RequestQueues] [REQUESTS, LAST] Json(&REQUEST_LIST);
    POST "/v2/actors/{actorId}/runs/last/request-queue/requests"
        [r Runs, w RequestQueues] [LAST, CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    POST "/v2/actors/{actorId}/runs/last/request-queue/requests/batch"
        [r Runs, w RequestQueues] [LAST, CLIENT, FOREFRONT] Json(&REQUEST_BATCH);
    DELETE "/v2/actors/{actorId}/runs/last/request-queue/requests/batch"
        [r Runs, w RequestQueues] [LAST, CLIENT] Json(&REQUEST_BATCH);
    POST "/v2/actors/{actorId}/runs/last/request-queue/requests/unlock"
        [r Runs, w RequestQueues] [LAST, CLIENT] Json(&REQUESTS_UNLOCKED);
    GET "/v2/actors/{actorId}/runs/last/request-queue/requests/{requestId}"
        [r Runs, r RequestQueues] [LAST] Json(&REQUEST);
    PUT "/v2/actors/{actorId}/runs/last/request-queue/requests/{requestId}"
        [r Runs, w RequestQueues] [LAST, CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    DELETE "/v2/actors/{actorId}/runs/last/request-queue/requests/{requestId}"
        [r Runs, w RequestQueues] [LAST, CLIENT] Json(&EMPTY);
    PUT "/v2/actors/{actorId}/runs/last/request-queue/requests/{requestId}/lock"
        [r Runs, w RequestQueues] [LAST, CLIENT, FOREFRONT, LOCK] Json(&REQUEST_LOCK);
    DELETE "/v2/actors/{actorId}/runs/last/request-queue/requests/{requestId}/lock"
        [r Runs, w RequestQueues] [LAST, CLIENT, FOREFRONT] Json(&EMPTY);
    GET "/v2/actors/{actorId}/runs/last/request-queue/head"
        [r Runs, r RequestQueues] [LAST, CLIENT, LIMIT] Json(&QUEUE_HEAD);
    POST "/v2/actors/{actorId}/runs/last/request-queue/head/lock"
        [r Runs, w RequestQueues] [LAST, CLIENT, LOCK, LIMIT] Json(&QUEUE_HEAD);
    GET "/v2/actors/{actorId}/runs/last/log" [r RunLogs] [LAST, LOG, RAW] Text;
    POST "/v2/actors/{actorId}/runs/last/abort" [w Runs] [LAST, GRACE] Json(&RUN);
    POST "/v2/actors/{actorId}/runs/last/metamorph" [w Runs, w Inputs] [LAST, MORPH] Json(&RUN);
    POST "/v2/actors/{actorId}/runs/last/reboot" [w Runs] [LAST] Json(&RUN);
}
