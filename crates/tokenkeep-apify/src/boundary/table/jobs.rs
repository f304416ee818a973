//! Runs, builds, logs.

use super::queries::{
    ATTACH, CLIENT, FOREFRONT, GRACE, ITEMS, KEYS, LIMIT, LOCK, LOG, MORPH, PAGE, RAW, REQUESTS, RESURRECT,
    RESURRECT_MAX, RUNS, SELECT, SIGNED, WAIT,
};
use crate::boundary::shapes::{
    BUILD, BUILD_LIST, BUILD_OPENAPI, DATASET, DATASET_STATISTICS, EMPTY, KEY_LIST, KEY_VALUE_STORE, QUEUE,
    QUEUE_HEAD, REQUEST, REQUEST_ADDED, REQUEST_BATCH, REQUEST_LIST, REQUEST_LOCK, REQUESTS_UNLOCKED, RUN,
    RUN_LIST,
};

super::operations! {
    GET "/v2/actor-runs" [r Runs] [PAGE, RUNS] Json(&RUN_LIST);
    GET "/v2/actor-runs/{runId}" [r Runs] [WAIT] Json(&RUN);
    PUT "/v2/actor-runs/{runId}" [w Runs, w RunLogs, w Sharing] [] Json(&RUN);
    DELETE "/v2/actor-runs/{runId}" [w Runs, w RunLogs] [] Json(&EMPTY);
    POST "/v2/actor-runs/{runId}/abort" [w Runs] [GRACE] Json(&RUN);
    POST "/v2/actor-runs/{runId}/metamorph" [w Runs, w Inputs] [MORPH] Json(&RUN);
    POST "/v2/actor-runs/{runId}/reboot" [w Runs] [] Json(&RUN);
    POST "/v2/actor-runs/{runId}/resurrect" [w Runs] [RESURRECT, RESURRECT_MAX] Json(&RUN);
    POST "/v2/actor-runs/{runId}/charge" [w Runs, w Billing] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/dataset" [r Runs, r Datasets] [] Json(&DATASET);
    PUT "/v2/actor-runs/{runId}/dataset" [r Runs, w Datasets, w Sharing] [] Json(&DATASET);
    DELETE "/v2/actor-runs/{runId}/dataset" [r Runs, w Datasets, w DatasetItems] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/dataset/items" [r Runs, r DatasetItems] [ITEMS, SIGNED] Whole;
    POST "/v2/actor-runs/{runId}/dataset/items" [r Runs, w DatasetItems] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/dataset/statistics" [r Runs, r Datasets] [] Json(&DATASET_STATISTICS);
    GET "/v2/actor-runs/{runId}/key-value-store" [r Runs, r KeyValueStores] [] Json(&KEY_VALUE_STORE);
    PUT "/v2/actor-runs/{runId}/key-value-store"
        [r Runs, w KeyValueStores, w Sharing] [] Json(&KEY_VALUE_STORE);
    DELETE "/v2/actor-runs/{runId}/key-value-store" [r Runs, w KeyValueStores, w Records] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/key-value-store/keys"
        [r Runs, r KeyValueStores] [KEYS, SIGNED] Json(&KEY_LIST);
    GET "/v2/actor-runs/{runId}/key-value-store/records" [r Runs, r Records] [SIGNED, SELECT] Whole;
    GET "/v2/actor-runs/{runId}/key-value-store/records/{recordKey}"
        [r Runs, r Records] [SIGNED, ATTACH] Whole;
    PUT "/v2/actor-runs/{runId}/key-value-store/records/{recordKey}" [r Runs, w Records] [] Json(&EMPTY);
    POST "/v2/actor-runs/{runId}/key-value-store/records/{recordKey}" [r Runs, w Records] [] Json(&EMPTY);
    DELETE "/v2/actor-runs/{runId}/key-value-store/records/{recordKey}" [r Runs, w Records] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/request-queue" [r Runs, r RequestQueues] [] Json(&QUEUE);
    PUT "/v2/actor-runs/{runId}/request-queue" [r Runs, w RequestQueues, w Sharing] [] Json(&QUEUE);
    DELETE "/v2/actor-runs/{runId}/request-queue" [r Runs, w RequestQueues] [] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/request-queue/requests"
        [r Runs, r RequestQueues] [REQUESTS] Json(&REQUEST_LIST);
    POST "/v2/actor-runs/{runId}/request-queue/requests"
        [r Runs, w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    POST "/v2/actor-runs/{runId}/request-queue/requests/batch"
        [r Runs, w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_BATCH);
    DELETE "/v2/actor-runs/{runId}/request-queue/requests/batch"
        [r Runs, w RequestQueues] [CLIENT] Json(&REQUEST_BATCH);
    POST "/v2/actor-runs/{runId}/request-queue/requests/unlock"
        [r Runs, w RequestQueues] [CLIENT] Json(&REQUESTS_UNLOCKED);
    GET "/v2/actor-runs/{runId}/request-queue/requests/{requestId}"
        [r Runs, r RequestQueues] [] Json(&REQUEST);
    PUT "/v2/actor-runs/{runId}/request-queue/requests/{requestId}"
        [r Runs, w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    DELETE "/v2/actor-runs/{runId}/request-queue/requests/{requestId}"
        [r Runs, w RequestQueues] [CLIENT] Json(&EMPTY);
    PUT "/v2/actor-runs/{runId}/request-queue/requests/{requestId}/lock"
        [r Runs, w RequestQueues] [CLIENT, FOREFRONT, LOCK] Json(&REQUEST_LOCK);
    DELETE "/v2/actor-runs/{runId}/request-queue/requests/{requestId}/lock"
        [r Runs, w RequestQueues] [CLIENT, FOREFRONT] Json(&EMPTY);
    GET "/v2/actor-runs/{runId}/request-queue/head"
        [r Runs, r RequestQueues] [CLIENT, LIMIT] Json(&QUEUE_HEAD);
    POST "/v2/actor-runs/{runId}/request-queue/head/lock"
        [r Runs, w RequestQueues] [CLIENT, LOCK, LIMIT] Json(&QUEUE_HEAD);
    GET "/v2/actor-runs/{runId}/log" [r RunLogs] [LOG, RAW] Text;
    GET "/v2/actor-builds" [r Builds] [PAGE] Json(&BUILD_LIST);
    GET "/v2/actor-builds/{buildId}" [r Builds] [WAIT] Json(&BUILD);
    DELETE "/v2/actor-builds/{buildId}" [w Builds, w BuildLogs] [] Json(&EMPTY);
    POST "/v2/actor-builds/{buildId}/abort" [w Builds] [] Json(&BUILD);
    GET "/v2/actor-builds/{buildId}/log" [r BuildLogs] [LOG] Text;
    GET "/v2/actor-builds/{buildIdOrDefault}/openapi.json" [r Builds, r SourceCode] [] Json(&BUILD_OPENAPI);
    GET "/v2/logs/{buildOrRunId}" [r RunLogs, r BuildLogs] [LOG, RAW] Text;
}
