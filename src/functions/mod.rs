//! The functions that templates call: Sprig 3.3.0 and Helm v4.3.1, one file per Sprig chapter.
//!
//! They are plain functions of converted arguments. Not here: `include`, `tpl`, `required`, `fail` and `lookup`, which
//! need the engine and the chart, and Go's own builtins. The module never reads a clock, chance, the environment or a
//! socket; what it must know of the world it asks [`World`].
//!
//! Where Go would die of memory, a function refuses: texts of more than 64 MiB and lists of more than a million elements
//! are not made out of a count, and nothing is made that [`crate::value::meter`] has no room for.

mod case;
mod cast;
mod crypto;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod helm;
mod json;
mod json_read;
mod lists;
mod math;
mod network;
mod paths;
mod reflection;
mod regex;
mod semver;
mod strings;
mod toml;
mod unicode;
mod urls;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub(crate) use cast::text_of;
pub(crate) use dates::parse_duration;
pub(crate) use regex::Expression;
pub(crate) use urls::{Address, parse_address};
pub use world::{Host, Selection, World};

use crate::functions::crypto::price;
use crate::template::function::{Function, Functions, IntoBody, Price};

/// Why a text is no date such as `2006-01-02`, in the words of Go's `time.Parse`.
pub(crate) fn date_fault(text: &str) -> Option<String> {
    dates::parse_time("2006-01-02", text).err()
}

/// The instant that a text in RFC 3339 names.
///
/// # Errors
/// In the words of Go's `time.Parse`.
pub(crate) fn parse_timestamp(text: &str) -> Result<jiff::Timestamp, String> {
    let time = dates::parse_time("2006-01-02T15:04:05Z07:00", text)?;
    let nanos = i32::try_from(time.nanos).unwrap_or_default();
    Ok(jiff::Timestamp::new(time.seconds, nanos).unwrap_or(jiff::Timestamp::MAX))
}

/// Why a text is not JSON, in the words of a decoder of Go's `encoding/json`.
pub(crate) fn json_fault(text: &[u8]) -> Option<String> {
    let fault = json_read::read(text).err()?;
    Some(match fault.as_str() {
        "unexpected end of JSON input" if text.trim_ascii().is_empty() => "EOF".to_owned(),
        "unexpected end of JSON input" => "unexpected EOF".to_owned(),
        fault if fault.ends_with("after top-level value") => "invalid character after top-level value".to_owned(),
        _ => fault,
    })
}

/// All functions by name.
pub fn table() -> Functions {
    let mut table = Table(Functions::default());
    table.strings();
    table.lists();
    table.dicts();
    table.defaults();
    table.math();
    table.encoding();
    table.paths();
    table.crypto();
    table.chance();
    table.semver();
    table.regex();
    table.dates();
    table.durations();
    table.0
}

/// The table in the making: a chapter per method.
struct Table(Functions);

impl Table {
    fn add<Marker, F: IntoBody<Marker>>(&mut self, name: &'static str, function: F) {
        self.0.insert(Function::new(name, function));
    }

    /// A function whose calls cost something.
    fn add_priced<Marker, F: IntoBody<Marker>>(&mut self, name: &'static str, function: F, price: Price) {
        self.0.insert(Function::new(name, function).priced(price));
    }

    /// The same function under several names.
    fn alias<Marker, F: IntoBody<Marker> + Copy>(&mut self, names: &[&'static str], function: F) {
        for name in names {
            self.add(name, function);
        }
    }

    fn strings(&mut self) {
        self.add("abbrev", words::abbrev);
        self.add("abbrevboth", words::abbrevboth);
        self.add("camelcase", case::camelcase);
        self.add("cat", strings::cat);
        self.add("contains", strings::contains);
        self.add("hasPrefix", strings::has_prefix);
        self.add("hasSuffix", strings::has_suffix);
        self.add("hello", || "Hello!");
        self.add("indent", strings::indent);
        self.add("initials", words::initials);
        self.add("join", strings::join);
        self.add("kebabcase", case::kebabcase);
        self.add("lower", strings::lower);
        self.add("nindent", strings::nindent);
        self.add("nospace", words::nospace);
        self.add("plural", strings::plural);
        self.add("quote", strings::quote);
        self.add("repeat", strings::repeat);
        self.add("replace", strings::replace);
        self.add("snakecase", case::snakecase);
        self.add("split", strings::split);
        self.add("splitList", strings::split_list);
        self.add("splitn", strings::splitn);
        self.add("squote", strings::squote);
        self.add("substr", strings::substr);
        self.add("swapcase", words::swapcase);
        self.add("title", strings::title);
        self.add("toString", strings::to_string);
        self.add("toStrings", strings::to_strings);
        self.add("trim", strings::trim);
        self.alias(&["trimAll", "trimall"], strings::trim_all);
        self.add("trimPrefix", strings::trim_prefix);
        self.add("trimSuffix", strings::trim_suffix);
        self.add("trunc", strings::trunc);
        self.add("untitle", words::untitle);
        self.add("upper", strings::upper);
        self.add("wrap", words::wrap);
        self.add("wrapWith", words::wrap_with);
    }

    fn lists(&mut self) {
        self.alias(&["append", "mustAppend", "push", "mustPush"], lists::append);
        self.alias(&["chunk", "mustChunk"], lists::chunk);
        self.alias(&["compact", "mustCompact"], lists::compact);
        self.0.insert(Function::new("concat", lists::concat).returning_any());
        self.alias(&["first", "mustFirst"], lists::first);
        self.alias(&["has", "mustHas"], lists::has);
        self.alias(&["initial", "mustInitial"], lists::initial);
        self.alias(&["last", "mustLast"], lists::last);
        self.alias(&["list", "tuple"], lists::list);
        self.alias(&["prepend", "mustPrepend"], lists::prepend);
        self.alias(&["rest", "mustRest"], lists::rest);
        self.alias(&["reverse", "mustReverse"], lists::reverse);
        self.alias(&["slice", "mustSlice"], lists::slice);
        self.add("sortAlpha", lists::sort_alpha);
        self.alias(&["uniq", "mustUniq"], lists::uniq);
        self.alias(&["without", "mustWithout"], lists::without);
    }

    fn dicts(&mut self) {
        self.add("dict", dicts::dict);
        self.add("dig", dicts::dig);
        self.add("get", dicts::get);
        self.add("hasKey", dicts::has_key);
        self.add("keys", dicts::keys);
        self.alias(&["merge", "mustMerge"], dicts::merge);
        self.alias(&["mergeOverwrite", "mustMergeOverwrite"], dicts::merge_overwrite);
        self.add("omit", dicts::omit);
        self.add("pick", dicts::pick);
        self.add("pluck", dicts::pluck);
        self.add("set", dicts::set);
        self.add("unset", dicts::unset);
        self.add("values", dicts::values);
    }

    fn defaults(&mut self) {
        self.add("all", defaults::all);
        self.add("any", defaults::any);
        self.0.insert(Function::new("coalesce", defaults::coalesce).returning_any());
        self.alias(&["deepCopy", "mustDeepCopy"], defaults::deep_copy);
        self.add("deepEqual", reflection::deep_equal);
        self.add("default", defaults::default);
        self.add("empty", defaults::empty);
        self.add("kindIs", reflection::kind_is);
        self.add("kindOf", reflection::kind_of);
        self.add("ternary", defaults::ternary);
        self.add("typeIs", reflection::type_is);
        self.add("typeIsLike", reflection::type_is_like);
        self.add("typeOf", reflection::type_of);
    }

    fn math(&mut self) {
        self.add("add", math::add);
        self.add("add1", math::add1);
        self.add("add1f", math::add1f);
        self.add("addf", math::addf);
        self.add("atoi", math::atoi);
        self.alias(&["biggest", "max"], math::max);
        self.add("ceil", math::ceil);
        self.add("div", math::div);
        self.add("divf", math::divf);
        self.add("float64", math::float64);
        self.add("floor", math::floor);
        self.add("int", math::int);
        self.add("int64", math::int64);
        self.add("maxf", math::maxf);
        self.add("min", math::min);
        self.add("minf", math::minf);
        self.add("mod", math::modulo);
        self.add("mul", math::mul);
        self.add("mulf", math::mulf);
        self.add("round", math::round);
        self.add("seq", math::seq);
        self.add("sub", math::sub);
        self.add("subf", math::subf);
        self.add("toDecimal", math::to_decimal);
        self.add("until", math::until);
        self.add("untilStep", math::until_step);
    }

    fn encoding(&mut self) {
        self.add("b32dec", encoding::b32dec);
        self.add("b32enc", encoding::b32enc);
        self.add("b64dec", encoding::b64dec);
        self.add("b64enc", encoding::b64enc);
        self.add("fromJson", helm::from_json);
        self.add("fromJsonArray", helm::from_json_array);
        self.add("fromYaml", helm::from_yaml);
        self.add("fromYamlArray", helm::from_yaml_array);
        self.add("mustFromJson", helm::must_from_json);
        self.add("fromToml", toml::from_toml);
        self.add("mustToToml", toml::must_to_toml);
        self.add("toToml", toml::to_toml);
        self.add("mustToYaml", helm::must_to_yaml);
        self.add("common.Values.YAML", helm::values_yaml);
        self.add("toYaml", helm::to_yaml);
        self.add("toYamlPretty", helm::to_yaml_pretty);
        self.add("mustToJson", helm::must_to_json);
        self.add("mustToPrettyJson", helm::must_to_pretty_json);
        self.alias(&["toRawJson", "mustToRawJson"], helm::to_raw_json);
        self.add("toJson", helm::to_json);
        self.add("toPrettyJson", helm::to_pretty_json);
    }

    fn paths(&mut self) {
        self.add("urlJoin", urls::join);
        self.add("urlParse", urls::parse);
        self.add("getHostByName", network::host_by_name);
        self.alias(&["base", "osBase"], paths::base);
        self.alias(&["clean", "osClean"], paths::clean);
        self.alias(&["dir", "osDir"], paths::dir);
        self.alias(&["ext", "osExt"], paths::ext);
        self.alias(&["isAbs", "osIsAbs"], paths::is_abs);
    }

    fn semver(&mut self) {
        self.add("semver", semver::semver);
        self.add("semverCompare", semver::compare);
    }

    fn crypto(&mut self) {
        self.add("adler32sum", crypto::adler32sum);
        self.add_priced("bcrypt", crypto::bcrypt, |_| price::BCRYPT);
        self.add("buildCustomCert", crypto::build_custom_cert);
        self.add("decryptAES", crypto::decrypt_aes);
        self.add_priced("derivePassword", crypto::derive_password, |_| price::SCRYPT);
        self.add("encryptAES", crypto::encrypt_aes);
        self.add_priced("genCA", crypto::gen_ca, |_| price::USUAL_KEY);
        self.add_priced("genCAWithKey", crypto::gen_ca_with_key, |_| price::SIGNATURE);
        self.add_priced("genPrivateKey", crypto::gen_private_key, price::private_key);
        self.add_priced("genSelfSignedCert", crypto::gen_self_signed, |_| price::USUAL_KEY);
        self.add_priced("genSelfSignedCertWithKey", crypto::gen_self_signed_with_key, |_| price::SIGNATURE);
        self.add_priced("genSignedCert", crypto::gen_signed, |_| price::USUAL_KEY);
        self.add_priced("genSignedCertWithKey", crypto::gen_signed_with_key, |_| price::SIGNATURE);
        self.add_priced("htpasswd", crypto::htpasswd, |_| price::BCRYPT);
        self.add("sha1sum", crypto::sha1sum);
        self.add("sha256sum", crypto::sha256sum);
        self.add("sha512sum", crypto::sha512sum);
    }

    fn chance(&mut self) {
        self.add("randAlpha", crypto::alpha);
        self.add("randAlphaNum", crypto::alpha_num);
        self.add("randAscii", crypto::ascii);
        self.add("randBytes", crypto::bytes);
        self.add("randInt", crypto::int);
        self.add("randNumeric", crypto::numeric);
        self.add("shuffle", crypto::shuffle);
        self.add("uuidv4", crypto::uuidv4);
    }

    fn regex(&mut self) {
        self.add("mustRegexFind", regex::must_find);
        self.add("mustRegexFindAll", regex::must_find_all);
        self.add("mustRegexMatch", regex::must_match);
        self.add("mustRegexReplaceAll", regex::must_replace_all);
        self.add("mustRegexReplaceAllLiteral", regex::must_replace_all_literal);
        self.add("mustRegexSplit", regex::must_split);
        self.add("regexFind", regex::find);
        self.add("regexFindAll", regex::find_all);
        self.add("regexMatch", regex::matches);
        self.add("regexQuoteMeta", regex::quote_meta);
        self.add("regexReplaceAll", regex::replace_all);
        self.add("regexReplaceAllLiteral", regex::replace_all_literal);
        self.add("regexSplit", regex::split);
    }

    fn dates(&mut self) {
        self.add("ago", dates::ago);
        self.add("date", dates::date);
        self.alias(&["dateInZone", "date_in_zone"], dates::date_in_zone);
        self.alias(&["dateModify", "date_modify"], dates::date_modify);
        self.add("htmlDate", dates::html_date);
        self.add("htmlDateInZone", dates::html_date_in_zone);
        self.alias(&["mustDateModify", "must_date_modify"], dates::must_date_modify);
        self.add("mustToDate", dates::must_to_date);
        self.add("now", dates::now);
        self.add("toDate", dates::to_date);
        self.add("unixEpoch", dates::unix_epoch);
    }

    fn durations(&mut self) {
        self.add("duration", dates::duration);
        self.add("durationDays", dates::days);
        self.add("durationHours", dates::hours);
        self.add("durationMicroseconds", dates::microseconds);
        self.add("durationMilliseconds", dates::milliseconds);
        self.add("durationMinutes", dates::minutes);
        self.add("durationNanoseconds", dates::nanoseconds);
        self.add("durationRound", dates::duration_round);
        self.add("durationRoundTo", dates::round_to);
        self.add("durationSeconds", dates::seconds);
        self.add("durationTruncateTo", dates::truncate_to);
        self.add("durationWeeks", dates::weeks);
        self.add("mustToDuration", dates::must_to_duration);
    }
}
