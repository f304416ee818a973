//! Datasets, key-value stores, request queues.

use super::queries::{
    ATTACH, CLIENT, FOREFRONT, ITEMS, KEYS, LIMIT, LOCK, NAME, PAGE, REQUESTS, SELECT, SIGNED, UNNAMED,
};
use crate::boundary::shapes::{
    DATASET, DATASET_LIST, DATASET_STATISTICS, EMPTY, KEY_LIST, KEY_VALUE_STORE, KEY_VALUE_STORE_LIST, QUEUE,
    QUEUE_HEAD, QUEUE_LIST, REQUEST, REQUEST_ADDED, REQUEST_BATCH, REQUEST_LIST, REQUEST_LOCK,
    REQUESTS_UNLOCKED,
};

super::operations! {
    GET "/v2/key-value-stores" [r KeyValueStores] [PAGE, UNNAMED] Json(&KEY_VALUE_STORE_LIST);
    POST "/v2/key-value-stores" [w KeyValueStores] [NAME] Json(&KEY_VALUE_STORE);
    GET "/v2/key-value-stores/{storeId}" [r KeyValueStores] [] Json(&KEY_VALUE_STORE);
    PUT "/v2/key-value-stores/{storeId}" [w KeyValueStores, w Sharing] [] Json(&KEY_VALUE_STORE);
    DELETE "/v2/key-value-stores/{storeId}" [w KeyValueStores, w Records] [] Json(&EMPTY);
    GET "/v2/key-value-stores/{storeId}/keys" [r KeyValueStores] [KEYS, SIGNED] Json(&KEY_LIST);
    GET "/v2/key-value-stores/{storeId}/records" [r Records] [SIGNED, SELECT] Whole;
    GET "/v2/key-value-stores/{storeId}/records/{recordKey}" [r Records] [SIGNED, ATTACH] Whole;
    HEAD "/v2/key-value-stores/{storeId}/records/{recordKey}" [r Records] [] Whole;
    PUT "/v2/key-value-stores/{storeId}/records/{recordKey}" [w Records] [] Json(&EMPTY);
    POST "/v2/key-value-stores/{storeId}/records/{recordKey}" [w Records] [] Json(&EMPTY);
    DELETE "/v2/key-value-stores/{storeId}/records/{recordKey}" [w Records] [] Json(&EMPTY);
    GET "/v2/datasets" [r Datasets] [PAGE, UNNAMED] Json(&DATASET_LIST);
    POST "/v2/datasets" [w Datasets] [NAME] Json(&DATASET);
    GET "/v2/datasets/{datasetId}" [r Datasets] [] Json(&DATASET);
    PUT "/v2/datasets/{datasetId}" [w Datasets, w Sharing] [] Json(&DATASET);
    DELETE "/v2/datasets/{datasetId}" [w Datasets, w DatasetItems] [] Json(&EMPTY);
    GET "/v2/datasets/{datasetId}/items" [r DatasetItems] [ITEMS, SIGNED] Whole;
    HEAD "/v2/datasets/{datasetId}/items" [r DatasetItems] [ITEMS, SIGNED] Whole;
    POST "/v2/datasets/{datasetId}/items" [w DatasetItems] [] Json(&EMPTY);
    GET "/v2/datasets/{datasetId}/statistics" [r Datasets] [] Json(&DATASET_STATISTICS);
    GET "/v2/request-queues" [r RequestQueues] [PAGE, UNNAMED] Json(&QUEUE_LIST);
    POST "/v2/request-queues" [w RequestQueues] [NAME] Json(&QUEUE);
    GET "/v2/request-queues/{queueId}" [r RequestQueues] [] Json(&QUEUE);
    PUT "/v2/request-queues/{queueId}" [w RequestQueues, w Sharing] [] Json(&QUEUE);
    DELETE "/v2/request-queues/{queueId}" [w RequestQueues] [] Json(&EMPTY);
    POST "/v2/request-queues/{queueId}/requests/batch"
        [w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_BATCH);
    DELETE "/v2/request-queues/{queueId}/requests/batch" [w RequestQueues] [CLIENT] Json(&REQUEST_BATCH);
    POST "/v2/request-queues/{queueId}/requests/unlock" [w RequestQueues] [CLIENT] Json(&REQUESTS_UNLOCKED);
    GET "/v2/request-queues/{queueId}/requests" [r RequestQueues] [REQUESTS] Json(&REQUEST_LIST);
    POST "/v2/request-queues/{queueId}/requests" [w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    GET "/v2/request-queues/{queueId}/requests/{requestId}" [r RequestQueues] [] Json(&REQUEST);
    PUT "/v2/request-queues/{queueId}/requests/{requestId}"
        [w RequestQueues] [CLIENT, FOREFRONT] Json(&REQUEST_ADDED);
    DELETE "/v2/request-queues/{queueId}/requests/{requestId}" [w RequestQueues] [CLIENT] Json(&EMPTY);
    GET "/v2/request-queues/{queueId}/head" [r RequestQueues] [CLIENT, LIMIT] Json(&QUEUE_HEAD);
    POST "/v2/request-queues/{queueId}/head/lock" [w RequestQueues] [CLIENT, LOCK, LIMIT] Json(&QUEUE_HEAD);
    PUT "/v2/request-queues/{queueId}/requests/{requestId}/lock"
        [w RequestQueues] [CLIENT, FOREFRONT, LOCK] Json(&REQUEST_LOCK);
    DELETE "/v2/request-queues/{queueId}/requests/{requestId}/lock"
        [w RequestQueues] [CLIENT, FOREFRONT] Json(&EMPTY);
}
