//! A resource's tree held against R4's element table; each primitive on the way becomes a field.

use super::json::{Json, Object, member};
use super::resource::{Detached, Rules, resource_type};
use super::{Refusal, invariants, narrative, primitives};
use crate::error::{Error, Kind, Result};
use crate::field::{Field, Value};
use crate::schema::{ELEMENT, Element, Primitive, Target, Type};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A base64Binary of more characters travels beside the fields.
const MAX_TEXT: usize = 1024;

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Root,
    /// A resource inside another.
    Inside,
    Element,
}

pub struct Walk<'r> {
    rules: &'r Rules,
    /// Element path of what is being read, indices included.
    path: String,
    /// Inside a contained resource.
    contained: bool,
    pub fields: Vec<Field>,
    pub detached: Vec<Detached>,
    pub test: bool,
}

/// A member as the table describes it, with its twin.
struct Member<'j, 'a> {
    element: &'static Element,
    /// Where its key begins in the path: a twin's underscore goes there.
    start: usize,
    value: Option<&'j Json<'a>>,
    twin: Option<&'j Json<'a>>,
}

impl<'r> Walk<'r> {
    pub fn new(rules: &'r Rules, name: &str) -> Self {
        let mut path = String::with_capacity(128);
        path.push_str(name);
        Self {
            rules,
            path,
            contained: false,
            fields: Vec::with_capacity(32),
            detached: Vec::new(),
            test: false,
        }
    }

    /// Reads the outermost resource.
    pub fn resource(&mut self, type_: &'static Type, object: &Object<'_>) -> Result<()> {
        self.checked_resource(type_, object, Stands::Root)
    }

    fn checked_resource(&mut self, type_: &'static Type, object: &Object<'_>, stands: Stands) -> Result<()> {
        if is_test(object) {
            self.test = true;
            if !self.rules.test {
                return Err(self.refuse("test_data", "marked HTEST, and this is no test"));
            }
        }
        self.object(type_, object, stands)?;
        invariants::check_resource(object, self.contained).map_err(|refusal| self.refused(refusal))
    }

    fn object(&mut self, type_: &'static Type, object: &Object<'_>, stands: Stands) -> Result<()> {
        if object.is_empty() {
            return Err(self.refuse("object_empty", "an object is never empty"));
        }
        let twins = object.iter().any(|(key, _)| key.starts_with('_'));
        let (mut seen, length) = (0_u128, self.path.len());
        for (position, (key, value)) in object.iter().enumerate() {
            if key == "resourceType" && stands != Stands::Element {
                self.resource_type(value, stands);
                continue;
            }
            let (bare, is_twin) = key.strip_prefix('_').map_or((&**key, false), |bare| (bare, true));
            let unknown = || {
                self.refuse(
                    "element_unknown",
                    &format!("member {} is no element of R4's {}", position + 1, type_.name),
                )
            };
            let element = type_.child(bare).ok_or_else(unknown)?;
            if is_twin && !(element.twin && matches!(element.target, Target::Primitive(_))) {
                return Err(unknown());
            }
            let bit = 1 << element.position;
            if element.choice && seen & bit != 0 {
                self.require_one_choice(type_, element, object)?;
            }
            seen |= bit;
            if is_twin && member(object, bare).is_some() {
                continue;
            }
            self.path.push('.');
            self.path.push_str(bare);
            let twin = if twins && !is_twin {
                member(object, &format!("_{bare}"))
            } else {
                None
            };
            self.member(&Member {
                element,
                start: length + 1,
                value: (!is_twin).then_some(value),
                twin: if is_twin { Some(value) } else { twin },
            })?;
            self.path.truncate(length);
        }
        self.require_elements(type_, seen)?;
        invariants::check(type_.name, object).map_err(|refusal| self.refused(refusal))
    }

    /// The type of a resource inside another is a field; the outermost one's is a control field.
    fn resource_type(&mut self, value: &Json<'_>, stands: Stands) {
        if let (Stands::Inside, Json::String(text)) = (stands, value) {
            let length = self.path.len();
            self.path.push_str(".resourceType");
            self.push(Value::String(text.clone().into_owned()), 0);
            self.path.truncate(length);
        }
    }

    fn require_one_choice(&self, type_: &Type, element: &Element, object: &Object<'_>) -> Result<()> {
        let other = |key: &str| {
            let bare = key.strip_prefix('_').unwrap_or(key);
            bare != element.key
                && type_
                    .child(bare)
                    .is_some_and(|other| other.position == element.position)
        };
        if object.iter().any(|(key, _)| other(key)) {
            let detail = format!("{}[x] stands with two types", element.name);
            return Err(self.refuse("choice_repeated", &detail));
        }
        Ok(())
    }

    /// A twin alone counts too: one that holds nothing but an id is refused by ele-1.
    fn require_elements(&self, type_: &Type, seen: u128) -> Result<()> {
        let missing = type_.required & !seen;
        if missing == 0 {
            return Ok(());
        }
        let name = type_
            .children()
            .iter()
            .find(|element| missing & (1 << element.position) != 0)
            .map_or("", |element| element.name);
        Err(self.refuse("element_missing", &format!("R4 requires {name}")))
    }

    fn member(&mut self, member: &Member<'_, '_>) -> Result<()> {
        let element = member.element;
        if element.key == "implicitRules" {
            self.require_known_rules(member)?;
        }
        match element.target {
            Target::Primitive(kind) if element.list => self.primitives(member, kind),
            Target::Primitive(kind) => self.primitive(member, kind, member.value, member.twin),
            Target::Complex(_) | Target::Resource if element.list => self.objects(member),
            Target::Complex(_) | Target::Resource => match member.value {
                Some(value) => self.complex(element, value),
                None => Ok(()),
            },
        }
    }

    fn require_known_rules(&self, member: &Member<'_, '_>) -> Result<()> {
        match member.value {
            Some(Json::String(rules)) if self.rules.implicit_rules.contains(&**rules) => Ok(()),
            _ => Err(self.refuse("implicit_rules", "rules that the issuer's configuration does not list")),
        }
    }

    fn objects(&mut self, member: &Member<'_, '_>) -> Result<()> {
        let items = self.items(member.value)?;
        let length = self.path.len();
        for (index, item) in items.iter().enumerate() {
            self.push_index(index);
            self.complex(member.element, item)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    /// A datatype, backbone element or resource.
    fn complex(&mut self, element: &'static Element, value: &Json<'_>) -> Result<()> {
        let Json::Object(object) = value else {
            return Err(self.wrong_type(value, "object_expected", "an object stands here in R4"));
        };
        let Some(type_) = element.complex() else {
            return self.inside(element, object);
        };
        if element.key == "modifierExtension" {
            self.require_known_extension(object)?;
        }
        self.object(type_, object, Stands::Element)?;
        match &element.binding {
            Some(binding) if !is_one_of(object, binding.system, &binding.codes) => Err(self.refuse(
                "status_code",
                "needs exactly one coding of R4's system, with a code that it has",
            )),
            _ => Ok(()),
        }
    }

    fn require_known_extension(&self, object: &Object<'_>) -> Result<()> {
        match member(object, "url") {
            Some(Json::String(url)) if self.rules.modifier_extensions.contains(&**url) => Ok(()),
            _ => Err(self.refuse(
                "modifier_extension",
                "a modifier that the issuer's configuration does not list",
            )),
        }
    }

    /// A resource inside this one.
    fn inside(&mut self, element: &Element, object: &Object<'_>) -> Result<()> {
        if self.contained {
            return Err(self.refuse("contained_nested", "a contained resource contains none"));
        }
        if self.path.starts_with("Bundle.") {
            return Err(self.refuse("bundle_whole", "a Bundle is split and its entries are read"));
        }
        let type_ = resource_type(object).map_err(|(code, detail)| self.refuse(code, detail))?;
        self.contained = element.key == "contained";
        self.checked_resource(type_, object, Stands::Inside)?;
        self.contained = false;
        Ok(())
    }

    /// A list of primitives and its `_` list, position by position.
    fn primitives(&mut self, member: &Member<'_, '_>, kind: Primitive) -> Result<()> {
        let values = self.padded(member.value)?;
        let twins = self.padded(member.twin)?;
        if values.is_some_and(|values| twins.is_some_and(|twins| twins.len() != values.len())) {
            return Err(self.refuse("twin_length", "the list and its _ list differ in length"));
        }
        let count = values.or(twins).map_or(0, <[Json]>::len);
        let length = self.path.len();
        for index in 0..count {
            self.push_index(index);
            let at = |list: Option<&'_ [Json<'_>]>| list.is_some_and(|list| list[index] != Json::Null);
            let value = values.filter(|_| at(values)).map(|list| &list[index]);
            let twin = twins.filter(|_| at(twins)).map(|list| &list[index]);
            if value.is_none() && twin.is_none() {
                return Err(self.refuse("null_in_both", "null in the list, and nothing in its _ list"));
            }
            self.primitive(member, kind, value, twin)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    /// The items of a list that may pad with null.
    fn padded<'j, 'a>(&self, list: Option<&'j Json<'a>>) -> Result<Option<&'j [Json<'a>]>> {
        let Some(list) = list else { return Ok(None) };
        let items = self.items(Some(list))?;
        if items.iter().all(|item| *item == Json::Null) {
            return Err(self.refuse("nulls_only", "a list of nulls only"));
        }
        Ok(Some(items))
    }

    fn items<'j, 'a>(&self, list: Option<&'j Json<'a>>) -> Result<&'j [Json<'a>]> {
        match list {
            Some(Json::Array(items)) if items.is_empty() => Err(self.refuse("list_empty", "a list is never empty")),
            Some(Json::Array(items)) => Ok(items),
            Some(Json::Null) => Err(self.refuse(
                "null_unexpected",
                "null stands for an item of a list of primitives only",
            )),
            _ => Err(self.refuse("list_expected", "a list stands here in R4")),
        }
    }

    fn primitive(
        &mut self,
        member: &Member<'_, '_>,
        kind: Primitive,
        value: Option<&Json<'_>>,
        twin: Option<&Json<'_>>,
    ) -> Result<()> {
        let before = self.fields.len();
        if let Some(twin) = twin {
            self.path.insert(member.start, '_');
            self.twin(twin)?;
            self.path.remove(member.start);
        }
        let twins = self.fields.len() - before;
        match value {
            Some(value) => self.leaf(member.element, kind, value, twins),
            None => Ok(()),
        }
    }

    fn twin(&mut self, twin: &Json<'_>) -> Result<()> {
        let Json::Object(object) = twin else {
            return Err(self.wrong_type(twin, "object_expected", "a _ twin is an object"));
        };
        self.object(&ELEMENT, object, Stands::Element)
    }

    fn leaf(&mut self, element: &Element, kind: Primitive, value: &Json<'_>, twins: usize) -> Result<()> {
        let read = match (kind, value) {
            (Primitive::Boolean, Json::Bool(flag)) => Ok(Value::Bool(*flag)),
            (Primitive::Integer, Json::Number(lexeme)) => integer(element.type_name, lexeme),
            (Primitive::Decimal, Json::Number(lexeme)) => {
                primitives::check_number("decimal", lexeme).map(|()| Value::String((*lexeme).to_owned()))
            }
            (Primitive::Base64Binary, Json::String(text)) => return self.base64(text, twins),
            (Primitive::Xhtml, Json::String(text)) => checked("xhtml", text).and_then(|value| {
                narrative::check(text)?;
                Ok(value)
            }),
            (Primitive::Date | Primitive::Text, Json::String(text)) => coded(element, text),
            _ => return Err(self.wrong_type(value, "json_type", "another JSON type stands here in R4")),
        };
        let value = read.map_err(|refusal| self.refused(refusal))?;
        self.push(value, twins);
        Ok(())
    }

    /// Hash, size, and the text in a field or beside them.
    fn base64(&mut self, text: &str, twins: usize) -> Result<()> {
        let decoded = primitives::decode_base64(text).map_err(|refusal| self.refused(refusal))?;
        self.push(Value::Bytes32(Sha256::digest(&decoded).into()), twins);
        let length = self.path.len();
        self.path.push_str(".size");
        self.push(Value::Uint(decoded.len() as u64), 0);
        self.path.truncate(length);
        if text.chars().count() <= MAX_TEXT {
            self.path.push_str(".text");
            self.push(Value::String(text.to_owned()), 0);
            self.path.truncate(length);
        } else {
            self.detached.push(Detached {
                name: self.path.clone(),
                text: text.to_owned(),
            });
        }
        Ok(())
    }

    fn push(&mut self, value: Value, twins: usize) {
        let mut name = String::with_capacity(self.path.len() + if twins > 0 { 4 } else { 0 });
        name.push_str(&self.path);
        if twins > 0 {
            let _ = write!(name, "+{twins}");
        }
        self.fields.push(Field { name, value });
    }

    fn push_index(&mut self, index: usize) {
        match u8::try_from(index) {
            Ok(digit @ 0..=9) => self.path.extend(['[', char::from(b'0' + digit), ']']),
            _ => {
                let _ = write!(self.path, "[{index}]");
            }
        }
    }

    fn wrong_type(&self, value: &Json<'_>, code: &'static str, detail: &str) -> Error {
        match value {
            Json::Null => self.refuse(
                "null_unexpected",
                "null stands for an item of a list of primitives only",
            ),
            Json::Array(_) => self.refuse("list_unexpected", "no list stands here in R4"),
            _ => self.refuse(code, detail),
        }
    }

    fn refuse(&self, code: &'static str, detail: &str) -> Error {
        Error::new(Kind::Fhir, code, &self.path, detail)
    }

    fn refused(&self, refusal: Refusal) -> Error {
        Error::new(Kind::Fhir, refusal.code, &self.path, refusal.detail)
    }
}

fn integer(kind: &str, lexeme: &str) -> std::result::Result<Value, Refusal> {
    primitives::check_number(kind, lexeme)?;
    let number = lexeme
        .parse()
        .map_err(|_| Refusal::new("integer_range", "outside the range of its type"))?;
    Ok(Value::Int(number))
}

fn checked(kind: &str, text: &str) -> std::result::Result<Value, Refusal> {
    primitives::check_text(kind, text)?;
    Ok(Value::String(text.to_owned()))
}

fn coded(element: &Element, text: &str) -> std::result::Result<Value, Refusal> {
    match &element.binding {
        Some(binding) if !binding.codes.contains(&text) => {
            Err(Refusal::new("code_unknown", "not a code of R4's required value set"))
        }
        _ => checked(element.type_name, text),
    }
}

/// The concept has exactly one coding of the system, and its code is among `codes`.
fn is_one_of(concept: &Object<'_>, system: &str, codes: &[&str]) -> bool {
    let Some(Json::Array(codings)) = member(concept, "coding") else {
        return false;
    };
    let mut own = codings.iter().filter_map(|coding| match coding {
        Json::Object(coding) => match (member(coding, "system"), member(coding, "code")) {
            (Some(Json::String(found)), code) if found == system => Some(code),
            _ => None,
        },
        _ => None,
    });
    match (own.next(), own.next()) {
        (Some(Some(Json::String(code))), None) => codes.contains(&&**code),
        _ => false,
    }
}

/// meta.security says HTEST, in whatever system: rather a test too many than real data too few.
fn is_test(resource: &Object<'_>) -> bool {
    let Some(Json::Object(meta)) = member(resource, "meta") else {
        return false;
    };
    let Some(Json::Array(labels)) = member(meta, "security") else {
        return false;
    };
    let is_htest = |label: &Json<'_>| match label {
        Json::Object(label) => matches!(member(label, "code"), Some(Json::String(code)) if code == "HTEST"),
        _ => false,
    };
    labels.iter().any(is_htest)
}
