//! Go's `time.Time`: an instant and the zone it is shown in.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

const DAY: i64 = 86_400;

/// The first second of the year 1, Go's zero time, since the Unix epoch.
const ZERO: i64 = -62_135_596_800;

pub(crate) const NANOS: i64 = 1_000_000_000;

/// An instant, and the zone it is shown in.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Since the Unix epoch.
    pub(crate) seconds: i64,
    /// Nanoseconds of the second.
    pub(crate) nanos: u32,
    pub(crate) zone: Zone,
}

/// A time zone.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// `UTC`, which is also `Local`: a render has no place of its own.
    Utc,
    /// An offset that a text named, with or without an abbreviation.
    Fixed {
        /// Empty if there is none.
        name: String,
        /// East of Greenwich.
        seconds: i64,
    },
    /// A zone of the tz database.
    Named(TimeZone),
}

/// The database that is part of this program: the machine's own may be another, or missing.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// Go's `time.LoadLocation`, which is particular about capitals; UTC for what it does not know, as Sprig.
    pub(crate) fn load(name: &str) -> Self {
        if matches!(name, "" | "UTC" | "Local") {
            return Self::Utc;
        }
        let zone = ZONES.get(name).ok().filter(|zone| zone.iana_name() == Some(name));
        zone.map_or(Self::Utc, Self::Named)
    }

    /// The offset in seconds and the abbreviation at `seconds` since the Unix epoch.
    pub(crate) fn at(&self, seconds: i64) -> (i64, String) {
        match self {
            Self::Utc => (0, "UTC".to_owned()),
            Self::Fixed { name, seconds } => (*seconds, name.clone()),
            Self::Named(zone) => {
                let instant = seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let info = zone.to_offset_info(Timestamp::from_second(instant).unwrap_or_default());
                (i64::from(info.offset().seconds()), info.abbreviation().to_owned())
            }
        }
    }
}

/// A moment as calendars and clocks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Civil {
    /// Seconds since the Unix epoch, in UTC. Parts may be larger than usual: they carry over.
    pub(crate) fn to_seconds(self) -> i64 {
        let clock = self.hour.saturating_mul(3_600).saturating_add(self.minute.saturating_mul(60));
        let days = days_from_civil(self.year, self.month, self.day);
        days.saturating_mul(DAY).saturating_add(clock).saturating_add(self.second)
    }

    fn from_seconds(seconds: i64) -> Self {
        let (days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        Self { year, month, day, hour: clock / 3_600, minute: clock / 60 % 60, second: clock % 60 }
    }

    /// From 1.
    pub(crate) fn day_of_year(self) -> i64 {
        days_from_civil(self.year, self.month, self.day) - days_from_civil(self.year, 1, 1) + 1
    }
}

/// Days from the Unix epoch to a date of the Gregorian calendar, by counting years from March: leap days come last then.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let year = year.saturating_add(months.div_euclid(12));
    let month = months.rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.saturating_mul(146_097).saturating_add(day_of_era - 719_468).saturating_add(day - 1)
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// How many days the month has.
pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1)
}

impl Time {
    /// Go's zero time.
    pub(crate) fn zero() -> Self {
        Self::unix(ZERO)
    }

    /// `time.Unix`: seconds since the Unix epoch.
    pub(crate) fn unix(seconds: i64) -> Self {
        Self { seconds, nanos: 0, zone: Zone::Utc }
    }

    /// The clock's time.
    pub(crate) fn of(now: Timestamp) -> Self {
        let nanos = now.as_nanosecond();
        let seconds = i64::try_from(nanos.div_euclid(i128::from(NANOS))).unwrap_or(0);
        Self { seconds, nanos: u32::try_from(nanos.rem_euclid(i128::from(NANOS))).unwrap_or(0), zone: Zone::Utc }
    }

    /// Later by so many nanoseconds.
    pub(crate) fn plus(&self, nanos: i64) -> Self {
        let sum = i64::from(self.nanos) + nanos.rem_euclid(NANOS);
        let seconds = self.seconds.saturating_add(nanos.div_euclid(NANOS)).saturating_add(sum / NANOS);
        Self { seconds, nanos: u32::try_from(sum % NANOS).unwrap_or(0), zone: self.zone.clone() }
    }

    /// Nanoseconds from `earlier` to this, or the nearest that fits.
    pub(crate) fn since(&self, earlier: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(earlier.seconds);
        let nanos = seconds * i128::from(NANOS) + i128::from(self.nanos) - i128::from(earlier.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// The same instant in another zone.
    pub(crate) fn within(&self, zone: Zone) -> Self {
        Self { zone, ..self.clone() }
    }

    /// What calendar and clock of its zone show.
    pub(crate) fn civil(&self) -> Civil {
        Civil::from_seconds(self.seconds.saturating_add(self.zone.at(self.seconds).0))
    }

    /// 0 is Sunday.
    pub(crate) fn weekday(&self) -> i64 {
        let local = self.seconds.saturating_add(self.zone.at(self.seconds).0);
        (local.div_euclid(DAY) + 4).rem_euclid(7)
    }

    /// Whether it is Go's zero time.
    pub(crate) fn is_zero(&self) -> bool {
        self.seconds == ZERO && self.nanos == 0
    }
}

/// Go's `String`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::functions::dates::layout::format(self, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}
