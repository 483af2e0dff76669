"""A moto server that also keeps saved queries, which moto does not know: python emulator.py -H HOST -p PORT"""

import json
import sys
import uuid

from moto.logs.responses import LogsResponse
from moto.server import main

saved = {}


def put_query_definition(self):
    """Keeps the definition under its id, or a new one."""
    definition = dict(self._get_params() if hasattr(self, "_get_params") else json.loads(self.body))
    definition.setdefault("queryDefinitionId", str(uuid.uuid4()))
    saved[definition["queryDefinitionId"]] = definition
    return json.dumps({"queryDefinitionId": definition["queryDefinitionId"]})


def describe_query_definitions(self):
    """All definitions, of those the ones with the prefix that is asked for."""
    prefix = json.loads(self.body or "{}").get("queryDefinitionNamePrefix", "")
    return json.dumps({"queryDefinitions": [one for one in saved.values() if one["name"].startswith(prefix)]})


def delete_query_definition(self):
    """Says whether there was one."""
    return json.dumps({"success": saved.pop(json.loads(self.body)["queryDefinitionId"], None) is not None})


for operation in (put_query_definition, describe_query_definitions, delete_query_definition):
    setattr(LogsResponse, operation.__name__, operation)

if __name__ == "__main__":
    main(sys.argv[1:])
