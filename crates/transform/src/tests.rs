//! What scripts can do, and what they cannot.

use std::sync::Arc;

use bytes::Bytes;
use tidings_core::change::{Change, NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, ChangeId};
use tidings_core::limits;

use crate::{Input, Output, Sandbox, Script, TransformError};

fn change() -> Change {
    let new = NewChange {
        id: ChangeId(Bits96::new(1)),
        kind: "invoice.paid".into(),
        subject: Subject::default(),
        order_key: Some("k".into()),
        occurred_at: Timestamp::parse("2026-03-12T09:01:12Z").unwrap(),
        origin: Origin::Api,
        actor: None,
        traceparent: None,
        body: Bytes::new(),
    };
    Change { seq: 42, recorded_at: Timestamp(0), new }
}

async fn run(script: &str, body: &str) -> Result<Output, TransformError> {
    let input =
        Input { changes: vec![Arc::new(change())], body: Bytes::copy_from_slice(body.as_bytes()) };
    Sandbox::default().run(&Script::compile(script)?, input).await
}

async fn body(script: &str, body: &str) -> String {
    let output = run(script, body).await.unwrap_or_else(|error| panic!("{script}: {error}"));
    output.body.map_or_else(|| body.to_owned(), |body| String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn a_script_reshapes_the_body() {
    let given = r#"{"id":"chg_1","data":{"n":7,"who":"Ada","tags":["a","b"],"x":1.50}}"#;
    for (script, made) in [
        (
            "body = #{ text: `Invoice ${body.data.n} for ${body.data.who}` };",
            r#"{"text":"Invoice 7 for Ada"}"#,
        ),
        ("body = body.data.tags;", r#"["a","b"]"#),
        (
            "body = #{ t: body.data.tags.join(\", \"), up: body.data.who.to_upper() };",
            r#"{"t":"a, b","up":"ADA"}"#,
        ),
        (
            "body.remove(\"data\"); body.seq = change.seq; body.kind = change.type;",
            r#"{"id":"chg_1","kind":"invoice.paid","seq":42}"#,
        ),
        ("body = 0; for c in changes { body += c.seq; }", "42"),
        (
            "let list = []; for tag in body.data.tags { list.push(#{ tag: tag }); } body = list;",
            r#"[{"tag":"a"},{"tag":"b"}]"#,
        ),
        ("body = if body.data.n > 5 { \"big\" } else { \"small\" };", r#""big""#),
        ("body = body.data.who.replace(\"A\", \"E\") + 1 + true;", r#""Eda1true""#),
        ("body = \"a,b\".split(\",\").len() + \"äö\".len();", "4"),
        (
            "body = \"hello\".sub_string(1, 1) + \"hello\".sub_string(-2) + \"hello\".index_of(\"l\");",
            r#""elo2""#,
        ),
        (
            "body = [change.order_key, change.timestamp, change.provider, 1.0, 'c'];",
            r#"["k","2026-03-12T09:01:12.000Z",null,1.0,"c"]"#,
        ),
        ("let c = change.seq * 2; body = c / 4;", "21"),
    ] {
        assert_eq!(body(script, given).await, made, "{script}");
    }
}

#[tokio::test]
async fn what_is_left_alone_keeps_its_bytes_and_big_numbers_their_digits() {
    let given =
        r#"{ "z" : 1.50, "a":123456789012345678901234567890, "a2":0.10000000000000000001 }"#;
    for script in ["", "headers[\"x-a\"] = 1;", "let x = body.z; body.z = x;"] {
        assert_eq!(run(script, given).await.unwrap().body, None, "{script}");
    }
    let made = body("body.b = body.a; body.c = `${body.a}`; body.z += 1;", given).await;
    assert_eq!(
        made,
        r#"{"a":123456789012345678901234567890,"a2":0.10000000000000000001,"b":123456789012345678901234567890,"c":"123456789012345678901234567890","z":2.5}"#
    );
    assert!(run("body.a += 1;", given).await.unwrap_err().why.contains("exact number"));
}

#[tokio::test]
async fn headers_are_added_or_refused() {
    let output = run("headers[\"x-seq\"] = change.seq; headers[\"x-b\"] = \"b c\";", "{}").await;
    let expect = [("x-b".to_owned(), "b c".to_owned()), ("x-seq".to_owned(), "42".to_owned())];
    assert_eq!(output.unwrap().headers, expect);
    for script in [
        "headers[\"X-Upper\"] = 1;",
        "headers[\"webhook-id\"] = \"x\";",
        "headers[\"webhook-signature\"] = \"x\";",
        "headers[\"content-length\"] = 1;",
        "headers[\"content-type\"] = \"text/plain\";",
        "headers[\"host\"] = \"x\";",
        "headers[\"authorization\"] = \"x\";",
        "headers[\"transfer-encoding\"] = \"chunked\";",
        "headers[\"connection\"] = \"close\";",
        "headers[\"a b\"] = 1;",
        "headers[\"\"] = 1;",
        "headers[\"x\"] = \"a\\r\\nb: c\";",
        "headers[\"x\"] = \"é\";",
        "headers[\"x\"] = ();",
        "headers[\"x\"] = [1];",
        "headers = 1;",
        "for i in 0..21 { headers[`x-${i}`] = i; }",
        "let s = \"x\"; for i in 0..12 { s += s; } headers[\"x\"] = s;",
    ] {
        assert!(run(script, "{}").await.unwrap_err().why.contains("header"), "{script}");
    }
}

#[tokio::test]
async fn mistakes_are_named_with_line_and_column() {
    for (script, line, says) in [
        ("body = ;", 1, "Unexpected"),
        ("let a = 1;\nbody = b;", 2, "b"),
        ("body = #{", 1, "}"),
        ("fn f() { 1 }\nbody = f();", 1, ""),
        ("import \"x\" as x;", 1, ""),
        ("eval(\"1\")", 1, "eval"),
        ("print(1)", 1, "print"),
        ("body = \"abc", 1, ""),
    ] {
        let error = Script::compile(script).unwrap_err();
        assert_eq!(error.line, Some(line), "{script}: {error}");
        assert!(error.column.is_some() && error.why.contains(says), "{script}: {error}");
    }
    for (script, line, says) in [
        ("change = 1;", 1, "change"),
        ("\n\nbody.no_such_function();", 3, "no_such_function"),
        ("let x = 1;\nthrow \"no\\nnumber\";", 2, "throws: no number"),
        ("body = 1 / 0;", 1, "zero"),
        ("body = 9223372036854775807 + 1;", 1, ""),
        ("sleep(1);", 1, "sleep"),
        ("body = timestamp();", 1, "timestamp"),
        ("body = rand();", 1, "rand"),
        ("parse_json(\"1\")", 1, "parse_json"),
        ("exit(1)", 1, "exit"),
        ("body = body[5];", 1, ""),
    ] {
        let error = run(script, "[]").await.unwrap_err();
        assert_eq!(error.line, Some(line), "{script}: {error}");
        assert!(error.why.contains(says) && !error.why.contains('\n'), "{script}: {error}");
    }
    for script in ["body = 1.0 / 0.0;", "body = 0..3;"] {
        assert!(run(script, "[]").await.unwrap_err().why.starts_with("body holds a"), "{script}");
    }
    assert!(run("body = 1;", "not json").await.unwrap_err().why.contains("no JSON body"));
    assert!(run("", "not json").await.is_ok());
}

#[tokio::test]
async fn hostile_scripts_end_at_a_limit() {
    let around = |open: &str, close: &str| {
        format!("loop {{ body = {}body{}; }}", open.repeat(20), close.repeat(20))
    };
    let (deep, maps) = (around("[", "]"), around("#{a:", "}"));
    let mixed = "loop { body = [#{a:[#{a:[#{a:[#{a:body}]}]}]}]; }";
    let nested = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let many: String = (0..100).map(|n| format!("let v{n} = \"{n}\";")).collect();
    let blocks = format!("{}{}", "if true {".repeat(1_000), "}".repeat(1_000));
    let grown = |twice: &str| format!("let s = \"0123456789abcdef\"; for i in 0..64 {{ {twice} }}");
    for script in [
        "loop {}".to_owned(),
        "while true { body = [1]; }".into(),
        "for i in 0..9223372036854775807 {}".into(),
        "try { loop {} } catch { loop {} }".into(),
        grown("s += s;"),
        grown("s = s + s;"),
        grown("s = `${s}${s}`;"),
        grown("s = s.replace(\"0\", s);"),
        grown("s = [s, s].join(s);"),
        grown("s = s.to_debug() + s.to_debug();"),
        "let s = \"0\"; for i in 0..18 { s += s; } body = s.replace(\"0\", s);".into(),
        "let s = \"0\"; for i in 0..18 { s += s; } body = s.split(\"0\");".into(),
        "let s = \"0\"; for i in 0..18 { s += s; } let m = #{}; for i in 0..9000 { m[s + i] = 1; }"
            .into(),
        "let a = [1]; loop { a += a; }".into(),
        "let a = [1]; loop { a.append(a); }".into(),
        "let a = []; a.pad(4611686018427387904, \"xxxx\");".into(),
        "let a = []; a.pad(9223372036854775807, 1);".into(),
        "let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }".into(),
        deep.clone(),
        maps,
        mixed.into(),
        format!("try {{ {deep} }} catch {{ }} body = body.to_string();"),
        many,
        nested,
        blocks,
        "a".repeat(limits::TRANSFORM_BYTES_MAX + 1),
        "let a = blob(1000000000);".into(),
    ] {
        let error = run(&script, "[]").await.unwrap_err();
        assert!(error.why.len() <= limits::TRANSFORM_ERROR_BYTES_MAX, "{script:.60}");
    }
    let big = format!("[{}0]", "0,".repeat(limits::TRANSFORM_VALUES_MAX));
    assert!(run("", &big).await.unwrap_err().why.contains("values"));
    let big = format!("\"{}\"", "x".repeat(limits::TRANSFORM_BODY_BYTES_MAX));
    assert!(run("", &big).await.unwrap_err().why.contains("bytes"));
}

#[tokio::test]
async fn the_same_input_gives_the_same_output_on_every_thread() {
    let sandbox = Sandbox::default();
    let script =
        Script::compile("headers[\"x\"] = body.a; body = #{ b: body, a: change };").unwrap();
    let given = Input { changes: vec![Arc::new(change())], body: Bytes::from_static(b"{\"a\":1}") };
    let first = sandbox.run(&script, given.clone()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(sandbox.run(&script, given.clone()).await.unwrap(), first);
    }
}
