data "aws_region" "current" {}

# The version number is read at plan time: a group that followed the alias could not be rolled back.
data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

locals {
  # The tag, or the digest of an image without one; deploy/refresh derives the same.
  version = regex(":([A-Za-z0-9_][A-Za-z0-9._-]*)(?:@sha256:[0-9a-f]{64})?$", var.image)[0]

  settings = merge(var.base_path == "" ? {} : { BASE_PATH = var.base_path }, {
    HEALTH_DB_GRACE_MS = "180000" # longer than a failover, during which no instance may count as unhealthy
    DRAIN_DELAY_MS     = "5000"
    DB_POOL_MAX        = tostring(var.pool_max)
  }, var.settings)

  variables = {
    ITEMS_ENVIRONMENT     = var.environment
    ITEMS_IMAGE           = var.image
    ITEMS_VERSION         = local.version
    ITEMS_REGION          = data.aws_region.current.name
    ITEMS_PORT            = tostring(var.port)
    ITEMS_SECRET_ID       = var.secret_id
    ITEMS_DB_HOST         = var.database.host
    ITEMS_DB_PORT         = tostring(var.database.port)
    ITEMS_DB_NAME         = var.database.name
    ITEMS_GROUP           = var.name
    ITEMS_LAUNCH_HOOK     = local.launch_hook.name
    ITEMS_AGENT_PARAMETER = var.agent_parameter
    ITEMS_SETTINGS        = join(" ", [for name, value in local.settings : "${name}=${value}"])
  }

  marker    = "# @settings"
  script    = file(coalesce(var.boot_script, "${path.module}/../../../../userdata/boot.sh"))
  user_data = replace(local.script, local.marker, join("\n", [for name, value in local.variables : "${name}='${value}'"]))

  launch_hook = {
    name       = "${var.name}-launch"
    transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    # A first boot takes 3-5 minutes. The boot script completes the hook; an instance that does not is terminated.
    timeout = 900
    result  = "ABANDON"
  }
}

resource "aws_launch_template" "service" {
  name                   = var.name
  description            = "An instance of ${var.name}"
  image_id               = coalesce(var.ami_id, one(data.aws_ssm_parameter.ami[*].insecure_value))
  instance_type          = var.instance_type
  user_data              = base64encode(local.user_data)
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance.arn
  }

  network_interfaces {
    associate_public_ip_address = false
    delete_on_termination       = true
    security_groups             = [var.service_group_id]
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # The instance only: the service's container uses its network.
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 10
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])
    content {
      resource_type = tag_specifications.key
      tags          = { Name = var.name, Environment = var.environment }
    }
  }

  # An instance that boots before its role may read the secret loses its boot time to retries.
  depends_on = [aws_iam_role_policy.instance]

  lifecycle {
    precondition {
      condition     = length(split("\n${local.marker}\n", local.script)) == 2 && length(split(local.marker, local.script)) == 2
      error_message = "The boot script must have exactly one line for the settings."
    }

    precondition {
      condition     = length(base64encode(local.user_data)) <= 4 * floor(16384 / 3)
      error_message = "User data exceeds EC2's limit of 16 KB."
    }

    precondition {
      condition     = alltrue([for value in values(local.variables) : !can(regex("['\n]", value))])
      error_message = "A setting contains a single quote or a line break, which would end its line in the boot script."
    }
  }
}

resource "aws_autoscaling_group" "service" {
  name                = var.name
  vpc_zone_identifier = var.private_subnet_ids
  min_size            = var.size.min
  desired_capacity    = var.size.desired
  max_size            = var.size.max

  target_group_arns = [var.target_group_arn]
  health_check_type = "ELB"
  # An instance is in service only after its boot script has seen it ready; what remains are the load
  # balancer's two health checks.
  health_check_grace_period = 60
  default_instance_warmup   = 60

  # A number, because the rollback of a refresh needs one. Initial value only: see ignore_changes below.
  launch_template {
    id      = aws_launch_template.service.id
    version = aws_launch_template.service.latest_version
  }

  # Start the new instance before terminating the old one, also when zones are rebalanced or an instance is unhealthy.
  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 200
  }

  # A hook created after the group would miss its first instances.
  initial_lifecycle_hook {
    name                 = local.launch_hook.name
    lifecycle_transition = local.launch_hook.transition
    heartbeat_timeout    = local.launch_hook.timeout
    default_result       = local.launch_hook.result
  }

  termination_policies      = ["OldestLaunchTemplate", "OldestInstance"]
  wait_for_capacity_timeout = "15m"
  # The first apply also waits until the load balancer finds the instances healthy.
  min_elb_capacity    = var.size.min
  metrics_granularity = "1Minute"
  enabled_metrics = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupTerminatingInstances",
  ]

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }

  tag {
    key                 = "Environment"
    value               = var.environment
    propagate_at_launch = true
  }

  lifecycle {
    # Scaling policies set the number of instances, and deploy/refresh the version in service. Terraform
    # would change the group before refreshing it, so that a rollback would lead to the new version again.
    ignore_changes = [desired_capacity, launch_template[0].version]

    precondition {
      condition = var.size.max * var.pool_max * 2 <= var.service_connections
      error_message = join(" ", [
        "${var.size.max} instances with DB_POOL_MAX ${var.pool_max}, twice over while a refresh runs, open up to",
        "${var.size.max * var.pool_max * 2} connections; the database has ${var.service_connections} for them.",
        "Choose a larger class, fewer instances or smaller pools.",
      ])
    }
  }
}

# Changes the hook of an existing group.
resource "aws_autoscaling_lifecycle_hook" "launch" {
  name                   = local.launch_hook.name
  autoscaling_group_name = aws_autoscaling_group.service.name
  lifecycle_transition   = local.launch_hook.transition
  heartbeat_timeout      = local.launch_hook.timeout
  default_result         = local.launch_hook.result
}
