//! Webhooks, schedules, Apify Store, accounts, tools.

use super::queries::{DATE, ECHO, PAGE, STORE};
use crate::boundary::shapes::{
    BROWSER_INFO, DECODED, DISPATCH, DISPATCH_LIST, EMPTY, ENCODED, LIMITS, ME, MONTHLY_USAGE, OTHER_USER,
    SCHEDULE, SCHEDULE_LIST, SCHEDULE_LOG, STORE_LIST, WEBHOOK, WEBHOOK_LIST,
};

super::operations! {
    GET "/v2/webhooks" [r Webhooks] [PAGE] Json(&WEBHOOK_LIST);
    POST "/v2/webhooks" [w Webhooks] [] Json(&WEBHOOK);
    GET "/v2/webhooks/{webhookId}" [r Webhooks] [] Json(&WEBHOOK);
    PUT "/v2/webhooks/{webhookId}" [w Webhooks] [] Json(&WEBHOOK);
    DELETE "/v2/webhooks/{webhookId}" [w Webhooks] [] Json(&EMPTY);
    POST "/v2/webhooks/{webhookId}/test" [w Webhooks] [] Json(&DISPATCH);
    GET "/v2/webhooks/{webhookId}/dispatches" [r Webhooks] [] Json(&DISPATCH_LIST);
    GET "/v2/webhook-dispatches" [r Webhooks] [PAGE] Json(&DISPATCH_LIST);
    GET "/v2/webhook-dispatches/{dispatchId}" [r Webhooks] [] Json(&DISPATCH);
    GET "/v2/schedules" [r Schedules] [PAGE] Json(&SCHEDULE_LIST);
    POST "/v2/schedules" [w Schedules, w Inputs] [] Json(&SCHEDULE);
    GET "/v2/schedules/{scheduleId}" [r Schedules] [] Json(&SCHEDULE);
    PUT "/v2/schedules/{scheduleId}" [w Schedules, w Inputs] [] Json(&SCHEDULE);
    DELETE "/v2/schedules/{scheduleId}" [w Schedules, w Inputs] [] Json(&EMPTY);
    GET "/v2/schedules/{scheduleId}/log" [r Schedules] [] Json(&SCHEDULE_LOG);
    GET "/v2/store" [r Store] [STORE] Json(&STORE_LIST);
    GET "/v2/users/{userId}" [r OtherUsers] [] Json(&OTHER_USER);
    GET "/v2/users/me" [] [] Json(&ME);
    GET "/v2/users/me/usage/monthly" [r Usage] [DATE] Json(&MONTHLY_USAGE);
    GET "/v2/users/me/limits" [r Usage] [] Json(&LIMITS);
    PUT "/v2/users/me/limits" [w Usage, w Billing] [] Json(&EMPTY);
    GET "/v2/browser-info" [r Tools] [ECHO] Json(&BROWSER_INFO);
    POST "/v2/browser-info" [r Tools] [ECHO] Json(&BROWSER_INFO);
    PUT "/v2/browser-info" [r Tools] [ECHO] Json(&BROWSER_INFO);
    DELETE "/v2/browser-info" [r Tools] [ECHO] Json(&BROWSER_INFO);
    POST "/v2/tools/encode-and-sign" [w Tools] [] Json(&ENCODED);
    POST "/v2/tools/decode-and-verify" [r Tools] [] Json(&DECODED);
}
