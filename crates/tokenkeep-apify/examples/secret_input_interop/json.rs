//! JSON as the cases are compared: a reader of its own, so that nothing rests on the reader that is looked at.
//!
//! Text is UTF-16, because a lone surrogate is a case and no Rust string holds one. A number keeps its text.

use std::collections::BTreeMap;
use std::str::Chars;

/// Deeper than any case; the reader recurses.
const DEEPEST: usize = 600;

#[derive(Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(Vec<u16>),
    List(Vec<Json>),
    /// Of a name that is there twice, the last one.
    Object(Fields),
}

pub(crate) type Fields = BTreeMap<Vec<u16>, Json>;

impl Json {
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let mut reader = Reader { rest: text.chars() };
        let value = reader.value(0)?;
        reader.space();
        if reader.rest.as_str().is_empty() { Ok(value) } else { Err("more behind the value") }
    }

    /// The fields; none where it is no object.
    pub(crate) fn fields(&self) -> &Fields {
        static NONE: Fields = Fields::new();
        if let Self::Object(fields) = self { fields } else { &NONE }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let name: Vec<u16> = name.encode_utf16().collect();
        self.fields().get(&name)
    }

    /// The text, if it is one that UTF-8 can hold.
    pub(crate) fn as_text(&self) -> Option<String> {
        if let Self::Text(units) = self { String::from_utf16(units).ok() } else { None }
    }

    /// The same value: numbers are the double that both read as, as JavaScript has them.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => {
                one == two
                    || matches!((one.parse::<f64>(), two.parse::<f64>()), (Ok(one), Ok(two)) if one == two)
            }
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Self::Object(one), Self::Object(two)) => {
                let alike =
                    |((name, one), (other, two)): ((&_, &Self), (&_, &Self))| name == other && one.same(two);
                one.len() == two.len() && one.iter().zip(two).all(alike)
            }
            _ => self == other,
        }
    }

    /// JavaScript takes a value of this kind for false.
    pub(crate) fn is_falsy(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Number(text) => text.parse() == Ok(0.0),
            Self::Text(units) => units.is_empty(),
            _ => false,
        }
    }
}

struct Reader<'t> {
    rest: Chars<'t>,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.as_str().trim_start_matches([' ', '\t', '\n', '\r']).chars();
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.rest.as_str().strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest.as_str()).chars();
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Json, &'static str> {
        if depth > DEEPEST {
            return Err("too deep");
        }
        self.space();
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.takes(word) {
                return Ok(value);
            }
        }
        if self.takes("\"") {
            return Ok(Json::Text(self.units()?));
        }
        if self.takes("[") {
            let mut list = Vec::new();
            self.members("]", |reader| {
                list.push(reader.value(depth + 1)?);
                Ok(())
            })?;
            return Ok(Json::List(list));
        }
        if self.takes("{") {
            let mut fields = BTreeMap::new();
            self.members("}", |reader| {
                reader.space();
                let name =
                    if reader.takes("\"") { reader.units()? } else { return Err("a name was expected") };
                reader.space();
                if !reader.takes(":") {
                    return Err("a colon was expected");
                }
                fields.insert(name, reader.value(depth + 1)?);
                Ok(())
            })?;
            return Ok(Json::Object(fields));
        }
        let rest = self.rest.as_str();
        let end = rest.find(|c: char| !"+-.0123456789Ee".contains(c)).unwrap_or(rest.len());
        let (number, rest) = rest.split_at(end);
        if number.parse::<f64>().is_err() {
            return Err("a value was expected");
        }
        self.rest = rest.chars();
        Ok(Json::Number(number.into()))
    }

    fn members(
        &mut self,
        end: &str,
        mut member: impl FnMut(&mut Self) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        self.space();
        if self.takes(end) {
            return Ok(());
        }
        loop {
            member(self)?;
            self.space();
            if self.takes(end) {
                return Ok(());
            }
            if !self.takes(",") {
                return Err("a comma was expected");
            }
        }
    }

    /// What is behind the opening quote, up to the closing one.
    fn units(&mut self) -> Result<Vec<u16>, &'static str> {
        let mut units = Vec::new();
        let mut space = [0; 2];
        loop {
            let plain = match self.rest.next().ok_or("the text does not end")? {
                '"' => return Ok(units),
                '\\' => match self.rest.next().ok_or("the text does not end")? {
                    'u' => {
                        let digits = self.rest.as_str().get(..4).ok_or("an escape is cut off")?;
                        units.push(u16::from_str_radix(digits, 16).map_err(|_| "no escape")?);
                        self.rest = self.rest.as_str()[4..].chars();
                        continue;
                    }
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    same @ ('"' | '\\' | '/') => same,
                    _ => return Err("no escape"),
                },
                '\0'..='\u{1f}' => return Err("a control character as it is"),
                other => other,
            };
            units.extend_from_slice(plain.encode_utf16(&mut space));
        }
    }
}
