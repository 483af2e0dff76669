"""moto's server with one action more: each complete-lifecycle-action is a line of JSON in the file LIFECYCLE_RECORD."""

import json
import os
import sys

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.server import main


def complete_lifecycle_action(response):
    with open(os.environ["LIFECYCLE_RECORD"], "a") as file:
        file.write(json.dumps(dict(response._get_params())) + "\n")
    return EmptyResult()


AutoScalingResponse.complete_lifecycle_action = complete_lifecycle_action
main(sys.argv[1:])
