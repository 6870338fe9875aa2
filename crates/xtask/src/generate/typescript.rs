//! TypeScript from the OpenAPI document: the types of what travels, and the closed sets as values.
//!
//! Only what the document says today is understood. A keyword we do not know is an error: a type that leaves
//! something out would be believed by everybody who imports it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Result;

const HEAD: &str = "\
// Generated from api/openapi.json by `cargo xtask gen`; do not edit.
// Names are as they travel. Times are Unix milliseconds, spans are seconds.
";

/// The sets that programs go through at run time, and the names of their values.
const SETS: [(&str, &str); 6] = [
    ("AccountStatus", "ACCOUNT_STATUSES"),
    ("EndReason", "END_REASONS"),
    ("ErrorCode", "ERROR_CODES"),
    ("EventKind", "EVENT_KINDS"),
    ("ReportKind", "REPORT_KINDS"),
    ("UserRole", "USER_ROLES"),
];

/// Keywords that say nothing about the shape.
const PROSE: [&str; 7] = ["description", "example", "format", "minimum", "maximum", "x-class", "x-signs-out"];

/// The module for a document, the same for the same document to the byte.
pub fn module(document: &Value) -> Result<String> {
    let schemas = document["components"]["schemas"].as_object().ok_or("the document has no schemas")?;
    let mut out = String::from(HEAD);
    for (name, schema) in schemas {
        out.push('\n');
        declare(&mut out, name, schema).map_err(|error| format!("schema {name}: {error}"))?;
    }
    Ok(out)
}

fn declare(out: &mut String, name: &str, schema: &Value) -> Result {
    comment(out, "", schema);
    if let Some((_, values)) = SETS.iter().find(|(set, _)| *set == name) {
        return declare_set(out, name, values, schema);
    }
    if let Some(object) = Object::of(schema)? {
        let extends = if object.bases.is_empty() {
            String::new()
        } else {
            format!(" extends {}", object.bases.join(", "))
        };
        writeln!(out, "export interface {name}{extends} {}", object.body("")?)?;
    } else {
        writeln!(out, "export type {name} = {};", expression(schema, "")?)?;
    }
    Ok(())
}

/// A set is declared once, as a value, and its type is read off it.
fn declare_set(out: &mut String, name: &str, values: &str, schema: &Value) -> Result {
    let members = strings(&schema["enum"])?;
    let lines = |members: &[&str]| members.iter().map(|one| format!("  \"{one}\",\n")).collect::<String>();
    writeln!(out, "export type {name} = (typeof {values})[number];\n")?;
    writeln!(
        out,
        "/** Every {{@link {name}}}. */\nexport const {values} = [\n{}] as const;",
        lines(&members)
    )?;
    if !schema["x-signs-out"].is_null() {
        let ending = strings(&schema["x-signs-out"])?;
        writeln!(out, "\n/** The only codes that can end a session on a client (protocol section 8). */")?;
        let list = lines(&ending);
        writeln!(out, "export const SIGNS_OUT = [\n{list}] as const satisfies readonly {name}[];")?;
    }
    if let Some(classes) = schema["x-class"].as_object() {
        writeln!(out, "\n/** What each code is about; it decides what a client does. */")?;
        writeln!(out, "export const ERROR_CLASS = {{")?;
        for member in members {
            let class = classes.get(member).and_then(Value::as_str);
            writeln!(out, "  {member}: \"{}\",", class.ok_or(format!("{member} has no class"))?)?;
        }
        writeln!(out, "}} as const satisfies Record<{name}, ErrorClass>;")?;
    }
    Ok(())
}

/// An object, with what `allOf` adds to it.
#[derive(Default)]
struct Object<'a> {
    bases: Vec<&'a str>,
    members: Vec<(&'a str, &'a Value, bool)>,
}

impl<'a> Object<'a> {
    /// Nothing if the schema is no object with named members.
    fn of(schema: &'a Value) -> Result<Option<Self>> {
        let mut object = Self::default();
        let Some(parts) = schema["allOf"].as_array() else {
            return Ok(object.take_members(schema)?.then_some(object));
        };
        only(schema, &["allOf"])?;
        for part in parts {
            if let Some(base) = reference(part)? {
                object.bases.push(base);
            } else if !object.take_members(part)? {
                return Err("a part of its allOf is neither a reference nor an object".into());
            }
        }
        Ok(Some(object))
    }

    fn take_members(&mut self, schema: &'a Value) -> Result<bool> {
        let Some(properties) = schema["properties"].as_object() else { return Ok(false) };
        // That there are no other members goes without saying: an interface does not name any.
        let closed = schema["additionalProperties"] == Value::Bool(false);
        let known = ["type", "properties", "required", "additionalProperties"];
        only(schema, &known[..if closed { 4 } else { 3 }])?;
        let required = if schema["required"].is_null() { vec![] } else { strings(&schema["required"])? };
        let member = |(name, schema): (&'a String, &'a Value)| {
            (name.as_str(), schema, required.contains(&name.as_str()))
        };
        self.members.extend(properties.iter().map(member));
        Ok(true)
    }

    fn body(&self, indent: &str) -> Result<String> {
        let inner = format!("{indent}  ");
        let mut out = String::from("{\n");
        for (name, schema, required) in &self.members {
            comment(&mut out, &inner, schema);
            let optional = if *required { "" } else { "?" };
            let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let name = if is_word { (*name).to_owned() } else { format!("\"{name}\"") };
            writeln!(out, "{inner}{name}{optional}: {};", expression(schema, &inner)?)?;
        }
        Ok(out + indent + "}")
    }
}

/// A schema where a type is expected.
fn expression(schema: &Value, indent: &str) -> Result<String> {
    if let Some(name) = reference(schema)? {
        return Ok(name.to_owned());
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(parts) = schema[either].as_array() {
            only(schema, &[either])?;
            return Ok(parts
                .iter()
                .map(|part| expression(part, indent))
                .collect::<Result<Vec<_>>>()?
                .join(" | "));
        }
    }
    if let Some(object) = Object::of(schema)? {
        let bases = object.bases.iter().map(|base| format!("{base} & ")).collect::<String>();
        return Ok(bases + &object.body(indent)?);
    }
    if !schema["enum"].is_null() {
        only(schema, &["type", "enum"])?;
        let members = strings(&schema["enum"])?;
        return Ok(members.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(" | "));
    }
    // That keys are strings is said of maps, and goes without saying.
    let any_key = schema["propertyNames"] == serde_json::json!({ "type": "string" });
    let known = ["type", "items", "additionalProperties", "propertyNames"];
    only(schema, &known[..if any_key { 4 } else { 3 }])?;
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        several => strings(several)?,
    };
    let plain = types.iter().map(|one| plain(one, schema, indent));
    Ok(plain.collect::<Result<Vec<_>>>()?.join(" | "))
}

fn plain(name: &str, schema: &Value, indent: &str) -> Result<String> {
    Ok(match name {
        "string" | "boolean" | "null" => name.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let item = expression(&schema["items"], indent)?;
            if item.contains(['|', '&']) { format!("({item})[]") } else { format!("{item}[]") }
        }
        "object" if schema["additionalProperties"].is_object() => {
            format!("Record<string, {}>", expression(&schema["additionalProperties"], indent)?)
        }
        "object" => "Record<string, unknown>".to_owned(),
        other => return Err(format!("the type `{other}` is not understood").into()),
    })
}

fn reference(schema: &Value) -> Result<Option<&str>> {
    let Some(target) = schema["$ref"].as_str() else { return Ok(None) };
    only(schema, &["$ref"])?;
    let name = target.strip_prefix("#/components/schemas/");
    name.map(Some).ok_or_else(|| format!("`{target}` is no schema of this document").into())
}

/// Refuses a schema with a keyword that the caller would leave out.
fn only(schema: &Value, known: &[&str]) -> Result {
    let empty = Map::new();
    let keywords = schema.as_object().unwrap_or(&empty).keys();
    let unknown = keywords.filter(|key| !known.contains(&key.as_str()) && !PROSE.contains(&key.as_str()));
    match unknown.map(String::as_str).next() {
        Some(keyword) => Err(format!("the keyword `{keyword}` is not understood here").into()),
        None => Ok(()),
    }
}

fn strings(value: &Value) -> Result<Vec<&str>> {
    let all = value.as_array().and_then(|array| array.iter().map(Value::as_str).collect());
    all.ok_or_else(|| format!("`{value}` is no list of strings").into())
}

/// The description as TSDoc; nothing where there is none.
fn comment(out: &mut String, indent: &str, schema: &Value) {
    let Some(text) = schema["description"].as_str() else { return };
    let text = text.replace("*/", "*\u{200b}/");
    if let [line] = text.lines().collect::<Vec<_>>()[..] {
        out.push_str(&format!("{indent}/** {line} */\n"));
        return;
    }
    out.push_str(&format!("{indent}/**\n"));
    for line in text.lines() {
        out.push_str(format!("{indent} * {line}").trim_end());
        out.push('\n');
    }
    out.push_str(&format!("{indent} */\n"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schemas: Value, expected: &str) {
        let text = module(&json!({ "components": { "schemas": schemas } })).unwrap();
        assert_eq!(text.strip_prefix(HEAD).unwrap().trim(), expected.trim());
    }

    fn refused(schema: Value, why: &str) {
        let error = module(&json!({ "components": { "schemas": { "A": schema } } })).unwrap_err().to_string();
        assert!(error.starts_with("schema A: ") && error.contains(why), "{error}");
    }

    #[test]
    fn an_object_is_an_interface() {
        let schema = json!({
            "type": "object", "description": "What it is.", "required": ["id", "x-y"], "additionalProperties": false,
            "properties": {
                "id": { "type": "string", "description": "Two\nlines, no *\u{2f} end." },
                "label": { "type": ["string", "null"] },
                "list": { "type": "array", "items": { "$ref": "#/components/schemas/B" } },
                "maybe": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/B" }] },
                "mixed": { "type": "array", "items": { "type": ["integer", "null"] } },
                "nested": { "type": "object", "properties": { "on": { "type": "boolean" } } },
                "rest": {
                    "type": "object", "additionalProperties": { "type": "number" }, "propertyNames": { "type": "string" },
                },
                "x-y": { "type": "object" },
            },
        });
        let expected = "\
/** What it is. */
export interface A {
  /**
   * Two
   * lines, no *\u{200b}/ end.
   */
  id: string;
  label?: string | null;
  list?: B[];
  maybe?: null | B;
  mixed?: (number | null)[];
  nested?: {
    on?: boolean;
  };
  rest?: Record<string, number>;
  \"x-y\": Record<string, unknown>;
}";
        check(json!({ "A": schema }), expected);
    }

    #[test]
    fn all_of_extends_and_merges() {
        let schema = json!({ "allOf": [
            { "$ref": "#/components/schemas/B" },
            { "type": "object", "properties": { "a": { "type": "string" } } },
            { "type": "object", "properties": { "c": { "type": "string" } }, "required": ["c"] },
        ] });
        check(json!({ "A": schema }), "export interface A extends B {\n  a?: string;\n  c: string;\n}");
        refused(json!({ "allOf": [{ "type": "string" }] }), "neither a reference nor an object");
    }

    #[test]
    fn an_enum_is_a_union_and_a_set_is_a_value_too() {
        check(json!({ "A": { "type": "string", "enum": ["x", "y"] } }), "export type A = \"x\" | \"y\";");
        let codes = json!({ "ErrorCode": {
            "type": "string", "enum": ["gone", "late"], "x-signs-out": ["gone"],
            "x-class": { "gone": "authentication", "late": "transport" },
        } });
        let expected = r#"export type ErrorCode = (typeof ERROR_CODES)[number];

/** Every {@link ErrorCode}. */
export const ERROR_CODES = [
  "gone",
  "late",
] as const;

/** The only codes that can end a session on a client (protocol section 8). */
export const SIGNS_OUT = [
  "gone",
] as const satisfies readonly ErrorCode[];

/** What each code is about; it decides what a client does. */
export const ERROR_CLASS = {
  gone: "authentication",
  late: "transport",
} as const satisfies Record<ErrorCode, ErrorClass>;"#;
        check(codes, expected);
    }

    #[test]
    fn what_is_not_understood_is_refused_rather_than_left_out() {
        refused(json!({ "type": "string", "not": {} }), "`not`");
        refused(
            json!({ "type": "object", "properties": {}, "patternProperties": {} }),
            "`patternProperties`",
        );
        refused(json!({ "type": "tuple" }), "`tuple`");
        refused(json!({ "$ref": "other.json#/A" }), "other.json");
        refused(json!({ "type": "array" }), "no list of strings");
        refused(json!({ "type": "string", "enum": [1] }), "no list of strings");
    }
}
