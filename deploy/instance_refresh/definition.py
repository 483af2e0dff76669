"""Task definitions: the container that runs the image, and the revision with another one."""

import re

from .failure import Failure

TAG_OR_DIGEST = re.compile(r"(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]+)?$", re.ASCII)


def repository(image):
    """The image's URI without tag and digest; a registry's port stays."""
    return TAG_OR_DIGEST.sub("", image)


def container(definition, image, name=None):
    """The container to change: the one with this name, else the only one, else the only one of the image's repository."""
    found = definition["containerDefinitions"]
    if name is not None:
        found = [one for one in found if one["name"] == name]
    elif len(found) > 1:
        found = [one for one in found if repository(one["image"]) == repository(image)]
    if len(found) != 1:
        names = ", ".join(one["name"] for one in definition["containerDefinitions"])
        which = f"is called {name}" if name else "has an image of this repository"
        raise Failure(f"of the containers {names} not exactly one {which} (--container NAME)")
    return found[0]


def with_image(definition, name, image):
    """The definition with another image in the container of this name; the given one stays as it is."""
    containers = [
        {**one, "image": image} if one["name"] == name else one for one in definition["containerDefinitions"]
    ]
    return {**definition, "containerDefinitions": containers}


def value(container, name):
    """A variable of the container's environment, None if it has none."""
    return next((one["value"] for one in container.get("environment", []) if one["name"] == name), None)


class Revision:
    """The revision that a service ran, to which it may have to go back."""

    def __init__(self, services, definition, tags):
        self.services, self.definition, self.tags = services, definition, tags
        self.arn = definition["taskDefinitionArn"]

    def usable(self):
        """Its ARN. A revision that was deregistered in the meantime cannot be run again: then a copy's."""
        definition, _ = self.services.definition(self.arn)
        if definition["status"] != "ACTIVE":
            self.arn = self.services.register(self.definition, self.tags)
        return self.arn
