"""Who may open a connection to whom, read from the security groups' rules of a plan."""

ANYWHERE = "0.0.0.0/0"


def resources(plan):
    """All resources of all modules that the plan would make."""
    pending = [plan["planned_values"]["root_module"]]
    while pending:
        module = pending.pop()
        # What is wholly unknown before the apply has no values at all.
        yield from ({"values": {}} | one for one in module.get("resources", []) if one["mode"] == "managed")
        pending += module.get("child_modules", [])


def configured(plan):
    """All resources as they are written, with the references between them, by type and name."""
    found = {}
    pending = [plan["configuration"]["root_module"]]
    while pending:
        module = pending.pop()
        for one in module.get("resources", []):
            found[one["type"], one["name"]] = one.get("expressions", {})
        pending += [call["module"] for call in module.get("module_calls", {}).values()]
    return found


def group(expressions, attribute):
    """The name of the security group that an attribute refers to, None when it refers to none."""
    for reference in expressions.get(attribute, {}).get("references", []):
        parts = reference.split(".")
        if parts[0] == "aws_security_group":
            return parts[1]
    return None


class Rules:
    """The rules by direction: sets of (group, other side, first port, last port)."""

    def __init__(self, plan):
        written = configured(plan)
        self.sides = {"ingress": set(), "egress": set()}
        for one in resources(plan):
            for direction, rules in self.sides.items():
                if one["type"] == f"aws_vpc_security_group_{direction}_rule":
                    expressions = written[one["type"], one["name"]]
                    other = group(expressions, "referenced_security_group_id") or one["values"]["cidr_ipv4"]
                    ports = one["values"]["from_port"], one["values"]["to_port"]
                    assert one["values"]["ip_protocol"] == "tcp", one["address"]
                    rules.add((group(expressions, "security_group_id"), other, *ports))

    def connections(self):
        """(from, to, port) for every connection that can be opened: both ends have to allow it, the internet allows all."""
        found = set()
        for owner, other, first, last in self.sides["ingress"]:
            for port in range(first, last + 1):
                if other == ANYWHERE or any(
                    (source, target) == (other, owner) and low <= port <= high
                    for source, target, low, high in self.sides["egress"]
                ):
                    found.add(("internet" if other == ANYWHERE else other, owner, port))
        for owner, other, first, last in self.sides["egress"]:
            if other == ANYWHERE:
                found |= {(owner, "internet", port) for port in range(first, last + 1)}
        return found
