//! The rules of Convex values that hold in both directions.

/// Containers within containers that any value may have; scalars have none.
pub const MAX_DEPTH: usize = 64;
/// Characters that a field name may have.
const MAX_FIELD_NAME: usize = 1024;

/// Why a name can't be a field's, if it can't.
pub fn field_name_problem(name: &str) -> Option<String> {
    if name.starts_with('$') {
        return Some(format!(
            "the field name {name:?} starts with '$', which is reserved"
        ));
    }
    if name.len() > MAX_FIELD_NAME {
        return Some(format!(
            "a field name of {} bytes; at most 1024 are allowed",
            name.len()
        ));
    }
    if !name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Some(format!(
            "the field name {name:?} is not all printable ASCII"
        ));
    }
    None
}

/// Whether a float travels as `$float`: NaN, the infinities and -0.0.
pub fn is_special(value: f64) -> bool {
    !value.is_finite() || (value == 0.0 && value.is_sign_negative())
}
