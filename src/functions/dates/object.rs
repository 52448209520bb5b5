//! `time.Time`, `time.Month` and `time.Weekday` as templates see them.

use std::any::Any;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::functions::dates::layout::{DAYS, MONTHS, format};
use crate::functions::dates::time::{Civil, NANOS, Time, Zone};
use crate::template::function::Arg;
use crate::value::{Int, IntKind, Kind, Method, Object, Signature, Str, Type, Value};

const TIME: Type = Type::Named("time.Time");
const DURATION: Type = Type::Named("time.Duration");

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::object(time)
    }
}

impl Arg for Time {
    const TYPE: Type = TIME;
    fn from_value(value: &Value) -> Option<Self> {
        value.downcast().cloned()
    }
}

/// A `time.Duration`.
pub(crate) fn duration_value(nanos: i64) -> Value {
    Value::Int(Int::new(IntKind::Duration, nanos))
}

/// A number that prints as a name: `time.Month`, `time.Weekday`.
#[derive(Debug)]
pub(crate) struct Named {
    type_name: &'static str,
    names: &'static [&'static str],
    /// The number of the first name.
    first: i64,
    pub(crate) number: i64,
}

impl Object for Named {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        Kind::Int
    }

    fn print(&self) -> Str {
        let index = usize::try_from(self.number - self.first).ok();
        index.and_then(|index| self.names.get(index)).copied().unwrap_or_default().into()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        let text = self.print();
        let call = move |_: &[Value]| Ok(Value::String(text));
        (name == "String").then(|| Method { signature: takes(&[]), call: Box::new(call) })
    }

    fn truth(&self) -> bool {
        self.number != 0
    }

    fn to_json(&self) -> Json {
        Json::from(self.number)
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.number == other.number)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn takes(params: &[Type]) -> Signature {
    Signature { params: params.to_vec(), variadic: None }
}

impl Time {
    /// What a method without arguments tells.
    fn told(&self, name: &str) -> Option<Value> {
        let civil = self.civil();
        Some(match name {
            "Year" => Value::int(civil.year),
            "Month" => Value::object(Named { type_name: "time.Month", names: &MONTHS, first: 1, number: civil.month }),
            "Day" => Value::int(civil.day),
            "Hour" => Value::int(civil.hour),
            "Minute" => Value::int(civil.minute),
            "Second" => Value::int(civil.second),
            "Nanosecond" => Value::int(i64::from(self.nanos)),
            "YearDay" => Value::int(civil.day_of_year()),
            "Weekday" => {
                Value::object(Named { type_name: "time.Weekday", names: &DAYS, first: 0, number: self.weekday() })
            }
            "Unix" => Value::int64(self.seconds),
            "UnixMilli" => Value::int64(self.since_epoch(1_000)),
            "UnixMicro" => Value::int64(self.since_epoch(1_000_000)),
            "UnixNano" => Value::int64(self.since_epoch(NANOS)),
            "IsZero" => Value::Bool(self.is_zero()),
            "UTC" | "Local" => self.within(Zone::Utc).into(),
            "String" => self.to_string().into(),
            _ => return None,
        })
    }

    /// In units of which there are `per_second`; wraps as Go's does.
    fn since_epoch(&self, per_second: i64) -> i64 {
        self.seconds.wrapping_mul(per_second).wrapping_add(i64::from(self.nanos) / (NANOS / per_second))
    }

    /// What a method makes of its arguments.
    fn answer(&self, name: &str, args: &[Value]) -> Option<Value> {
        let int = |index: usize| {
            args.get(index).and_then(|arg| if let Value::Int(int) = arg { Some(int.bits()) } else { None })
        };
        let other = || args.first().and_then(Value::downcast::<Self>);
        let order = || other().map(|other| (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos)));
        Some(match name {
            "Format" => format(self, &args.first()?.as_str()?.to_text()).into(),
            "Add" => self.plus(int(0)?).into(),
            "AddDate" => self.moved(int(0)?, int(1)?, int(2)?).into(),
            "Truncate" => self.plus(-self.past(int(0)?)).into(),
            "Round" => {
                let (past, multiple) = (self.past(int(0)?), int(0)?);
                let down = multiple <= 0 || past < multiple - past;
                self.plus(if down { -past } else { multiple - past }).into()
            }
            "Sub" => duration_value(self.since(other()?)),
            "After" => Value::Bool(order()?.is_gt()),
            "Before" => Value::Bool(order()?.is_lt()),
            "Equal" => Value::Bool(order()?.is_eq()),
            "Compare" => Value::int(order()? as i64),
            _ => return None,
        })
    }

    /// Nanoseconds past the last multiple of `multiple`, counted from the zero time.
    fn past(&self, multiple: i64) -> i64 {
        /// Seconds from the year 1 to 1970.
        const ZERO_TIME: i128 = 62_135_596_800;
        if multiple <= 0 {
            return 0;
        }
        let nanos = (i128::from(self.seconds) + ZERO_TIME) * i128::from(NANOS) + i128::from(self.nanos);
        i64::try_from(nanos.rem_euclid(i128::from(multiple))).unwrap_or(0)
    }

    fn moved(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let moved = Civil {
            year: civil.year.saturating_add(years),
            month: civil.month.saturating_add(months),
            day: civil.day.saturating_add(days),
            ..civil
        };
        // In a zone with summer time the offset of the new day counts.
        let local = moved.to_seconds();
        let guess = local.saturating_sub(self.zone.at(local).0);
        Self { seconds: local.saturating_sub(self.zone.at(guess).0), ..self.clone() }
    }
}

/// What the methods with arguments take.
fn parameters(name: &str) -> Option<&'static [Type]> {
    Some(match name {
        "Format" => &[Type::String],
        "Add" | "Truncate" | "Round" => &[DURATION],
        "AddDate" => &[Type::Int, Type::Int, Type::Int],
        "Sub" | "After" | "Before" | "Equal" | "Compare" => &[TIME],
        _ => return None,
    })
}

impl Object for Time {
    fn type_name(&self) -> &str {
        TIME.name()
    }

    fn print(&self) -> Str {
        self.to_string().into()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn method(self: Rc<Self>, name: &str) -> Option<Method> {
        if let Some(told) = self.told(name) {
            return Some(Method { signature: takes(&[]), call: Box::new(move |_| Ok(told)) });
        }
        let signature = takes(parameters(name)?);
        let name = name.to_owned();
        let call = move |args: &[Value]| {
            self.answer(&name, args).ok_or_else(|| format!("the arguments of `{name}` were not converted"))
        };
        Some(Method { signature, call: Box::new(call) })
    }

    fn to_json(&self) -> Json {
        Json::String(format(self, "2006-01-02T15:04:05.999999999Z07:00"))
    }

    fn deep_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            (self.seconds, self.nanos, self.zone.at(self.seconds))
                == (other.seconds, other.nanos, other.zone.at(other.seconds))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
