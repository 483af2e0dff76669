"""IAM's answer to one call, for the part of its language that the roles are written in."""

import re


def many(value):
    return value if isinstance(value, list) else [value]


def matches(pattern, text):
    """Whether text is what the pattern says, with IAM's * and ?."""
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern), text) is not None


COMPARISONS = {
    "StringEquals": lambda wanted, actual: wanted == actual,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda wanted, actual: str(wanted).lower() == str(actual).lower(),
}


def holds(condition, context):
    """Whether every key of every comparison is in the context, with one of the wanted values."""
    return all(
        key in context and any(COMPARISONS[comparison](one, context[key]) for one in many(wanted))
        for comparison, keys in condition.items()
        for key, wanted in keys.items()
    )


def allows(document, action, resource="*", context=None):
    """Whether the policy lets its role make the call; the context holds the condition keys that AWS would fill in."""
    for statement in many(document["Statement"]):
        assert statement["Effect"] == "Allow" and not {"NotAction", "NotResource"} & statement.keys()
        if (
            any(matches(one, action) for one in many(statement["Action"]))
            and any(matches(one, resource) for one in many(statement["Resource"]))
            and holds(statement.get("Condition", {}), context or {})
        ):
            return True
    return False
