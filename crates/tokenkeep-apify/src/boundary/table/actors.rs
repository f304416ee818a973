//! Actors, their versions, environment variables, builds and runs.

use super::queries::{
    FORCE, GRACE, ITEMS, MINE, MORPH, NEWBUILD, OF_BUILD, OUTPUT, PAGE, RESTART, RESURRECT, RUNS, START, WAIT,
};
use crate::boundary::shapes::{
    ACTOR, ACTOR_LIST, BUILD, BUILD_LIST, BUILD_OPENAPI, EMPTY, ENV_VAR, ENV_VAR_LIST, INPUT_VALID, RUN,
    RUN_LIST, VERSION, VERSION_LIST, WEBHOOK_LIST,
};

super::operations! {
    GET "/v2/actors" [r Actors] [PAGE, MINE] Json(&ACTOR_LIST);
    POST "/v2/actors" [w Actors, w SourceCode, w EnvVars, w Inputs, w Billing, w Sharing] [] Json(&ACTOR);
    GET "/v2/actors/{actorId}" [r Actors] [] Json(&ACTOR);
    PUT "/v2/actors/{actorId}"
        [w Actors, w SourceCode, w EnvVars, w Inputs, w Billing, w Sharing] [] Json(&ACTOR);
    DELETE "/v2/actors/{actorId}" [w Actors, w SourceCode, w EnvVars, w Builds, w BuildLogs] [] Json(&EMPTY);
    GET "/v2/actors/{actorId}/versions" [r Actors] [] Json(&VERSION_LIST);
    POST "/v2/actors/{actorId}/versions" [w Actors, w SourceCode, w EnvVars] [] Json(&VERSION);
    GET "/v2/actors/{actorId}/versions/{versionNumber}" [r Actors] [] Json(&VERSION);
    PUT "/v2/actors/{actorId}/versions/{versionNumber}" [w Actors, w SourceCode, w EnvVars] [] Json(&VERSION);
    POST "/v2/actors/{actorId}/versions/{versionNumber}"
        [w Actors, w SourceCode, w EnvVars] [] Json(&VERSION);
    DELETE "/v2/actors/{actorId}/versions/{versionNumber}"
        [w Actors, w SourceCode, w EnvVars] [] Json(&EMPTY);
    GET "/v2/actors/{actorId}/versions/{versionNumber}/env-vars" [r EnvVars] [] Json(&ENV_VAR_LIST);
    POST "/v2/actors/{actorId}/versions/{versionNumber}/env-vars" [w EnvVars] [] Json(&ENV_VAR);
    GET "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}" [r EnvVars] [] Json(&ENV_VAR);
    PUT "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}" [w EnvVars] [] Json(&ENV_VAR);
    POST "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}" [w EnvVars] [] Json(&ENV_VAR);
    DELETE "/v2/actors/{actorId}/versions/{versionNumber}/env-vars/{envVarName}" [w EnvVars] [] Json(&EMPTY);
    GET "/v2/actors/{actorId}/webhooks" [r Webhooks] [PAGE] Json(&WEBHOOK_LIST);
    GET "/v2/actors/{actorId}/builds" [r Builds] [PAGE] Json(&BUILD_LIST);
    POST "/v2/actors/{actorId}/builds" [w Builds] [NEWBUILD] Json(&BUILD);
    GET "/v2/actors/{actorId}/builds/default" [r Builds] [WAIT] Json(&BUILD);
    GET "/v2/actors/{actorId}/builds/{buildIdOrDefault}/openapi.json"
        [r Builds, r SourceCode] [] Json(&BUILD_OPENAPI);
    GET "/v2/actors/{actorId}/builds/{buildId}" [r Builds] [WAIT] Json(&BUILD);
    POST "/v2/actors/{actorId}/builds/{buildId}/abort" [w Builds] [] Json(&BUILD);
    GET "/v2/actors/{actorId}/runs" [r Runs] [PAGE, RUNS] Json(&RUN_LIST);
    POST "/v2/actors/{actorId}/runs" [w Runs, w Inputs] [START, RESTART, WAIT, FORCE] Json(&RUN);
    POST "/v2/actors/{actorId}/run-sync" [w Runs, w Inputs, r Records] [START, RESTART, OUTPUT] Whole;
    GET "/v2/actors/{actorId}/run-sync" [w Runs, r Records] [START, RESTART, OUTPUT] Whole;
    POST "/v2/actors/{actorId}/run-sync-get-dataset-items"
        [w Runs, w Inputs, r DatasetItems] [ITEMS, START, RESTART] Whole;
    GET "/v2/actors/{actorId}/run-sync-get-dataset-items"
        [w Runs, r DatasetItems] [ITEMS, START, RESTART] Whole;
    POST "/v2/actors/{actorId}/validate-input" [r Actors, r Inputs] [OF_BUILD] Json(&INPUT_VALID);
    POST "/v2/actors/{actorId}/runs/{runId}/resurrect" [w Runs] [RESURRECT] Json(&RUN);
    GET "/v2/actors/{actorId}/runs/{runId}" [r Runs] [WAIT] Json(&RUN);
    POST "/v2/actors/{actorId}/runs/{runId}/abort" [w Runs] [GRACE] Json(&RUN);
    POST "/v2/actors/{actorId}/runs/{runId}/metamorph" [w Runs, w Inputs] [MORPH] Json(&RUN);
}
