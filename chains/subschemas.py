"""Where in a JSON schema other schemas stand; under all other words stands what is no schema.

So a property that is called like a keyword is none, and neither is what an ``enum`` or a ``default`` holds.
"""

from __future__ import annotations

NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")  # schemas by name
HOLDING = (  # one schema, or a list of them
    *("items", "prefixItems", "contains", "additionalItems", "unevaluatedItems"),
    *("additionalProperties", "propertyNames", "unevaluatedProperties"),
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
)
