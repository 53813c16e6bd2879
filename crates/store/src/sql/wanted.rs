//! Conditions of a list, only those that are asked for: an engine finds rows by an index for `user_no = ?2`, but
//! not for `?2 IS NULL OR user_no = ?2`.

use super::Value;

/// What the rows of a list must be like.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Wanted<'a> {
    /// Those of which `column` has this value, which is `?1`.
    pub(crate) fn new(column: &str, value: impl Into<Value<'a>>) -> Self {
        Self { text: format!("{column} = ?1"), values: vec![value.into()] }
    }

    /// And `comparison` (`user_no =`) with this value, if there is one.
    pub(crate) fn also(&mut self, comparison: &str, value: Option<impl Into<Value<'a>>>) {
        if let Some(value) = value {
            self.values.push(value.into());
            self.text.push_str(&format!(" AND {comparison} ?{}", self.values.len()));
        }
    }

    /// The first of them, in the order of `column`: the condition, and the values of the statement.
    pub(crate) fn page(
        mut self,
        column: &str,
        limit: impl Into<Value<'a>>,
    ) -> (String, Vec<Value<'a>>) {
        self.values.push(limit.into());
        let text = format!("{} ORDER BY {column} LIMIT ?{}", self.text, self.values.len());
        (text, self.values)
    }
}
