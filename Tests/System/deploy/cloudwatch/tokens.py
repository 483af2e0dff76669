"""Text cut into tokens, for the parsers of queries and of filter patterns."""


def tokens(expression, text, limit):
    """The (kind, value) of each token, the kinds being the expression's groups; the last one is `end`.

    SyntaxError for what is longer than `limit` characters, or has something between two tokens.
    """
    if len(text) > limit:
        raise SyntaxError(f"longer than {limit} characters")
    found, position = [], 0
    while not found or found[-1][0] != "end":
        match = expression.match(text, position)
        if not match:
            raise SyntaxError(f"cannot be read: {text[position:position + 30]!r}")
        position = match.end()
        found.append((match.lastgroup, match[match.lastgroup]))
    return found
