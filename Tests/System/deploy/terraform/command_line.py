"""The part of AWS's command line that the runbook uses, on boto3: aws SERVICE OPERATION --option value …

Each option must be a parameter of the operation in botocore's models.
"""

import json
import sys

import boto3
import botocore.exceptions
import jmespath
from botocore import xform_name

GLOBAL = {"--query", "--output"}


def value(shape, words):
    """A parameter's value from the words after its option."""
    if shape.type_name in ("integer", "long"):
        return int(words[0])
    if shape.type_name == "list":
        return [value(shape.member, [word]) for word in words]
    if shape.type_name == "structure":
        pairs = dict(word.split("=", 1) for word in words[0].split(","))
        return {name: value(shape.members[name], [text]) for name, text in pairs.items()}
    (word,) = words
    return word


def parse(arguments):
    """The options, each with the words after it."""
    options = []
    for word in arguments:
        if word.startswith("--"):
            options.append((word, []))
        else:
            options[-1][1].append(word)
    return options


def parameters(shape, options):
    by_option = {"--" + xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
    found = {}
    for option, words in options:
        if option in GLOBAL:
            continue
        denied = option.replace("--no-", "--", 1)
        name, member = by_option.get(option) or by_option.get(denied) or sys.exit(f"aws: unknown option {option}")
        found[name] = option in by_option if member.type_name == "boolean" else value(member, words)
    return found


def main(service, operation, *arguments):
    client = boto3.client(service)
    if operation == "wait":
        waiter = client.get_waiter(arguments[0].replace("-", "_"))
        shape = client.meta.service_model.operation_model(waiter.config.operation).input_shape
        return waiter.wait(**parameters(shape, parse(arguments[1:])), WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    options = parse(arguments)
    settings = {option: words[0] for option, words in options if option in GLOBAL}
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    shape = client.meta.service_model.operation_model(names[operation]).input_shape
    answer = getattr(client, xform_name(names[operation]))(**parameters(shape, options))
    answer.pop("ResponseMetadata")
    found = jmespath.search(settings["--query"], answer) if "--query" in settings else answer
    if settings.get("--output") == "text":
        print(found)
    else:
        print(json.dumps(found, default=str))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (botocore.exceptions.ClientError, botocore.exceptions.WaiterError) as error:
        sys.exit(f"aws: {error}")
