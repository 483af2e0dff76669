mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/items-prod-instance" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/items-prod:policyName/cpu" }
  }
}

variables {
  name                = "items-prod"
  environment         = "prod"
  private_subnet_ids  = ["subnet-3", "subnet-4"]
  service_group_id    = "sg-2"
  target_group_arn    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/items-prod/1"
  repository_arn      = "arn:aws:ecr:us-east-1:123456789012:repository/items"
  log_group_arn       = "arn:aws:logs:us-east-1:123456789012:log-group:/items/prod/service"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/1"
  instance_type       = "t3.small"
  size                = { min = 2, desired = 2, max = 10 }
  service_connections = 350
  image               = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000"
  boot_script         = "./tests/scripts/boot.sh"
  secret_id           = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
  database            = { host = "items-prod-database.abc.us-east-1.rds.amazonaws.com", port = 5432, name = "items" }
  agent_parameter     = "/items/prod/cloudwatch-agent"
}

run "the_launch_template" {
  command = apply

  assert {
    condition = (
      aws_launch_template.service.metadata_options[0].http_tokens == "required" &&
      aws_launch_template.service.metadata_options[0].http_put_response_hop_limit == 1 &&
      aws_launch_template.service.metadata_options[0].instance_metadata_tags != "enabled"
    )
    error_message = "IMDSv2 only, one hop, without tags: the container uses the host's network."
  }
  assert {
    condition = alltrue([for device in aws_launch_template.service.block_device_mappings : (
      device.ebs[0].encrypted == "true" && device.ebs[0].kms_key_id == var.kms_key_arn
    )])
    error_message = "Volumes are encrypted."
  }
  assert {
    condition = (
      aws_launch_template.service.network_interfaces[0].associate_public_ip_address == "false" &&
      aws_launch_template.service.key_name == null && aws_launch_template.service.monitoring[0].enabled
    )
    error_message = "No public address, no SSH key; metrics every minute."
  }
  assert {
    condition     = aws_launch_template.service.image_id == "ami-0123456789abcdef0"
    error_message = "The image is a number, not an alias."
  }
  assert {
    condition = base64decode(aws_launch_template.service.user_data) == join("\n", [
      "#!/usr/bin/env bash",
      "ITEMS_AGENT_PARAMETER='/items/prod/cloudwatch-agent'",
      "ITEMS_DB_HOST='items-prod-database.abc.us-east-1.rds.amazonaws.com'",
      "ITEMS_DB_NAME='items'",
      "ITEMS_DB_PORT='5432'",
      "ITEMS_ENVIRONMENT='prod'",
      "ITEMS_GROUP='items-prod'",
      "ITEMS_IMAGE='123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000'",
      "ITEMS_LAUNCH_HOOK='items-prod-launch'",
      "ITEMS_PORT='5001'",
      "ITEMS_REGION='us-east-1'",
      "ITEMS_SECRET_ID='arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf'",
      "ITEMS_SETTINGS='DB_POOL_MAX=10 DRAIN_DELAY_MS=5000 HEALTH_DB_GRACE_MS=180000'",
      "ITEMS_VERSION='prod-0123abc-20241101120000'",
      "printf '%s\\n' \"$ITEMS_IMAGE\"",
      "",
    ])
    error_message = "The settings stand in place of the boot script's marker."
  }
}

run "the_label_is_the_tag_of_an_image_with_a_digest" {
  command = apply

  variables {
    image = "registry.example:5000/items:prod-0123abc-20241101120000@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.version == "prod-0123abc-20241101120000"
    error_message = "deploy/refresh derives the same."
  }
}

run "the_label_is_the_digest_of_an_image_without_a_tag" {
  command = apply

  variables {
    image = "registry.example:5000/items@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.version == "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    error_message = "deploy/refresh derives the same."
  }
}

run "the_group_starts_before_it_ends" {
  command = apply

  assert {
    condition = (
      aws_autoscaling_group.service.min_size == 2 && aws_autoscaling_group.service.max_size == 10 &&
      aws_autoscaling_group.service.desired_capacity == 2
    )
    error_message = "2 to 10 instances."
  }
  assert {
    condition = (
      aws_autoscaling_group.service.instance_maintenance_policy[0].min_healthy_percentage == 100 &&
      aws_autoscaling_group.service.instance_maintenance_policy[0].max_healthy_percentage == 200
    )
    error_message = "A new instance comes before an old one goes."
  }
  assert {
    condition     = length(aws_autoscaling_group.service.instance_refresh) == 0
    error_message = "Terraform starts no refresh: deploy/refresh sets the group's version."
  }
  assert {
    condition     = aws_autoscaling_group.service.min_elb_capacity == 2
    error_message = "The first apply waits until the load balancer finds the minimum number healthy."
  }
  assert {
    condition     = aws_autoscaling_group.service.launch_template[0].version == "7"
    error_message = "The group names a version by its number: no rollback without one."
  }
  assert {
    condition     = aws_autoscaling_group.service.health_check_type == "ELB" && aws_autoscaling_group.service.health_check_grace_period == 60
    error_message = "The load balancer's verdict counts, from 60 s on."
  }
  assert {
    condition = { for one in aws_autoscaling_group.service.initial_lifecycle_hook : one.name => [one.heartbeat_timeout, one.default_result] } == {
      items-prod-launch = [900, "ABANDON"]
    }
    error_message = "The hook exists for the first instance; there is no termination hook."
  }
  assert {
    condition = (
      aws_autoscaling_lifecycle_hook.launch.name == "items-prod-launch" &&
      aws_autoscaling_lifecycle_hook.launch.lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING" &&
      aws_autoscaling_lifecycle_hook.launch.heartbeat_timeout == 900 &&
      aws_autoscaling_lifecycle_hook.launch.default_result == "ABANDON"
    )
    error_message = "The hook follows later changes."
  }
}

run "an_instance_may_do_what_it_needs" {
  command = apply

  assert {
    condition = toset(flatten([for one in local.statements : one.Action])) == toset([
      "autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat",
      "cloudwatch:PutMetricData", "ec2:DescribeTags",
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
      "kms:Decrypt", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents",
      "secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ])
    error_message = "The instances' role allows something else."
  }
  assert {
    condition = toset([for one in local.statements : one.Sid if contains(flatten([one.Resource]), "*")]) == toset([
      "LogInToTheRegistry", "LookForTheGroupOfSessions", "WriteMetrics", "ReadOwnTags", "SessionManager",
    ])
    error_message = "Only calls that name no resource stand on *."
  }
  assert {
    condition = alltrue([
      for one in local.statements : one.Resource == {
        ReadTheSecret    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
        DecryptTheSecret = "arn:aws:kms:us-east-1:123456789012:key/1"
        PullTheImage     = "arn:aws:ecr:us-east-1:123456789012:repository/items"
        CompleteLifecycleActions = join(":", [
          "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup", "*", "autoScalingGroupName/items-prod",
        ])
      }[one.Sid] if contains(["ReadTheSecret", "DecryptTheSecret", "PullTheImage", "CompleteLifecycleActions"], one.Sid)
    ])
    error_message = "One secret, one key, one repository, one group."
  }
  assert {
    condition = one([for one in local.statements : one.Condition if one.Sid == "DecryptTheSecret"]) == { StringEquals = {
      "kms:ViaService"                  = "secretsmanager.us-east-1.amazonaws.com"
      "kms:EncryptionContext:SecretARN" = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
    } }
    error_message = "The key serves reading the secret, nothing else."
  }
  assert {
    condition     = one([for one in local.statements : one.Condition if one.Sid == "WriteMetrics"]) == { StringEquals = { "cloudwatch:namespace" = "Items/prod" } }
    error_message = "Metrics go to the environment's namespace alone."
  }
}

run "scaling_at_70_and_30_per_cent" {
  command = apply

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.cpu["out"].threshold == 70 && aws_cloudwatch_metric_alarm.cpu["out"].comparison_operator == "GreaterThanThreshold" &&
      aws_cloudwatch_metric_alarm.cpu["in"].threshold == 30 && aws_cloudwatch_metric_alarm.cpu["in"].comparison_operator == "LessThanThreshold"
    )
    error_message = "Out above 70 %, in below 30 %."
  }
  assert {
    condition = alltrue([for way, alarm in aws_cloudwatch_metric_alarm.cpu : (
      alarm.alarm_actions == toset([aws_autoscaling_policy.cpu[way].arn]) && alarm.period == 60 &&
      alarm.dimensions == tomap({ AutoScalingGroupName = "items-prod" })
    )])
    error_message = "Each alarm runs its policy."
  }
  assert {
    condition = (
      aws_autoscaling_policy.cpu["in"].adjustment_type == "ChangeInCapacity" &&
      one(aws_autoscaling_policy.cpu["in"].step_adjustment).scaling_adjustment == -1
    )
    error_message = "One instance fewer."
  }
  assert {
    condition = (
      aws_autoscaling_policy.cpu["out"].adjustment_type == "PercentChangeInCapacity" &&
      aws_autoscaling_policy.cpu["out"].min_adjustment_magnitude == 1 &&
      { for one in aws_autoscaling_policy.cpu["out"].step_adjustment : one.metric_interval_lower_bound => one.scaling_adjustment } == {
        "0" = 10, "10" = 50, "20" = 100
      }
    )
    error_message = "From 70 % one more, from 80 % half as many again, from 90 % twice as many."
  }
  assert {
    condition     = alltrue([for policy in aws_autoscaling_policy.cpu : policy.estimated_instance_warmup == null])
    error_message = "The group's warm-up time applies."
  }
}

run "pools_that_fill_the_database_in_a_refresh_are_refused" {
  command         = plan
  expect_failures = [aws_autoscaling_group.service]

  variables {
    service_connections = 199
  }
}

run "pools_that_just_fit_are_not" {
  command = plan

  variables {
    service_connections = 200
  }

  assert {
    condition     = aws_autoscaling_group.service.max_size == 10
    error_message = "10 instances with 10 connections, twice over, are 200."
  }
}

run "a_script_without_the_marker_is_refused" {
  command         = plan
  expect_failures = [aws_launch_template.service]

  variables {
    boot_script = "./tests/scripts/unmarked.sh"
  }
}

run "a_quote_in_a_name_is_refused" {
  command         = plan
  expect_failures = [aws_launch_template.service]

  variables {
    agent_parameter = "it's"
  }
}

run "the_service_is_below_the_base_path" {
  command = apply

  variables {
    base_path = "/career"
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.service.user_data), "ITEMS_SETTINGS='BASE_PATH=/career DB_POOL_MAX=10")
    error_message = "The service knows its base path."
  }
}

# If one of these were accepted, the group would replace its instances endlessly.
run "a_secret_in_a_setting_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DB_PASSWORD = "hunter2" }
  }
}

run "a_path_that_the_health_check_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { BASE_PATH = "/career" }
  }
}

run "a_port_that_the_smoke_test_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { ADMIN_PORT = "9000" }
  }
}

run "a_port_that_the_load_balancer_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { PORT = "8000" }
  }
}

run "a_pool_that_the_plan_does_not_count_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DB_POOL_MAX = "100" }
  }
}

run "a_value_that_the_boot_script_refuses_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { LOG_LEVEL = "$(id)" }
  }
}

run "a_processor_that_the_image_is_not_for_is_refused" {
  command         = plan
  expect_failures = [var.instance_type]

  variables {
    instance_type = "t4g.small"
  }
}

run "what_does_not_fit_the_service_is_refused" {
  command = plan
  expect_failures = [
    var.size,
    var.pool_max,
    var.cpu,
    var.settings,
  ]

  variables {
    size     = { min = 2, desired = 1, max = 10 }
    pool_max = 1
    cpu      = { high = 60, low = 30 } # would swing
    settings = { LOG_LEVEL = "info'; reboot; '" }
  }
}
