"""An ECS service: its tasks are replaced by a deployment of another revision of its task definition."""

from .cloud import Cloud
from .definition import Revision, container, value, with_image
from .deployment import Deployment, name_of
from .failure import DONE, CallFailed, Failure
from .progress import follow, hold_interruptions, record, say
from .services import Services
from .smoke import Smoke
from .verdict import primary


def check_service(services):
    """The service, if a deployment of it can be followed and rolled back."""
    service = services.describe()
    if service is None:
        raise Failure(f"there is no service {services.cluster}/{services.name}")
    if service["status"] != "ACTIVE":
        raise Failure(f"the service is {service['status']}")
    controller = service.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise Failure(f"the service's deployments are controlled by {controller}, not by ECS")
    configuration = service.get("deploymentConfiguration", {})
    if configuration.get("strategy", "ROLLING") != "ROLLING":
        raise Failure(f"the service is deployed by the strategy {configuration['strategy']}, not ROLLING")
    for deployment in service["deployments"]:
        if deployment.get("rolloutState") == "IN_PROGRESS":
            raise Failure(f"deployment {deployment['id']} of the service is IN_PROGRESS")
    if configuration.get("minimumHealthyPercent", 100) < 100:
        say(f"the service may run {configuration['minimumHealthyPercent']} % of its tasks meanwhile: capacity is missing then")
    if not service["desiredCount"]:
        say("the service wants no task: nothing will run the image")
    return service


def start(services, arn, withdraw):
    """The service after the update. If ECS took it and its answer was lost, the service tells."""
    try:
        return services.update(arn)
    except CallFailed as failure:
        if failure.passes:
            service = services.describe()
            if service and primary(service)["taskDefinition"] == arn:
                return service
        withdraw()
        raise Failure(str(failure)) from None


def withdraw(services, arn):
    """Deregisters the failed revision, so that the latest one is again the one that the service runs."""
    try:
        services.withdraw(arn)
        say(f"task definition {name_of(arn)} is deregistered")
    except CallFailed as failure:
        say(f"task definition {name_of(arn)} is left behind: {failure}")


def parameter_of(options, changed):
    """Terraform's parameter, by the environment in the container's variables."""
    if options.parameter:
        return options.parameter
    environment = value(changed, "ENVIRONMENT")
    if environment is None:
        raise Failure(f"the container {changed['name']} has no variable ENVIRONMENT, which names the parameter (--parameter)")
    return f"/items/{environment}/image"


def run(options):
    cloud = Cloud(options.region)
    cluster, _, name = options.service.partition("/")
    services = Services(cloud, cluster, name)
    service = check_service(services)
    current, current_tags = services.definition(service["taskDefinition"])
    # The latest revision, not the one in service: it has what Terraform changed since the last deployment.
    latest, tags = services.definition(current["family"])
    changed = container(latest, options.image, options.container)
    parameter = parameter_of(options, changed)
    running, newest = name_of(current["taskDefinitionArn"]), name_of(latest["taskDefinitionArn"])
    say(f"service {options.service}: {service['desiredCount']} tasks, task definition {running}, latest {newest}")
    is_new = changed["image"] != options.image
    if is_new:
        say(f"container {changed['name']}: -{changed['image']}")
        say(f"container {changed['name']}: +{options.image}")
    if options.dry_run:
        say("would update the service and follow its deployment")
        say(f"would write {options.image} to {parameter} after it; nothing was changed")
        return DONE
    arn = latest["taskDefinitionArn"]
    if is_new:
        arn = services.register(with_image(latest, changed["name"], options.image), tags)
        say(f"task definition {name_of(arn)} registered")
    else:
        say(f"task definition {newest} runs this image already")

    def take_back():
        if is_new:
            withdraw(services, arn)

    earlier = {deployment["id"] for deployment in service["deployments"]}
    hold_interruptions()
    first = primary(start(services, arn, take_back))
    say(f"deployment {first['id']} {'goes on' if first['id'] in earlier else 'started'}")
    smoke = Smoke(options.smoke, options.instance_url, options.smoke_option, say, service_options=options.service_option)
    before = Revision(services, current, current_tags)
    deployment = Deployment(services, first["id"], arn, before, earlier - {first["id"]}, smoke, options, say)
    status = follow(deployment, f"deployment {deployment.id}")
    if deployment.is_back:
        take_back()
    return record(cloud, parameter, options.image, "service") if status == DONE else status
