"""What Convex's own server says, word for word, where clients or people match on it.

The names of what a text is about are filled in by `str.format`. Each group names the source in
convex-backend.
"""

from __future__ import annotations

# Values and validators: crates/common/src/schemas/validator.rs, ValidationError. `context` is the
# path to the value, from `path`.

CONTEXT = "Path: {path}"
OTHER_TABLE = (
    'Found ID "{id}" from table `{found}`, which does not match the table name in validator '
    '`v.id("{table}")`.{context}'
)
SYSTEM_TABLE = (
    'Found ID "{id}" from a system table, which does not match the table name in validator '
    '`v.id("{table}")`.{context}'
)
OTHER_LITERAL = "`{value}` does not match literal validator `{validator}`.{context}"
MISSING_FIELD = (
    "Object is missing the required field `{field}`. Consider wrapping the field validator in "
    "`v.optional(...)` if this is expected.\n{context}\nObject: {value}\nValidator: {validator}"
)
EXTRA_FIELD = (
    "Object contains extra field `{field}` that is not in the validator.\n{context}\n"
    "Object: {value}\nValidator: {validator}"
)
NO_MATCH = "Value does not match validator.\n{context}\nValue: {value}\nValidator: {validator}"

# crates/udf/src/validation.rs and crates/model/src/modules/function_validators.rs
ARGUMENTS = "ArgumentValidationError: {error}"
RETURNS = "ReturnsValidationError: {error}"

# Documents and schemas: crates/common/src/schemas/mod.rs

DOCUMENT_REFUSED = (
    'Failed to insert or update a document in table "{table}" because it does not match the '
    "schema: {error}"
)
DOCUMENT_IN_THE_WAY = (
    'Document with ID "{id}" in table "{table}" does not match the schema: {error}'
)
FIELD_IS_NONE = (
    'In table "{table}" the index "{index}" is invalid because it references the field {field} '
    "that does not exist."
)
NO_DOCUMENTS = (
    "The document validator in a schema must be an object, a union of objects, or `v.any()`. "
    "Found {validator}. To learn more, see the schema documentation at "
    "https://docs.convex.dev/database/schemas."
)

# Indexes: crates/common/src/bootstrap_model/index/index_validation_error.rs

EMPTY_INDEX = 'In table "{table}" index "{index}" must have at least one field.'
FIELD_TWICE = "Duplicate field {field}. Index fields must be unique within an index."
SAME_FIELDS = (
    'In table "{table}" index "{index}" and index "{other}" have the same fields. Indexes must be '
    "unique within a table."
)
ID_IN_INDEX = "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`."
CREATION_TIME_IN_INDEX = (
    "`_creationTime` is automatically added to the end of each index. It should not be added "
    "explicitly in the index definition. See https://docs.convex.dev/using/indexes for more "
    "details."
)
RESERVED_FIELD = "Reserved fields (starting with `_`) are not allowed in indexes."
RESERVED_INDEX = (
    'In table "{table}" cannot name an index "{index}" because the name is reserved. Indexes may '
    'not start with an underscore or be named "by_id" or "by_creation_time".'
)
INDEX_TWICE = 'Table "{table}" has two or more definitions of index "{index}".'
INVALID_INDEX_NAME = (
    'Invalid index name: "{index}". Identifiers must be 64 characters or less, start with a '
    "letter, and only contain letters, digits, underscores."
)
INVALID_INDEX_FIELD = 'In index "{index}": Invalid index field: "{field}"'
TOO_MANY_FIELDS = "Indexes may have up to {limit} fields."
TOO_MANY_INDEXES = 'Table "{table}" cannot have more than {limit} indexes.'
INVALID_TABLE_NAME = (
    'Invalid table name: "{table}". Identifiers must start with a letter and can only contain '
    "letters, digits, and underscores."
)

# Ways to documents: crates/isolate/src/environment/udf/async_syscall.rs and
# crates/database/src/transaction.rs

SYSTEM_ONLY = "System tables can only be accessed with db.system."
USER_ONLY = "User tables cannot be accessed with db.system."
OTHER_ID = (
    'Invalid argument `id` for `{method}`: expected to be an Id<"{table}">, got Id<"{found}"> '
    "instead."
)
NONEXISTENT = "{verb} on nonexistent document ID {id}"

# Pages: crates/isolate/src/environment/udf/async_syscall.rs, query_page

TWO_PAGES = (
    "This query or mutation function ran multiple paginated queries. Convex only supports a single "
    "paginated query in each function."
)
NO_ITEMS = "Must request at least 1 document while paginating"
TOO_MANY_ITEMS = "Requested too many items: {count}"
NO_READS = "maximumRowsRead and maximumBytesRead must be greater than 0"

# Index ranges: crates/common/src/query.rs

DEFINED_TWICE = 'Already defined {kind} bound in index range. Can\'t add "{field}" {sign} {value}.'
BOUNDS_ON_TWO = (
    "Upper and lower bounds in `range` can only be applied to a single index field. This query "
    'against index {index} attempted to set a range bound on both "{first}" and "{second}". '
    "Consider using `filter` instead. See https://docs.convex.dev/using/indexes for more info."
)
NOT_IN_ORDER = (
    "Tried to query index {index} but the query didn't use the index fields in order.\n"
    "Index fields: {fields}\nQuery fields: {used}\nFirst incorrect field: {field}\n"
    "For more information see https://docs.convex.dev/using/indexes."
)
NOT_IN_INDEX = (
    'The index range included a comparison with "{field}", but {index} with fields {fields} '
    "doesn't index this field. For more information see https://docs.convex.dev/using/indexes."
)

# Limits: crates/isolate/src/environment/udf/{mod,async_syscall}.rs and crates/udf/src/warnings.rs

TOO_DEEP = "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"
TRUNCATED = " (truncated due to length)"
LOG_OVERFLOW = "[ERROR] Log overflow (maximum {limit}). Remaining log lines omitted."
NEAR_LIMIT = "[WARN] {what} (actual: {used}{unit}, limit: {limit}{unit}).{advice}"
TIMED_OUT = "Function execution timed out (maximum duration: {seconds:g}s)"

# Functions: crates/udf/src/validation.rs

NO_FUNCTION = "Could not find {which} for '{path}'. Did you forget to run `npx convex dev`?"
OTHER_KIND = "Trying to execute {path} as {kind}, but it is defined as {found}."
