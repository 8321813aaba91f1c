//! Generated sales and their analytics, computed here from whole hundredths and without the application's SQL.

use std::collections::BTreeMap;
use std::time::SystemTime;

use blackbox::Seller;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, SecondsFormat, TimeDelta, Timelike, Utc};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// How many requests record sales at the same time.
const AT_ONCE: usize = 16;

const PRODUCTS: [Option<&str>; 7] =
    [None, Some("p-1"), Some("p-2"), Some("Wool & silk"), Some("p\"4\""), Some("李"), Some("rare")];
const CATEGORIES: [Option<&str>; 4] = [None, Some("wool"), Some("Wool"), Some("silk, raw")];

pub type Time = DateTime<Utc>;

/// A sale as it was sent.
#[derive(Clone, Debug)]
pub struct Sale {
    pub at: Time,
    pub cents: i64,
    pub product: Option<&'static str>,
    pub category: Option<&'static str>,
    pub refunded: bool,
}

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
    Month,
}

/// From the first time until before the second.
pub type Range = (Time, Time);

pub fn now() -> Time {
    SystemTime::now().into()
}

/// `2026-01-31T09:30:00.000Z`.
pub fn rfc_3339(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Unit {
    /// The start of the bucket that has this time.
    pub fn floor(self, time: Time) -> Time {
        let date = time.date_naive();
        let start = match self {
            Self::Hour => date.and_hms_opt(time.hour(), 0, 0),
            Self::Day => date.and_hms_opt(0, 0, 0),
            Self::Month => NaiveDate::from_ymd_opt(time.year(), time.month(), 1).unwrap().and_hms_opt(0, 0, 0),
        };
        start.unwrap().and_utc()
    }

    /// The start of the bucket that comes this many after the one that starts at `start`, or before it.
    pub fn add(self, start: Time, count: i32) -> Time {
        let (forth, number) = (count > 0, count.unsigned_abs());
        match self {
            Self::Hour => start + TimeDelta::hours(count.into()),
            Self::Day if forth => start + Days::new(number.into()),
            Self::Day => start - Days::new(number.into()),
            Self::Month if forth => start + Months::new(number),
            Self::Month => start - Months::new(number),
        }
    }

    /// What the `date` of a bucket starts with.
    pub fn label(self, start: Time) -> String {
        let text = rfc_3339(start);
        let length = match self {
            Self::Hour => "2026-01-31T09".len(),
            Self::Day => "2026-01-31".len(),
            Self::Month => "2026-01".len(),
        };
        text[..length].to_owned()
    }
}

/// Sales over the last 400 days, many of them on the last days and at the edges of hours, days and months.
pub fn generate(rng: &mut Rng, count: usize) -> Vec<Sale> {
    let now = now();
    let sale = |_| {
        let back = match rng.u8(..10) {
            0..5 => TimeDelta::milliseconds(rng.i64(0..400 * 86_400_000)),
            5..8 => TimeDelta::milliseconds(rng.i64(0..32 * 86_400_000)),
            _ => TimeDelta::milliseconds(rng.i64(0..30 * 3_600_000)),
        };
        // PostgreSQL counts microseconds, the API milliseconds.
        let time = DateTime::from_timestamp_millis((now - back).timestamp_millis()).unwrap();
        let unit = [Unit::Hour, Unit::Day, Unit::Month][rng.usize(..3)];
        let at = match rng.u8(..8) {
            0 => unit.floor(time),
            1 => unit.floor(time) - TimeDelta::milliseconds(1),
            _ => time,
        };
        let cents = match rng.u8(..8) {
            0 => 1,
            1 => rng.i64(1..10_000_000_000),
            // Equal amounts: ties.
            2 => 10_00,
            _ => rng.i64(1..100_000),
        };
        let product = PRODUCTS[rng.usize(..PRODUCTS.len())];
        let category = CATEGORIES[rng.usize(..CATEGORIES.len())];
        // All sales of one product are refunded.
        Sale { at, cents, product, category, refunded: rng.u8(..7) == 0 || product == Some("rare") }
    };
    (0..count).map(sale).collect()
}

/// Records and refunds the sales through the API.
pub async fn record(seller: &Seller, sales: &[Sale]) {
    let requests = sales.iter().map(|sale| async move {
        let mut body = json!({"occurredAt": rfc_3339(sale.at)});
        if let Some(product) = sale.product {
            body["productId"] = json!(product);
        }
        if let Some(category) = sale.category {
            body["category"] = json!(category);
        }
        // The amount as text: it never becomes a double here.
        let rest = body.to_string().split_off(1);
        let text = format!("{{\"amount\":{}.{:02},{rest}", sale.cents / 100, sale.cents % 100);
        let recorded = seller.admin.post(seller.path("/sales")).json_text(text).await;
        assert_eq!(recorded.status(), 201, "{sale:?}: {recorded:?}");
        if sale.refunded {
            assert_eq!(seller.refund(&recorded.json()).await.status(), 200, "{sale:?}");
        }
    });
    stream::iter(requests).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// `sum / count` in whole hundredths, rounded half up; 0 without sales.
pub fn average(sum: i64, count: i64) -> i64 {
    if count == 0 { 0 } else { (2 * sum + count) / (2 * count) }
}

/// Sales that count: how many, and their sum in hundredths.
pub type Total = (i64, i64);

/// The sales of a range.
#[derive(Clone, Debug)]
pub struct Selection<'a>(Vec<&'a Sale>);

impl<'a> Selection<'a> {
    pub fn new(sales: &'a [Sale], (start, end): Range) -> Self {
        Self(sales.iter().filter(|sale| start <= sale.at && sale.at < end).collect())
    }

    fn counted(&self) -> impl Iterator<Item = &'a Sale> {
        self.0.iter().copied().filter(|sale| !sale.refunded)
    }

    pub fn total(&self) -> Total {
        (self.counted().count() as i64, self.counted().map(|sale| sale.cents).sum())
    }

    pub fn refunded(&self) -> i64 {
        self.0.iter().filter(|sale| sale.refunded).map(|sale| sale.cents).sum()
    }

    pub fn highest_and_lowest(&self) -> [Option<i64>; 2] {
        [self.counted().map(|sale| sale.cents).max(), self.counted().map(|sale| sale.cents).min()]
    }

    pub fn last(&self) -> Option<Time> {
        self.counted().map(|sale| sale.at).max()
    }

    pub fn by<K: Ord>(&self, key: impl Fn(&Sale) -> K) -> BTreeMap<K, Total> {
        let mut totals = BTreeMap::new();
        for sale in self.counted() {
            let (count, sum): &mut Total = totals.entry(key(sale)).or_default();
            *count += 1;
            *sum += sale.cents;
        }
        totals
    }
}

/// A member that is a text or null.
pub fn text(value: &Value) -> Option<&str> {
    assert!(value.is_string() || value.is_null(), "{value}");
    value.as_str()
}
