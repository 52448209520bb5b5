use serde_json::json;

use super::*;
use crate::policy::tests::processor_seconds;

/// What a rule says of an object: its truth, or the fault or error.
fn judged(rule: &str, object: &Json) -> Result<bool, String> {
    let rule = Rule::compile(rule, &mut 0).map_err(|fault| fault.to_string())?;
    rule.judge(object, &Purse::default()).map_err(|error| error.to_string())
}

fn deployment() -> Json {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "generation": 3, "labels": {"app": "web", "a/b": "c"}},
        "spec": {"replicas": 2, "ratio": 0.5, "large": 18_446_744_073_709_551_615_u64, "paused": false, "none": null},
        "status": {
            "readyReplicas": 2,
            "phase": "Bound",
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "False"},
            ],
            "ips": ["10.0.0.1", "10.0.0.2"],
        },
    })
}

#[test]
fn rules_are_true_of_objects_of_which_cel_says_so() {
    let object = deployment();
    for rule in [
        // Fields.
        "self.status.readyReplicas == self.spec.replicas",
        "self['status']['readyReplicas'] == 2",
        "self.metadata.labels['a/b'] == \"c\"",
        "self.status.conditions[1].type == 'Progressing'",
        "has(self.status.phase) && !has(self.status.missing)",
        "has(self.spec.none) && self.spec.none == null",
        "'app' in self.metadata.labels && !('other' in self.metadata.labels)",
        "'10.0.0.2' in self.status.ips",
        // What is absent.
        "self.?status.?nothing.deeper.orValue(7) == 7",
        "self.?status.phase.orValue('') == 'Bound'",
        "self.status.?phase.hasValue() && !self.status.ips[?5].hasValue()",
        // Numbers compare as numbers, and only compare.
        "self.spec.replicas == 2.0 && self.spec.replicas == 2u && 2u == 2.0 && 1 != 1.5",
        "self.spec.ratio < 1 && 1 > self.spec.ratio && 2u > 1.5 && -1 < 0u",
        "self.spec.large > 9223372036854775807 && self.spec.large == 18446744073709551615u",
        "9007199254740993 != 9007199254740992.0 && 9007199254740993 > 9007199254740992.0",
        "-9223372036854775808 < 0 && 0xff == 255 && 1e3 == 1000 && .5 == self.spec.ratio",
        "self.spec.replicas + 1 == 3 && 7 / 2 == 3 && -7 % 3 == -1 && 2 * 3 - 1 == 5 && 1.5 + 1.5 == 3.0",
        "!(0.0 / 0.0 == 0.0 / 0.0) && !(0.0 / 0.0 < 1)",
        "1 != '1' && [1, 2] == [1.0, 2u] && {'a': [1]} == {'a': [1.0]} && {'a': 1} != {'b': 1}",
        // Order of operators.
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 10 - 2 - 3 == 5",
        "true || false && false",
        "!false ? true : false",
        "false ? false : true ? true : false",
        "- 2 == 0 - 2 && --2 == 2 && !!true && -2.abs == 0 || true",
        // An operand that decides does so even against an error.
        "self.missing == 1 || true",
        "true || self.missing == 1",
        "!(self.missing == 1 && false)",
        "self.status.conditions.exists(c, c.missing == 1 || c.type == 'Available')",
        "!self.status.conditions.all(c, c.type == 'Available' && c.missing)",
        // Comprehensions.
        "self.status.conditions.exists(c, c.type == 'Available' && c.status == 'True')",
        "self.status.conditions.exists_one(c, c.status == 'True')",
        "self.status.ips.all(ip, ip.startsWith('10.'))",
        "self.status.conditions.map(c, c.type) == ['Available', 'Progressing']",
        "self.status.conditions.map(c, c.status == 'True', c.type) == ['Available']",
        "self.status.conditions.filter(c, c.status == 'True').size() == 1",
        "self.metadata.labels.all(key, self.metadata.labels[key] != '')",
        "[1, 2].all(x, [3, 4].exists(y, y == x + 2)) && [1].all(x, [2].all(x, x == 2) && x == 1)",
        "{'a': 1, 'b': 2}.exists(k, k == 'b') && size({1: 2}) == 1 && {1: 'x'}[1u] == 'x'",
        // Texts.
        r#"size('äö') == 2 && "a\tb\u00e4\x41\101" == 'a	bäAA' && r'\d' == '\\d' && """a"b""" == 'a"b'"#,
        "'abc'.contains('b') && 'abc'.endsWith('c') && 'aBc'.lowerAscii() == 'abc' && 'ab'.upperAscii() == 'AB'",
        "' a '.trim() == 'a' && 'a-b'.replace('-', '+') == 'a+b' && 'a,b'.split(',') == ['a', 'b']",
        "['a', 'b'].join('-') == 'a-b' && 'äbc'.substring(1) == 'bc' && 'äbc'.substring(0, 1) == 'ä'",
        "'äbä'.indexOf('b') == 1 && 'äbä'.lastIndexOf('ä') == 2 && 'a'.indexOf('x') == -1 && 'ab'.split('').size() == 2",
        "'web-1'.matches('^[a-z]+-[0-9]$') && !matches('web', '^x')",
        "'a' < 'b' && 'a' + 'b' == 'ab' && [1] + [2] == [1, 2]",
        // Types.
        "type(self.spec.replicas) == int && type('') != int && type(null) == null_type && type([]) == list",
        "int('7') == 7 && int(2.9) == 2 && uint(3) == 3u && double('1.5') == 1.5 && string(7) == '7' && bool('true')",
        "int(3u) == 3 && double(1) == 1.0 && string(1.5) == '1.5' && dyn(1) == 1 && string(true) == 'true'",
        "// why\n self.spec.replicas == // both\n 2",
    ] {
        assert_eq!(judged(rule, &object), Ok(true), "{rule}");
    }
}

#[test]
fn an_error_says_what_is_missing_and_never_what_the_object_holds() {
    let object = deployment();
    for (rule, error) in [
        ("self.status.missing == 1", "no such key: missing"),
        ("self['x'] == 1", "no such key: x"),
        ("self[self.status.phase] == 1", "no such key"),
        ("self.status.ips[2] == ''", "index out of bounds: 2"),
        ("self.status.ips[-1] == ''", "index out of bounds: -1"),
        ("self.status.ips['a'] == ''", "no such overload: `[]` of list and string"),
        ("self.spec.replicas.x == 1", "no such overload: `a field` of int"),
        ("self.spec.replicas + 1.0 == 3.0", "no such overload: `+` of int and double"),
        ("self.spec.replicas < '3'", "no such overload: `<` of int and string"),
        ("self.spec.replicas && true", "no such overload: `&&` of int"),
        ("self.spec.replicas.startsWith('a')", "no such overload: `startsWith` of int and string"),
        ("size(1) == 1", "no such overload: `size` of int"),
        ("self.spec.replicas.all(x, true)", "no such overload: `a comprehension` of int"),
        ("has(self.spec.replicas.x)", "no such overload: `a field` of int"),
        ("1 / (self.spec.replicas - 2) == 1", "division by zero"),
        ("1 % (self.spec.replicas - 2) == 1", "division by zero"),
        ("9223372036854775807 + self.spec.replicas == 0", "integer overflow"),
        ("-(-9223372036854775808) == 0", "integer overflow"),
        ("int(1e30) == 0", "integer overflow"),
        ("uint(-1) == 0u", "integer overflow"),
        ("int(self.status.phase) == 1", "`int` of a text that is no int"),
        ("{'a': 1, 'a': 2}.a == 1", "a map has a key twice"),
        ("'abc'.substring(4) == ''", "index out of bounds: 4"),
        ("self.status.conditions.exists(c, c.missing == 1)", "no such key: missing"),
        ("self.status.phase", "the rule gives a value of type string, expected bool"),
        ("self", "the rule gives a value of type map, expected bool"),
    ] {
        assert_eq!(judged(rule, &object), Err(error.to_owned()), "{rule}");
    }
}

#[test]
fn a_rule_that_cannot_be_read_says_where_and_why() {
    for (rule, fault) in [
        ("", "line 1, column 1: expected an expression, found the end"),
        ("self.a ==", "line 1, column 10: expected an expression, found the end"),
        ("self.a === 1", "line 1, column 10: `=` means nothing in CEL"),
        ("self.a = 1", "line 1, column 8: `=` means nothing in CEL"),
        ("(self.a", "line 1, column 8: expected `)`, found the end"),
        ("self.a\n&& self.b)", "line 2, column 10: expected an operator or the end, found `)`"),
        ("self.a self.b", "line 1, column 8: expected an operator or the end, found `self`"),
        ("self.", "line 1, column 6: expected the name of a field, found the end"),
        ("self.a[1", "line 1, column 9: expected `]`, found the end"),
        ("sefl.a", "line 1, column 1: unknown name `sefl`: did you mean `self`?"),
        ("object.a", "line 1, column 1: unknown name `object`: the object is `self`"),
        ("c.type == [1].map(c, c)", "line 1, column 1: unknown name `c`: the object is `self`"),
        ("siz(self)", "line 1, column 1: unknown function `siz`, did you mean `size`?"),
        ("self.a.startWith('b')", "line 1, column 8: unknown method `startWith`, did you mean `startsWith`?"),
        ("timestamp(self.a)", "line 1, column 1: unknown function `timestamp`"),
        ("size(self, 1)", "line 1, column 1: `size` is not called with so many values"),
        ("has(self)", "line 1, column 5: `has` takes a field such as `self.status.phase`"),
        ("self.all(1, true)", "line 1, column 10: expected a name for each element in `all`, found `1`"),
        ("self.all(in, true)", "line 1, column 10: expected a name for each element in `all`, found `in`"),
        ("self.all(x)", "line 1, column 11: expected `,`, found `)`"),
        ("'a", "line 1, column 1: the text has no end"),
        ("'a\n'", "line 1, column 1: the text has no end"),
        (r"'\q'", r"line 1, column 4: `\q` is no escape of CEL"),
        (r"'\ud800'", r"line 1, column 8: `\u` is no escape of CEL"),
        ("9223372036854775808", "line 1, column 1: the number is too large for an int"),
        ("99999999999999999999", "line 1, column 1: `99999999999999999999` is no 64-bit number"),
        ("1e999 == 1.0", "line 1, column 1: `1e999` is no number"),
        ("self.a.matches(self.b)", "line 1, column 8: the pattern of `matches` must be written as a text"),
        ("self.a.matches('(')", "line 1, column 8: the pattern of `matches` is no regular expression"),
        ("self.a.matches('(\\\\w{100}){100}')", "line 1, column 8: the pattern of `matches` is too large"),
        ("b'x' == b'x'", "line 1, column 1: unknown name `b`: the object is `self`"),
        ("#", "line 1, column 1: `#` means nothing in CEL"),
    ] {
        assert_eq!(judged(rule, &json!({})), Err(fault.to_owned()), "{rule}");
    }
}

#[test]
fn common_patterns_are_cheap_enough_for_lists_of_names() {
    let object = json!({"names": vec!["web-0.web.default.svc.cluster.local"; 20]});
    for pattern in
        ["^[a-z0-9-]+(\\\\.[a-z0-9-]+)*$", "^\\\\S+$", "^v?[0-9]+\\\\.[0-9]+", "^[^/]*$", "web|db", "^web-\\\\d+"]
    {
        let rule = format!("self.names.all(name, name.matches('{pattern}') || true)");
        assert_eq!(judged(&rule, &object), Ok(true), "{rule}");
    }
}

/// Rules that are meant to take long, fill the memory or end the process, each with an object of a megabyte.
#[test]
fn hostile_rules_end_soon() {
    let object = json!({
        "list": (0..20_000).collect::<Vec<_>>(),
        "text": "a".repeat(1_000_000),
        "map": (0..5_000).map(|i| (i.to_string(), json!(i))).collect::<serde_json::Map<_, _>>(),
    });
    let nested = |depth: usize| (0..depth).fold("true".to_owned(), |body, i| format!("self.list.all(x{i}, {body})"));
    let doubled = (0..300).fold("['aaaaaaaaaaaaaaaa']".to_owned(), |rule, _| format!("{rule}.map(x, x + x)"));
    let lists = (0..60).fold("[[1]]".to_owned(), |rule, _| format!("{rule}.map(x, x + x)"));
    for rule in [
        nested(2),
        nested(40),
        format!("{}true{}", "(".repeat(4_000), ")".repeat(4_000)),
        format!("{}true", "!".repeat(10_000)),
        format!("{}1 == 1", "-".repeat(10_000)),
        format!("{}1 == 1", "1 + ".repeat(2_500)),
        format!("{}true", "true ? true : ".repeat(700)),
        format!("self{}", ".a".repeat(5_000)),
        format!("{}1{} == 1", "[".repeat(4_000), "]".repeat(4_000)),
        format!("{}1", "{1:".repeat(3_000)),
        format!("self{} == 1", "[0]".repeat(3_000)),
        format!("size({doubled}[0]) == 1"),
        format!("size({lists}[0]) == 1"),
        "self.list.all(x, self == self)".to_owned(),
        "self.list.all(x, self.map == self.map)".to_owned(),
        "self.list.all(x, self.text == self.text + '')".to_owned(),
        "self.list.all(x, size(self.text) > 0)".to_owned(),
        "self.list.all(x, self.text.contains('b') || true)".to_owned(),
        "self.list.all(x, self.text.matches('(a{1,30}){1,30}b') || true)".to_owned(),
        "self.text.replace('', self.text) == ''".to_owned(),
        "self.list.map(x, self.text).join(self.text) == ''".to_owned(),
        "self.list.map(x, self.list).map(y, y + y).size() == 1".to_owned(),
        "self.text.split('').map(x, self.text.split('')).size() == 1".to_owned(),
        "self.list.all(x, !(string(x) in self.map) || [self.map, self.map] != [self.map, self.map])".to_owned(),
        "x".repeat(20_000),
    ] {
        let judged = std::thread::Builder::new().stack_size(2 << 20);
        let (rule, object) = (rule, object.clone());
        let shown: String = rule.chars().take(80).collect();
        let thread = judged.spawn(move || judged_alone(&rule, &object)).unwrap();
        let (answer, seconds) = thread.join().unwrap();
        assert!(seconds < 3.0, "{shown}: {seconds}");
        assert!(answer.is_err() || shown.starts_with(['!', '-']), "{shown}: {answer:?}");
    }
}

fn judged_alone(rule: &str, object: &Json) -> (Result<bool, String>, f64) {
    (judged(rule, object), processor_seconds())
}

/// Pieces of the language in every order, by a generator with a seed: whatever comes, there is an answer.
#[test]
fn any_text_is_a_rule_or_a_fault() {
    const PIECES: [&str; 40] = [
        "self", ".", "a", "[", "]", "(", ")", "{", "}", "?", ":", "1", "2u", "1.5", "'x'", "\"", "'''", "\\", "+", "-",
        "*", "/", "%", "==", "<", "in", "&&", "||", "!", ",", "has(", "size(", ".all(x,", ".map(y,", ".?", "[?",
        "true", "null", " ", "ä",
    ];
    let object = json!({"a": [1, "x", {"a": null}], "x": {"a": 1.5}});
    let mut state = 1_u64;
    let mut answered = 0;
    for _ in 0..20_000 {
        let mut rule = String::new();
        for _ in 0..=(state >> 40) % 14 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            rule.push_str(PIECES[usize::try_from((state >> 33) % 40).unwrap()]);
        }
        answered += usize::from(judged(&rule, &object).is_ok());
    }
    assert!(answered > 10, "{answered}");
}
