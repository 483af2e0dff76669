//! What is read from a client and written to one.

use serde::{Deserialize, Serialize, Serializer};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::Row;

#[derive(Serialize)]
pub struct About {
    pub service: &'static str,
    pub version: &'static str,
}

#[derive(Serialize)]
pub struct Item<'a> {
    id: i64,
    name: &'a str,
    description: Option<&'a str>,
    #[serde(serialize_with = "rfc3339")]
    created_at: SystemTime,
    #[serde(serialize_with = "rfc3339")]
    updated_at: SystemTime,
}

impl<'a> Item<'a> {
    pub fn from(row: &'a Row) -> Item<'a> {
        Item {
            id: row.get(0),
            name: row.get(1),
            description: row.get(2),
            created_at: row.get(3),
            updated_at: row.get(4),
        }
    }
}

#[derive(Serialize)]
pub struct Page<'a> {
    pub items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
pub struct NewItem {
    pub name: String,
    pub description: Option<String>,
}

/// The proleptic Gregorian date of a day, counted from 1970-01-01. Years begin in March here, so that the leap day is
/// the last one of its year, and eras of 400 years all have 146,097 days.
fn date(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(calendar_month <= 2), calendar_month, of_month)
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, of_day) = (since.as_secs(), since.as_secs() % 86_400);
    let (year, month, day) = date((seconds / 86_400) as i64);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let micros = since.subsec_micros();
    serializer
        .collect_str(&format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"))
}
