//! How zap writes times (`zapcore/encoder.go`), by the names `--zap-time-encoding` takes.

use std::str::FromStr;

use jiff::Zoned;
use serde_json::Value as Json;

use crate::telemetry::Invalid;

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeEncoding {
    /// Seconds of Unix time with their fraction, a number.
    Epoch,
    /// Milliseconds of Unix time with their fraction, a number.
    Millis,
    /// Nanoseconds of Unix time, a number.
    Nanos,
    /// `2024-01-26T13:18:58.123Z`, the offset without a colon.
    Iso8601,
    /// `2024-01-26T13:18:58Z`.
    #[default]
    Rfc3339,
    /// `2024-01-26T13:18:58.123456789Z`, without zeros at the end of the fraction.
    Rfc3339Nano,
}

impl TimeEncoding {
    /// The time as it stands in a line.
    pub(super) fn encode(self, time: &Zoned) -> Json {
        let fixed = |format: &str, zone: &str| {
            let zone = if time.offset().is_zero() { "Z" } else { zone };
            Json::from(time.strftime(&format!("{format}{zone}")).to_string())
        };
        match self {
            Self::Epoch => Json::from(fraction(time.timestamp().as_nanosecond(), 1e9)),
            Self::Millis => Json::from(fraction(time.timestamp().as_nanosecond(), 1e6)),
            Self::Nanos => i64::try_from(time.timestamp().as_nanosecond()).map_or(Json::Null, Json::from),
            Self::Iso8601 => fixed("%Y-%m-%dT%H:%M:%S.%3f", "%z"),
            Self::Rfc3339 => fixed("%Y-%m-%dT%H:%M:%S", "%:z"),
            // `%.f` writes the point only before a fraction.
            Self::Rfc3339Nano => fixed("%Y-%m-%dT%H:%M:%S%.f", "%:z"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "zap divides as floats too; what is lost is below a microsecond")]
fn fraction(nanoseconds: i128, unit: f64) -> f64 {
    nanoseconds as f64 / unit
}

impl FromStr for TimeEncoding {
    type Err = Invalid;

    /// Letter case is ignored. The help text of controller-runtime says `nano`, its code takes `nanos`; both are taken here.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.to_ascii_lowercase().as_str() {
            "epoch" => Ok(Self::Epoch),
            "millis" => Ok(Self::Millis),
            "nano" | "nanos" => Ok(Self::Nanos),
            "iso8601" => Ok(Self::Iso8601),
            "rfc3339" => Ok(Self::Rfc3339),
            "rfc3339nano" => Ok(Self::Rfc3339Nano),
            _ => Err(Invalid("`epoch`, `millis`, `nanos`, `iso8601`, `rfc3339` or `rfc3339nano`")),
        }
    }
}
