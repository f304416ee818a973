//! Tasks of Actors.

use super::queries::{ITEMS, OUTPUT, PAGE, RESTART, START, STATUS, WAIT};
use crate::boundary::shapes::{EMPTY, RUN, RUN_LIST, TASK, TASK_INPUT, TASK_LIST, WEBHOOK_LIST};

super::operations! {
    GET "/v2/actor-tasks" [r Tasks] [PAGE] Json(&TASK_LIST);
    POST "/v2/actor-tasks" [w Tasks, w Inputs] [] Json(&TASK);
    GET "/v2/actor-tasks/{actorTaskId}" [r Tasks] [] Json(&TASK);
    PUT "/v2/actor-tasks/{actorTaskId}" [w Tasks, w Inputs] [] Json(&TASK);
    DELETE "/v2/actor-tasks/{actorTaskId}" [w Tasks, w Inputs] [] Json(&EMPTY);
    GET "/v2/actor-tasks/{actorTaskId}/input" [r Tasks, r Inputs] [] Json(&TASK_INPUT);
    PUT "/v2/actor-tasks/{actorTaskId}/input" [r Tasks, w Inputs] [] Json(&TASK_INPUT);
    GET "/v2/actor-tasks/{actorTaskId}/webhooks" [r Webhooks] [PAGE] Json(&WEBHOOK_LIST);
    GET "/v2/actor-tasks/{actorTaskId}/runs" [r Runs] [PAGE, STATUS] Json(&RUN_LIST);
    POST "/v2/actor-tasks/{actorTaskId}/runs" [w Runs, w Inputs] [START, RESTART, WAIT] Json(&RUN);
    GET "/v2/actor-tasks/{actorTaskId}/run-sync" [w Runs, r Records] [START, OUTPUT] Whole;
    POST "/v2/actor-tasks/{actorTaskId}/run-sync"
        [w Runs, w Inputs, r Records] [START, RESTART, OUTPUT] Whole;
    GET "/v2/actor-tasks/{actorTaskId}/run-sync-get-dataset-items"
        [w Runs, r DatasetItems] [ITEMS, START] Whole;
    POST "/v2/actor-tasks/{actorTaskId}/run-sync-get-dataset-items"
        [w Runs, w Inputs, r DatasetItems] [ITEMS, START, RESTART] Whole;
}
