"""The effect of more rows and more connections: ratios of rates from a run over several numbers of both."""

from .sample import summaries


def ratio(found, key, base, index):
    """Returns the rate at `key` divided by the rate with `base` at position `index` of the key; None if
    either is unknown."""
    other = (*key[:index], base, *key[index + 1 :])
    if key == other or key not in found or other not in found:
        return None
    rates = found[key].median("rate"), found[other].median("rate")
    return rates[0] / rates[1] if all(rates) else None


def lines(record):
    """Yields a line for each number of rows, and of connections, above the lowest."""
    found = summaries(record.samples)
    for index, noun in ((1, "rows"), (2, "connections")):
        base = min((key[index] for key in found), default=0)
        for key in found:
            value = ratio(found, key, base, index)
            if value is not None:
                other = f"{key[2]} connections" if index == 1 else f"{key[1]:,} rows"
                yield f"{key[3]} {key[0]}, {base:,} → {key[index]:,} {noun} ({other}): {value:.2f} of the rate"
