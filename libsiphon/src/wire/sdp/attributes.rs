//! Attributes of the session and of media: `a=name` and `a=name:value` (RFC 8866 5.13). Names are compared as they
//! are written, case included, as RFC 8866 5 says.

use super::errors::Unwritable;
use super::lines::Section;
use super::media::Media;
use super::session::Sdp;

/// An attribute line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// What stands behind the colon; None for a flag such as `a=ice-lite`.
    pub value: Option<&'a str>,
    /// The whole line without `a=`.
    pub text: &'a str,
}

impl<'a> Attribute<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        match text.split_once(':') {
            Some((name, value)) => Attribute { name: name.trim(), value: Some(value), text },
            None => Attribute { name: text.trim(), value: None, text },
        }
    }
}

impl Section {
    fn attributes(&self) -> impl Iterator<Item = (usize, Attribute<'_>)> {
        self.typed().filter(|l| l.letter == b'a').map(|l| (l.at, Attribute::read(l.value)))
    }

    fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        self.attributes().map(|(_, a)| a).find(|a| a.name == name)
    }

    pub(super) fn set_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), Unwritable> {
        let text = written(name, value)?;
        let mut found = self.attributes().filter(|(_, a)| a.name == name);
        let Some((at, first)) = found.next() else {
            drop(found);
            return self.insert(b'a', &text);
        };
        let (same, again) = (first.value == value, found.next().is_some());
        drop(found);
        if !same {
            self.replace(at, b'a', &text)?;
        }
        if again {
            let mut seen = false;
            self.retain(|line| !is_named(line, name) || !std::mem::replace(&mut seen, true));
        }
        Ok(())
    }

    pub(super) fn add_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), Unwritable> {
        let text = written(name, value)?;
        self.insert(b'a', &text)
    }

    pub(super) fn remove_attribute(&mut self, name: &str) -> usize {
        self.retain(|line| !is_named(line, name))
    }

    fn set_attributes<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> Result<(), Unwritable> {
        let mut made = self.clone();
        made.retain(|line| line.is_none_or(|(letter, _)| letter != b'a'));
        for text in texts {
            let attribute = Attribute::read(text);
            check_name(attribute.name)?;
            made.insert(b'a', text)?;
        }
        *self = made;
        Ok(())
    }
}

fn is_named(line: Option<(u8, &str)>, name: &str) -> bool {
    matches!(line, Some((b'a', text)) if Attribute::read(text).name == name)
}

/// `attribute-name = token` (RFC 8866 9).
fn check_name(name: &str) -> Result<(), Unwritable> {
    let token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&c);
    if name.is_empty() || !name.bytes().all(token) { Err(Unwritable::Name) } else { Ok(()) }
}

fn written(name: &str, value: Option<&str>) -> Result<String, Unwritable> {
    check_name(name)?;
    Ok(match value {
        Some(value) => format!("{name}:{}", super::lines::checked(value)?),
        None => name.to_owned(),
    })
}

macro_rules! attributes_of {
    ($owner:ty, $section:ident) => {
        impl $owner {
            /// The attributes of this level, in order.
            pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
                self.$section.attributes().map(|(_, a)| a)
            }

            /// The first attribute of that name on this level.
            pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
                self.$section.attribute(name)
            }

            /// Whether this level has an attribute of that name.
            pub fn has_attribute(&self, name: &str) -> bool {
                self.attribute(name).is_some()
            }

            /// Replaces the first attribute of that name, removes further ones, or adds it behind the others. None
            /// as the value makes a flag.
            pub fn set_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), Unwritable> {
                self.$section.set_attribute(name, value)
            }

            /// Adds an attribute behind the others, also where there is one of that name.
            pub fn add_attribute(&mut self, name: &str, value: Option<&str>) -> Result<(), Unwritable> {
                self.$section.add_attribute(name, value)
            }

            /// Removes all attributes of that name; gives how many went.
            pub fn remove_attribute(&mut self, name: &str) -> usize {
                self.$section.remove_attribute(name)
            }

            /// Replaces all attributes of this level by these, each the text of a line without `a=`. On an error
            /// nothing has changed.
            pub fn set_attributes<'t>(
                &mut self,
                texts: impl Iterator<Item = &'t str>,
            ) -> Result<(), Unwritable> {
                self.$section.set_attributes(texts)
            }
        }
    };
}

attributes_of!(Sdp, session);
attributes_of!(Media, section);
