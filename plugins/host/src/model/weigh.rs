//! How many bytes a value carries to a plugin or from it, which is what the limits on input and output count.

/// Counts what crosses the border: bytes of texts and lists, 8 for a number, 1 for a case.
pub trait Weigh {
    /// Bytes, added up over all parts.
    fn weigh(&self) -> u64;
}

impl Weigh for str {
    fn weigh(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }
}

impl Weigh for String {
    fn weigh(&self) -> u64 {
        self.as_str().weigh()
    }
}

impl<T: Weigh> Weigh for Option<T> {
    fn weigh(&self) -> u64 {
        1 + self.as_ref().map_or(0, Weigh::weigh)
    }
}

impl Weigh for Vec<u8> {
    fn weigh(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }
}

// Not for every `Vec<T>`: a list of bytes is counted without looking at each.
macro_rules! lists {
    ($($item:ty),* $(,)?) => { $(impl Weigh for Vec<$item> {
        fn weigh(&self) -> u64 {
            self.iter().map(Weigh::weigh).fold(0, u64::saturating_add)
        }
    })* };
}

lists! {
    String, (String, String), super::Finding, super::prices::Document, super::meters::Series, super::meters::Value,
    super::calls::Event,
}

impl<T: Weigh, E: Weigh> Weigh for Result<T, E> {
    fn weigh(&self) -> u64 {
        match self {
            Ok(value) => value.weigh(),
            Err(error) => error.weigh(),
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(impl Weigh for $number {
        fn weigh(&self) -> u64 {
            8
        }
    })* };
}

numbers!(i64, u32, u16);

impl Weigh for bool {
    fn weigh(&self) -> u64 {
        1
    }
}

impl Weigh for () {
    fn weigh(&self) -> u64 {
        0
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Weigh),*> Weigh for ($($name,)*) {
            fn weigh(&self) -> u64 {
                #[expect(non_snake_case, reason = "a part has the name of its type")]
                let ($($name,)*) = self;
                0_u64 $(.saturating_add($name.weigh()))*
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);

/// Records by their fields (all of them: a new one cannot be forgotten), enums as one byte.
macro_rules! weigh {
    (flat $($name:ident),*) => { $(impl $crate::model::Weigh for $name {
        fn weigh(&self) -> u64 {
            1
        }
    })* };
    ($($name:ident: $($field:ident)*;)*) => { $(impl $crate::model::Weigh for $name {
        fn weigh(&self) -> u64 {
            let Self { $($field),* } = self;
            0_u64 $(.saturating_add($crate::model::Weigh::weigh($field)))*
        }
    })* };
}
pub(super) use weigh;
