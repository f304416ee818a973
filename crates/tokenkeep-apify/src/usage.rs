//! What an account used, and what it may use.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Deserialize;
use tokenkeep_core::Error;

use crate::client::Place;
use crate::json::null_as_default;

/// What the account used in a month (`GET /v2/users/me/usage/monthly`), asked for when this is awaited: in the one that runs, unless
/// told otherwise.
///
/// Reads the class [`Usage`](crate::Class::Usage). It fails as [the crate's table](crate#errors) says.
#[must_use = "usage is asked for when this is awaited"]
#[derive(Debug, Clone)]
pub struct Usage {
    place: Place,
    date: Option<String>,
}

impl Usage {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, date: None }
    }

    /// The month of this day, `YYYY-MM-DD`. Months are the account's, and may begin on any day.
    pub fn of(mut self, day: impl Into<String>) -> Self {
        self.date = Some(day.into());
        self
    }

    async fn fetch(self) -> Result<MonthlyUsage, Error> {
        let mut call = self.place.call()?;
        if let Some(date) = &self.date {
            call = call.query("date", date);
        }
        self.place.client().send(call).await
    }
}

impl IntoFuture for Usage {
    type Output = Result<MonthlyUsage, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fetch())
    }
}

/// What an account used in one of its months.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MonthlyUsage {
    /// When the month begins and ends.
    pub usage_cycle: Option<UsageCycle>,
    /// What was used, by the name of the service as Apify writes it: `ACTOR_COMPUTE_UNITS`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub monthly_service_usage: BTreeMap<String, ServiceUsage>,
    /// The same for each day.
    #[serde(default, deserialize_with = "null_as_default")]
    pub daily_service_usages: Vec<DailyUsage>,
    /// What it amounts to, in US dollars, before discounts for volume.
    pub total_usage_credits_usd_before_volume_discount: Option<f64>,
    /// What it amounts to, in US dollars, after them.
    pub total_usage_credits_usd_after_volume_discount: Option<f64>,
}

/// When a month of an account begins and ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UsageCycle {
    /// Its beginning, as ISO 8601 in UTC.
    pub start_at: Option<String>,
    /// Its end, as ISO 8601 in UTC.
    pub end_at: Option<String>,
}

/// How much of a service was used.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServiceUsage {
    /// How much, in the unit of the service.
    pub quantity: Option<f64>,
    /// What it amounts to, in US dollars, before discounts for volume.
    pub base_amount_usd: Option<f64>,
    /// What it amounts to, in US dollars, after them.
    pub amount_after_volume_discount_usd: Option<f64>,
}

/// What was used on one day.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DailyUsage {
    /// The day, as ISO 8601 in UTC.
    pub date: Option<String>,
    /// What was used, by the name of the service.
    #[serde(default, deserialize_with = "null_as_default")]
    pub service_usage: BTreeMap<String, ServiceUsage>,
    /// What it amounts to, in US dollars.
    pub total_usage_credits_usd: Option<f64>,
}

/// What an account may use, and what it uses now.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AccountLimits {
    /// The month that runs.
    pub monthly_usage_cycle: Option<UsageCycle>,
    /// What it may use at most.
    #[serde(default, deserialize_with = "null_as_default")]
    pub limits: Limits,
    /// What it uses.
    #[serde(default, deserialize_with = "null_as_default")]
    pub current: CurrentUsage,
}

/// The most that an account may use.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Limits {
    /// In a month, in US dollars.
    pub max_monthly_usage_usd: Option<f64>,
    /// Compute units in a month.
    pub max_monthly_actor_compute_units: Option<f64>,
    /// What goes out in a month, in gigabytes.
    pub max_monthly_external_data_transfer_gbytes: Option<f64>,
    /// Result pages of search engines, through the proxy, in a month.
    pub max_monthly_proxy_serps: Option<u64>,
    /// Through residential proxies in a month, in gigabytes.
    pub max_monthly_residential_proxy_gbytes: Option<f64>,
    /// Memory of all that runs at the same time, in gigabytes.
    pub max_actor_memory_gbytes: Option<f64>,
    /// Actors.
    pub max_actor_count: Option<u64>,
    /// Tasks.
    pub max_actor_task_count: Option<u64>,
    /// Runs and builds at the same time.
    pub max_concurrent_actor_jobs: Option<u64>,
    /// Schedules.
    pub max_schedule_count: Option<u64>,
}

/// What an account uses of its limits.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CurrentUsage {
    /// In this month, in US dollars.
    pub monthly_usage_usd: Option<f64>,
    /// Compute units in this month.
    pub monthly_actor_compute_units: Option<f64>,
    /// What went out in this month, in gigabytes.
    pub monthly_external_data_transfer_gbytes: Option<f64>,
    /// Result pages of search engines, through the proxy, in this month.
    pub monthly_proxy_serps: Option<u64>,
    /// Through residential proxies in this month, in gigabytes.
    pub monthly_residential_proxy_gbytes: Option<f64>,
    /// Memory of all that runs now, in gigabytes.
    pub actor_memory_gbytes: Option<f64>,
    /// Actors.
    pub actor_count: Option<u64>,
    /// Tasks.
    pub actor_task_count: Option<u64>,
    /// Runs and builds at work now.
    pub active_actor_job_count: Option<u64>,
    /// Schedules.
    pub schedule_count: Option<u64>,
}
