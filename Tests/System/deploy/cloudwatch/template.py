"""What Terraform's templatefile() makes of a file, as far as these files go: `${name}` is replaced, `$${` is `${`."""

import re


def render(text, **values):
    """Raises KeyError for a placeholder without a value, and ValueError for what is no plain placeholder."""

    def replaced(match):
        if match[0] in ("$${", "%%{"):
            return match[0][1:]
        name = re.fullmatch(r"\$\{([a-z_]+)\}", match[0])
        if not name:
            raise ValueError(f"not a plain placeholder: {match[0]}")
        return values[name[1]]

    return re.sub(r"\$\$\{|%%\{|[$%]\{[^}]*\}?", replaced, text)


def placeholders(text):
    """The names of all placeholders."""
    return set(re.findall(r"(?<!\$)\$\{([a-z_]+)\}", text))
