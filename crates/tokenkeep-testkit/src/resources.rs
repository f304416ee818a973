//! Single resources of the stand-in, in the form of Apify's API description: with the secrets that Apify's answers have.

use crate::accounts::{Account, Actor, StoredRun};
use crate::answers;
use serde_json::{Value, json};

/// What a boundary must keep back. No token, but nothing that anybody but its owner should see.
const SECRET: &str = "FAKE-secret-of-a-stand-in";

/// An Actor by itself: with source code, environment variables and an input.
pub(crate) fn actor(account: &Account, actor: &Actor) -> Value {
    let mut data = answers::actor(account, actor);
    let more = json!({
        "userId": account.id,
        "description": "A made-up Actor of a stand-in.",
        "isPublic": actor.foreign_owner.is_some(),
        "actorPermissionLevel": "LIMITED_PERMISSIONS",
        "versions": [{
            "versionNumber": "0.1", "sourceType": "SOURCE_FILES", "buildTag": "latest",
            "envVars": [{ "name": "FAKE_VARIABLE", "value": SECRET, "isSecret": false }],
            "sourceFiles": [{ "name": "main.js", "format": "TEXT", "content": SECRET }],
        }],
        "defaultRunOptions": { "build": "latest", "timeoutSecs": 3600, "memoryMbytes": 1024 },
        "exampleRunInput": { "body": SECRET, "contentType": "application/json" },
        "deploymentKey": SECRET,
        "taggedBuilds": { "latest": {
            "buildId": "FakeBuild00000000", "buildNumber": "0.1.2", "finishedAt": actor.modified_at,
        }},
    });
    extend(&mut data, more);
    json!({ "data": data })
}

/// A run by itself.
pub(crate) fn run(account: &Account, stored: &StoredRun) -> Value {
    let mut data = answers::run(account, stored);
    let more = json!({
        "exitCode": if stored.run.status == "SUCCEEDED" { json!(0) } else { Value::Null },
        "statusMessage": "A made-up message.",
        "generalAccess": "RESTRICTED",
        "containerUrl": "https://fake-run.example/",
        "stats": {
            "inputBodyLen": 2, "restartCount": 0, "memAvgBytes": 1_000_000.5, "memMaxBytes": 2_000_000,
            "cpuAvgUsage": 1.5, "cpuMaxUsage": 90.25, "netRxBytes": 1000, "netTxBytes": 2000,
            "runTimeSecs": 42, "computeUnits": 0.0117,
        },
        "options": { "build": "latest", "timeoutSecs": 3600, "memoryMbytes": 1024, "diskMbytes": 2048 },
    });
    extend(&mut data, more);
    json!({ "data": data })
}

/// The builds that the account's runs, or those of one Actor, ran.
pub(crate) fn builds(account: &Account, actor_id: Option<&str>) -> Vec<Value> {
    let runs = account.runs.iter().filter(|run| actor_id.is_none_or(|id| run.actor_id == id));
    let build = |run: &StoredRun| {
        json!({
            "id": of(run, "FakeBuild"), "actId": run.actor_id, "userId": account.id, "status": "SUCCEEDED",
            "startedAt": "2026-07-01T08:00:00.000Z", "finishedAt": "2026-07-01T08:01:00.000Z",
            "buildNumber": "0.1.2", "usageTotalUsd": 0.02, "meta": { "origin": "WEB", "clientIp": "192.0.2.9" },
        })
    };
    runs.map(build).collect()
}

/// The datasets of the account's runs. The first one has a name.
pub(crate) fn datasets(account: &Account) -> Vec<Value> {
    let dataset = |(at, run): (usize, &StoredRun)| {
        let mut data = storage(account, run, "FakeItems", at);
        let more = json!({
            "itemCount": 3, "cleanItemCount": 3, "fields": ["price", "url"],
            "itemsPublicUrl": format!("https://fake-items.example/?signature={SECRET}"),
            "stats": { "readCount": 1, "writeCount": 3, "storageBytes": 300, "inflatedBytes": 900 },
        });
        extend(&mut data, more);
        data
    };
    account.runs.iter().enumerate().map(dataset).collect()
}

/// The same as lists show them.
pub(crate) fn dataset_list(account: &Account) -> Vec<Value> {
    let mut datasets = datasets(account);
    for data in datasets.iter_mut().filter_map(Value::as_object_mut) {
        for single in
            ["fields", "itemsPublicUrl", "consoleUrl", "urlSigningSecretKey", "generalAccess", "stats"]
        {
            data.remove(single);
        }
    }
    datasets
}

/// The key-value stores of the account's runs. The first one has a name.
pub(crate) fn stores(account: &Account) -> Vec<Value> {
    let store = |(at, run): (usize, &StoredRun)| {
        let mut data = storage(account, run, "FakeStore", at);
        let more = json!({
            "keysPublicUrl": format!("https://fake-store.example/?signature={SECRET}"),
            "stats": { "readCount": 1, "writeCount": 3, "deleteCount": 0, "listCount": 2, "storageBytes": 300 },
        });
        extend(&mut data, more);
        data
    };
    account.runs.iter().enumerate().map(store).collect()
}

/// The keys of any store, a part of them.
pub(crate) fn keys(limit: usize, after: Option<&str>, prefix: Option<&str>) -> Value {
    const KEYS: [(&str, u32); 3] = [("INPUT", 20), ("OUTPUT", 300), ("prices.csv", 4000)];
    let from = KEYS.into_iter().filter(|(key, _)| {
        after.is_none_or(|after| *key > after) && prefix.is_none_or(|prefix| key.starts_with(prefix))
    });
    let left: Vec<_> = from.collect();
    let items: Vec<Value> = left
        .iter()
        .take(limit)
        .map(|(key, size)| {
            let url = format!("https://fake-store.example/{key}?signature={SECRET}");
            json!({ "key": key, "size": size, "recordPublicUrl": url })
        })
        .collect();
    let truncated = items.len() < left.len();
    let next = truncated.then(|| items.last().map(|item| item["key"].clone())).flatten();
    json!({ "data": {
        "count": items.len(), "limit": limit, "exclusiveStartKey": after, "isTruncated": truncated,
        "nextExclusiveStartKey": next, "items": items,
    }})
}

/// The log of a run or a build.
pub(crate) fn log(id: &str) -> String {
    format!("2026-08-05T10:00:00.000Z A made-up log of {id}.\n2026-08-05T10:00:01.000Z It ends — here.\n")
}

/// What the account used, with the prices that it was reckoned with.
pub(crate) fn usage() -> Value {
    let service = json!({
        "quantity": 12.5, "baseAmountUsd": 5, "baseUnitPriceUsd": 0.4, "amountAfterVolumeDiscountUsd": 4.5,
        "priceTiers": [],
    });
    json!({ "data": {
        "usageCycle": { "startAt": "2026-08-01T00:00:00.000Z", "endAt": "2026-08-31T23:59:59.999Z" },
        "monthlyServiceUsage": { "ACTOR_COMPUTE_UNITS": service },
        "dailyServiceUsages": [{
            "date": "2026-08-01T00:00:00.000Z", "serviceUsage": { "ACTOR_COMPUTE_UNITS": service },
            "totalUsageCreditsUsd": 4.5,
        }],
        "totalUsageCreditsUsdBeforeVolumeDiscount": 5, "totalUsageCreditsUsdAfterVolumeDiscount": 4.5,
    }})
}

/// What the account may use.
pub(crate) fn limits() -> Value {
    json!({ "data": {
        "monthlyUsageCycle": { "startAt": "2026-08-01T00:00:00.000Z", "endAt": "2026-08-31T23:59:59.999Z" },
        "limits": {
            "maxMonthlyUsageUsd": 120, "maxMonthlyActorComputeUnits": 1000,
            "maxMonthlyExternalDataTransferGbytes": 50.5, "maxMonthlyProxySerps": 50_000,
            "maxMonthlyResidentialProxyGbytes": 10, "maxActorMemoryGbytes": 32, "maxActorCount": 100,
            "maxActorTaskCount": 1000, "maxConcurrentActorJobs": 25, "maxTeamAccountSeatCount": 9,
            "dataRetentionDays": 14, "maxScheduleCount": 100,
        },
        "current": {
            "monthlyUsageUsd": 4.5, "monthlyActorComputeUnits": 12.5, "monthlyExternalDataTransferGbytes": 0.5,
            "monthlyProxySerps": 0, "monthlyResidentialProxyGbytes": 0, "actorMemoryGbytes": 1, "actorCount": 2,
            "actorTaskCount": 0, "activeActorJobCount": 1, "teamAccountSeatCount": 1, "scheduleCount": 0,
        },
    }})
}

/// What datasets and key-value stores have alike.
fn storage(account: &Account, run: &StoredRun, kind: &str, at: usize) -> Value {
    json!({
        "id": of(run, kind),
        "name": if at == 0 { json!("prices") } else { Value::Null },
        "userId": account.id,
        "createdAt": run.run.started_at,
        "modifiedAt": run.run.started_at,
        "accessedAt": run.run.started_at,
        "actId": run.actor_id,
        "actRunId": run.id,
        "consoleUrl": "https://console.example/",
        "urlSigningSecretKey": SECRET,
        "generalAccess": "FOLLOW_USER_SETTING",
    })
}

/// The id of what belongs to a run, as lists of runs have it.
fn of(run: &StoredRun, kind: &str) -> String {
    format!("{kind}{}", &run.id[run.id.len() - 8..])
}

fn extend(data: &mut Value, more: Value) {
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
}
