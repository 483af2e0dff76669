"""A moto server with what Terraform's provider asks for and moto does not know: python emulator.py -H HOST -p PORT"""

import json
import sys
import uuid

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.budgets.responses import BudgetsResponse
from moto.ecr.responses import ECRResponse
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.iam.access_control import PermissionResult
from moto.logs.responses import LogsResponse
from moto.rds.models import DBInstance
from moto.s3.models import FakeBucket
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.server import main
from moto.ssm.responses import SimpleSystemManagerResponse

saved = {}


def put_query_definition(self):
    """Keeps the definition under its id, or a new one."""
    definition = json.loads(self.body)
    definition.setdefault("queryDefinitionId", str(uuid.uuid4()))
    saved[definition["queryDefinitionId"]] = definition
    return json.dumps({"queryDefinitionId": definition["queryDefinitionId"]})


def describe_query_definitions(self):
    """Those whose name has the prefix, which may be missing."""
    prefix = json.loads(self.body or "{}").get("queryDefinitionNamePrefix", "")
    return json.dumps({"queryDefinitions": [one for one in saved.values() if one["name"].startswith(prefix)]})


def describe_subscribers_for_notification(self):
    """Whom a budget's notification goes to."""
    budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
    wanted = self._get_param("Notification")
    for one in budget.notifications:
        if one.details["NotificationType"] == wanted["NotificationType"]:
            return json.dumps({"Subscribers": one.subscribers})
    return json.dumps({"Subscribers": []})


def list_tags_for_resource(self):
    """Budgets have no tags here."""
    return json.dumps({"ResourceTags": []})


def list_tags_of_target(self):
    """Scalable targets have no tags here."""
    return json.dumps({"Tags": {}})


create_service = EC2ContainerServiceResponse.create_service


def create_deployed_service(self):
    """moto forgets how a service is deployed."""
    answer = create_service(self)
    service = self.ecs_backend.services[f"{self._get_param('cluster').split('/')[-1]}:{self._get_param('serviceName')}"]
    service.deployment_configuration = self._get_param("deploymentConfiguration")
    return answer


make_instance = DBInstance.__init__


def make_distinct_instance(self, *arguments, **settings):
    """Terraform identifies a database by its resource id, which in moto is the same for all."""
    make_instance(self, *arguments, **settings)
    self.dbi_resource_id = "db-" + uuid.uuid4().hex[:26].upper()


update_instance = DBInstance.update


def keep_secret(self, **settings):
    """RDS keeps the secret of a database whose password it already manages; moto would create another."""
    if self.manage_master_user_password and settings.get("manage_master_user_password"):
        settings = {name: value for name, value in settings.items() if name != "manage_master_user_password"}
    return update_instance(self, **settings)


def get_permission(self, action, resource):
    """What a bucket's policy says: nothing, since moto would take a denial under a condition for one without."""
    return PermissionResult.NEUTRAL


def resource_of(service, member, form):
    """For a service's calls: the ARN that a policy is compared with. By itself moto compares with * alone."""

    def determine(self):
        name = self._get_param(member)
        if not name or str(name).startswith("arn:"):
            return name or "*"
        return f"arn:aws:{service}:{self.region}:{self.current_account}:{form.format(name)}"

    return determine


SecretsManagerResponse._determine_resource = resource_of("secretsmanager", "SecretId", "secret:{}")
SimpleSystemManagerResponse._determine_resource = resource_of("ssm", "Name", "parameter{}")
LogsResponse._determine_resource = resource_of("logs", "logGroupName", "log-group:{}:*")
ECRResponse._determine_resource = resource_of("ecr", "repositoryName", "repository/{}")

LogsResponse.put_query_definition = put_query_definition
LogsResponse.describe_query_definitions = describe_query_definitions
BudgetsResponse.describe_subscribers_for_notification = describe_subscribers_for_notification
BudgetsResponse.list_tags_for_resource = list_tags_for_resource
ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_of_target
EC2ContainerServiceResponse.create_service = create_deployed_service
DBInstance.__init__ = make_distinct_instance
DBInstance.update = keep_secret
FakeBucket.get_permission = get_permission

if __name__ == "__main__":
    main(sys.argv[1:])
