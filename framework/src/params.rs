//! Parameters of games and algorithms: a struct that is written once, with a default and a line of documentation per
//! field, and that run files set by name.

use ron::value::RawValue;
use serde::{Serialize, de::DeserializeOwned};

/// What is known of one parameter, for `equiflow describe` and for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in a run file.
    pub name: &'static str,
    /// Its Rust type.
    pub ty: &'static str,
    /// Its documentation, as written in the source.
    pub doc: &'static str,
}

/// A set of parameters with defaults. Written with [`params!`](crate::params!), not by hand.
pub trait Params: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The struct's own documentation.
    const ABOUT: &'static str;
    /// Its fields in the order of the source.
    const FIELDS: &'static [Field];
}

/// A mistake in a parameter's value that its type cannot see, such as a negative step size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The parameter; `None` when it is about several.
    pub field: Option<&'static str>,
    /// What was found and what is expected.
    pub what: String,
}

impl Invalid {
    /// A mistake in `field`.
    pub fn new(field: &'static str, what: impl Into<String>) -> Self {
        Self { field: Some(field), what: what.into() }
    }
}

/// The name and the parameters of another plugin's thing as the value of a parameter, such as
/// `variational(reward: observed)`: raw text until the run is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice(String);

impl Choice {
    /// The choice that a run file would write like this.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As a run file writes it.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Serialize for Choice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_ron(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Choice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.trim().get_ron().to_owned()))
    }
}

/// Declares a parameter struct: fields with their defaults, readable from run files, unknown names refused.
///
/// ```
/// equiflow::params! {
///     /// Rock-paper-scissors with a prize.
///     pub struct Rps {
///         /// What the winner gets.
///         prize: f32 = 1.0,
///     }
/// }
/// assert_eq!(Rps::default().prize, 1.0);
/// ```
#[macro_export]
macro_rules! params {
    ($(#[doc = $about:literal])* $vis:vis struct $Name:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:expr),* $(,)?
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(crate = "equiflow::serde", default, deny_unknown_fields)]
        $vis struct $Name {
            $($(#[doc = $doc])+ pub $field: $ty,)*
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::params::Params for $Name {
            const ABOUT: &'static str = concat!($($about, "\n",)*);
            const FIELDS: &'static [$crate::params::Field] = &[$(
                $crate::params::Field { name: stringify!($field), ty: stringify!($ty), doc: concat!($($doc, "\n",)*) },
            )*];
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    params! {
        /// A lamp.
        struct Lamp {
            /// Its light in
            /// lumen.
            light: f32 = 800.0,
            /// How many.
            count: usize = 2,
        }
    }

    params! {
        /// A learner.
        struct Learner {
            /// Its model.
            model: Choice = Choice::new("exact()"),
        }
    }

    #[test]
    fn a_choice_keeps_its_text() {
        let learner: Learner = ron::from_str("(model: /* here */ deep( nested: [1, (a: \"x, )\")] ) )").unwrap();
        assert_eq!(learner.model.text(), "deep( nested: [1, (a: \"x, )\")] )");
        assert_eq!(ron::to_string(&learner).unwrap(), "(model:deep( nested: [1, (a: \"x, )\")] ))");
        assert_eq!(ron::from_str::<Learner>("()").unwrap().model.text(), "exact()");
    }

    #[test]
    fn fields_carry_names_types_and_docs() {
        assert_eq!(Lamp::ABOUT.trim(), "A lamp.");
        let light = Lamp::FIELDS[0];
        assert_eq!((light.name, light.ty), ("light", "f32"));
        assert_eq!(light.doc, " Its light in\n lumen.\n");
    }

    #[test]
    fn what_is_left_out_has_its_default_and_unknown_names_are_refused() {
        let lamp: Lamp = ron::from_str("(count: 3)").unwrap();
        assert_eq!(lamp, Lamp { light: 800.0, count: 3 });
        assert_eq!(ron::from_str::<Lamp>("()").unwrap(), Lamp::default());
        assert!(ron::from_str::<Lamp>("(colour: 1)").is_err());
    }
}
