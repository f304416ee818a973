//! Whose token it is, what the account used, other accounts, tools.

use crate::boundary::class::Class::{Billing, Proxy, User};
use crate::boundary::shape::{Fields, Shape, data, part, plain};

/// Id and name pass under every boundary: a vault must learn whose token it is.
pub(crate) const ME: Shape = data!(Shape::Object(&[
    plain(&["id", "username"]),
    plain(&["email", "createdAt"]).of(&[User]),
    part(&["profile"], &PROFILE).of(&[User]),
    plain(&["isPaying"]).of(&[Billing]),
    part(&["plan"], &PLAN).of(&[Billing]),
    part(&["effectivePlatformFeatures"], &Shape::Map(&FEATURE)).of(&[Billing]),
    part(&["proxy"], &PROXY).of(&[Proxy]),
]));

const PROFILE: Shape = Shape::Object(&[plain(&[
    "bio",
    "name",
    "pictureUrl",
    "githubUsername",
    "websiteUrl",
    "twitterUsername",
])]);

const PLAN: Shape = Shape::Object(&[
    plain(&[
        "id",
        "description",
        "isEnabled",
        "monthlyBasePriceUsd",
        "monthlyUsageCreditsUsd",
        "usageDiscountPercent",
        "maxMonthlyUsageUsd",
        "maxActorMemoryGbytes",
        "maxMonthlyActorComputeUnits",
        "maxMonthlyResidentialProxyGbytes",
        "maxMonthlyProxySerps",
        "maxMonthlyExternalDataTransferGbytes",
        "maxActorCount",
        "maxActorTaskCount",
        "dataRetentionDays",
        "teamAccountSeatCount",
        "supportLevel",
        "tier",
        "apiRateLimitBoosts",
        "maxScheduleCount",
        "maxConcurrentActorRuns",
    ]),
    part(&["enabledPlatformFeatures", "availableAddOns"], &Shape::List(&Shape::Scalar)),
    part(&["availableProxyGroups"], &Shape::Map(&Shape::Scalar)),
    part(&["planPricing"], &Shape::Any),
]);

const FEATURE: Shape = Shape::Object(&[plain(&[
    "isEnabled",
    "disabledReason",
    "disabledReasonType",
    "isTrial",
    "trialExpirationAt",
])]);

const PROXY: Shape = Shape::Object(&[
    plain(&["password"]),
    part(&["groups"], &Shape::List(&Shape::Object(&[plain(&["name", "description", "availableCount"])]))),
]);

pub(crate) const OTHER_USER: Shape =
    data!(Shape::Object(&[plain(&["username"]), part(&["profile"], &PROFILE)]));

const CYCLE: Shape = Shape::Object(&[plain(&["startAt", "endAt"])]);

/// What was used and what that amounts to. The prices that it was reckoned with are the contract's.
const SERVICE_USAGE: Shape = Shape::Object(&[
    plain(&["quantity", "baseAmountUsd", "amountAfterVolumeDiscountUsd"]),
    plain(&["baseUnitPriceUsd"]).of(&[Billing]),
    part(&["priceTiers"], &Shape::List(&PRICE_TIER)).of(&[Billing]),
]);

const PRICE_TIER: Shape = Shape::Object(&[plain(&[
    "quantityAbove",
    "discountPercent",
    "tierQuantity",
    "unitPriceUsd",
    "priceUsd",
])]);

pub(crate) const MONTHLY_USAGE: Shape = data!(Shape::Object(&[
    plain(&["totalUsageCreditsUsdBeforeVolumeDiscount", "totalUsageCreditsUsdAfterVolumeDiscount"]),
    part(&["usageCycle"], &CYCLE),
    part(&["monthlyServiceUsage"], &Shape::Map(&SERVICE_USAGE)),
    part(
        &["dailyServiceUsages"],
        &Shape::List(&Shape::Object(&[
            plain(&["date", "totalUsageCreditsUsd"]),
            part(&["serviceUsage"], &Shape::Map(&SERVICE_USAGE)),
        ])),
    ),
]));

/// Usage says little without what it is measured against. Seats and retention measure no usage: they tell the plan.
pub(crate) const LIMITS: Shape = data!(Shape::Object(&[
    part(&["monthlyUsageCycle"], &CYCLE),
    part(
        &["limits"],
        &Shape::Object(&[
            plain(&[
                "maxMonthlyUsageUsd",
                "maxMonthlyActorComputeUnits",
                "maxMonthlyExternalDataTransferGbytes",
                "maxMonthlyProxySerps",
                "maxMonthlyResidentialProxyGbytes",
                "maxActorMemoryGbytes",
                "maxActorCount",
                "maxActorTaskCount",
                "maxConcurrentActorJobs",
                "maxScheduleCount",
            ]),
            plain(&["maxTeamAccountSeatCount", "dataRetentionDays"]).of(&[Billing]),
        ]),
    ),
    part(
        &["current"],
        &Shape::Object(&[
            plain(&[
                "monthlyUsageUsd",
                "monthlyActorComputeUnits",
                "monthlyExternalDataTransferGbytes",
                "monthlyProxySerps",
                "monthlyResidentialProxyGbytes",
                "actorMemoryGbytes",
                "actorCount",
                "actorTaskCount",
                "activeActorJobCount",
                "scheduleCount",
            ]),
            plain(&["teamAccountSeatCount"]).of(&[Billing]),
        ]),
    ),
]));

/// It repeats the headers of the request, and one of them holds the token.
const ECHO: Fields = part(&["headers", "rawHeaders"], &Shape::Any).never();

pub(crate) const BROWSER_INFO: Shape =
    Shape::Object(&[plain(&["method", "clientIp", "countryCode", "bodyLength"]), ECHO]);

pub(crate) const ENCODED: Shape = data!(Shape::Object(&[plain(&["encoded"])]));
pub(crate) const DECODED: Shape =
    data!(Shape::Object(&[plain(&["encodedByUserId", "isVerifiedUser"]), part(&["decoded"], &Shape::Any),]));
