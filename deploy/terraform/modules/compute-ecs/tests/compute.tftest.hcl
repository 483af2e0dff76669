mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/items-prod" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/items-prod:7" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/items-prod-role" }
  }
}

variables {
  name                = "items-prod"
  environment         = "prod"
  private_subnet_ids  = ["subnet-3", "subnet-4"]
  service_group_id    = "sg-2"
  target_group_arn    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/items-prod/1"
  balancer_arn_suffix = "app/items-prod/1"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/1"
  repository_arn      = "arn:aws:ecr:us-east-1:123456789012:repository/items"
  image               = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000"
  size                = { min = 2, desired = 2, max = 6 }
  service_connections = 170
  secret_id           = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
  database            = { host = "items-prod-database.abc.us-east-1.rds.amazonaws.com", port = 5432, name = "items" }
  log                 = { group = "/ecs/items-prod" }
  topic_arns = {
    critical = "arn:aws:sns:us-east-1:123456789012:items-prod-critical"
    warning  = "arn:aws:sns:us-east-1:123456789012:items-prod-warning"
  }
}

run "the_container_is_hardened" {
  command = apply

  assert {
    condition = jsondecode(aws_ecs_task_definition.service.container_definitions)[0].readonlyRootFilesystem && (
      jsondecode(aws_ecs_task_definition.service.container_definitions)[0].user == "10001:10001" &&
      jsondecode(aws_ecs_task_definition.service.container_definitions)[0].linuxParameters == {
        capabilities = { drop = ["ALL"] }, initProcessEnabled = true
      }
    )
    error_message = "A read-only root, a user, no capabilities, an init."
  }
  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.service.container_definitions)[0].ulimits == [{ name = "nofile", softLimit = 20000, hardLimit = 20000 }] &&
      jsondecode(aws_ecs_task_definition.service.container_definitions)[0].stopTimeout == 60
    )
    error_message = "20,000 files, and 60 s to end."
  }
  assert {
    condition = jsondecode(aws_ecs_task_definition.service.container_definitions)[0].healthCheck == {
      command = ["CMD", "/usr/local/bin/items", "healthcheck", "--path", "/health/live"], interval = 10, timeout = 5, retries = 3, startPeriod = 30
    }
    error_message = "The container's check asks whether the process lives, without a shell."
  }
  assert {
    condition = jsondecode(aws_ecs_task_definition.service.container_definitions)[0].logConfiguration == {
      logDriver = "awslogs"
      options = {
        awslogs-group = "/ecs/items-prod", awslogs-region = "us-east-1", awslogs-stream-prefix = "backend", mode = "non-blocking", max-buffer-size = "4m"
      }
    }
    error_message = "Lines go to the one group, and a stalled driver does not stall the service."
  }
  assert {
    condition = { for one in jsondecode(aws_ecs_task_definition.service.container_definitions)[0].environment : one.name => one.value } == {
      ENVIRONMENT        = "prod"
      PORT               = "5001"
      AWS_REGION         = "us-east-1"
      DB_HOST            = "items-prod-database.abc.us-east-1.rds.amazonaws.com"
      DB_PORT            = "5432"
      DB_NAME            = "items"
      DB_POOL_MAX        = "10"
      DB_SECRET_ID       = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
      DB_SSLMODE         = "verify-full"
      DB_SSLROOTCERT     = "/etc/items/certificates/rds.pem"
      HEALTH_DB_GRACE_MS = "180000"
      DRAIN_DELAY_MS     = "20000"
      DRAIN_TIMEOUT_MS   = "20000"
    }
    error_message = "The settings of the service, without a secret."
  }
  assert {
    condition     = !can(jsondecode(aws_ecs_task_definition.service.container_definitions)[0].secrets)
    error_message = "A variable made of the secret would not follow its rotation."
  }
}

run "the_task" {
  command = apply

  assert {
    condition = (
      aws_ecs_task_definition.service.cpu == "512" && aws_ecs_task_definition.service.memory == "1024" &&
      aws_ecs_task_definition.service.network_mode == "awsvpc" && aws_ecs_task_definition.service.requires_compatibilities == toset(["FARGATE"])
    )
    error_message = "Half a core and 1 GiB on Fargate."
  }
  assert {
    condition = (
      aws_ecs_task_definition.service.runtime_platform[0].cpu_architecture == "X86_64" &&
      aws_ecs_task_definition.service.runtime_platform[0].operating_system_family == "LINUX"
    )
    error_message = "The image is for x86-64."
  }
  assert {
    condition     = aws_ecs_task_definition.service.skip_destroy && aws_ecs_task_definition.service.track_latest
    error_message = "Earlier revisions stay, and a plan compares with the one registered last."
  }
}

run "the_service_starts_before_it_ends" {
  command = apply

  assert {
    condition = (
      aws_ecs_service.service.deployment_minimum_healthy_percent == 100 && aws_ecs_service.service.deployment_maximum_percent == 200 &&
      aws_ecs_service.service.desired_count == 2 && aws_ecs_service.service.health_check_grace_period_seconds == 60
    )
    error_message = "New tasks come before old ones go."
  }
  assert {
    condition = (
      aws_ecs_service.service.deployment_circuit_breaker[0].enable && aws_ecs_service.service.deployment_circuit_breaker[0].rollback &&
      aws_ecs_service.service.alarms[0].enable && aws_ecs_service.service.alarms[0].rollback &&
      aws_ecs_service.service.alarms[0].alarm_names == toset(["items-prod-error-share"])
    )
    error_message = "Tasks that do not start, and errors, roll back."
  }
  assert {
    condition = (
      !aws_ecs_service.service.network_configuration[0].assign_public_ip &&
      aws_ecs_service.service.network_configuration[0].security_groups == toset(["sg-2"]) &&
      aws_ecs_service.service.availability_zone_rebalancing == "ENABLED"
    )
    error_message = "In private subnets, in balance between the zones."
  }
  assert {
    condition = { for one in aws_ecs_service.service.capacity_provider_strategy : one.capacity_provider => one.weight } == { FARGATE = 1 } && (
      aws_ecs_cluster_capacity_providers.main.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    )
    error_message = "On demand, with Spot at hand."
  }
  assert {
    condition     = one(aws_ecs_cluster.main.setting).name == "containerInsights" && one(aws_ecs_cluster.main.setting).value == "enabled"
    error_message = "Container Insights are on."
  }
}

run "spot" {
  command = plan

  variables {
    capacity = "spot"
  }

  assert {
    condition     = { for one in aws_ecs_service.service.capacity_provider_strategy : one.capacity_provider => one.weight } == { FARGATE_SPOT = 1 }
    error_message = "Every task on Spot."
  }
}

run "the_minimum_on_demand_and_half_of_the_rest_on_spot" {
  command = plan

  variables {
    capacity = "mixed"
  }

  assert {
    condition = { for one in aws_ecs_service.service.capacity_provider_strategy : one.capacity_provider => [one.base, one.weight] } == {
      FARGATE = [2, 1], FARGATE_SPOT = [0, 1]
    }
    error_message = "Two on demand, then one each."
  }
}

run "scaling_at_70_and_80_per_cent" {
  command = apply

  assert {
    condition     = aws_appautoscaling_target.main["service"].min_capacity == 2 && aws_appautoscaling_target.main["service"].max_capacity == 6
    error_message = "2 to 6 tasks."
  }
  assert {
    condition = { for key, one in aws_appautoscaling_policy.main : key => [
      one.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type,
      one.target_tracking_scaling_policy_configuration[0].target_value,
      one.target_tracking_scaling_policy_configuration[0].scale_out_cooldown,
      one.target_tracking_scaling_policy_configuration[0].scale_in_cooldown,
      ] } == {
      service-cpu    = ["ECSServiceAverageCPUUtilization", 70, 60, 300]
      service-memory = ["ECSServiceAverageMemoryUtilization", 80, 60, 300]
    }
    error_message = "CPU 70 %, memory 80 %, 60 s out, 300 s in."
  }
  assert {
    condition     = aws_appautoscaling_target.main["service"].resource_id == "service/items-prod/items"
    error_message = "They scale the service."
  }
  assert {
    condition     = length(aws_appautoscaling_scheduled_action.main) == 0
    error_message = "Nothing happens by the clock."
  }
}

run "hours_with_other_numbers" {
  command = apply

  variables {
    schedule = {
      night   = { cron = "cron(0 20 ? * MON-FRI *)", min = 0, max = 0, timezone = "Europe/Berlin" }
      morning = { cron = "cron(0 6 ? * MON-FRI *)", min = 2, max = 6, timezone = "Europe/Berlin" }
    }
  }

  assert {
    condition = { for key, one in aws_appautoscaling_scheduled_action.main : key => [
      one.schedule, one.timezone, one.scalable_target_action[0].min_capacity, one.scalable_target_action[0].max_capacity,
      ] } == {
      service-night   = ["cron(0 20 ? * MON-FRI *)", "Europe/Berlin", "0", "0"]
      service-morning = ["cron(0 6 ? * MON-FRI *)", "Europe/Berlin", "2", "6"]
    }
    error_message = "Off at night, back in the morning."
  }
}

run "the_alarms" {
  command = apply

  assert {
    condition = { for key, one in aws_cloudwatch_metric_alarm.usage : key => [one.metric_name, one.threshold, one.period * one.evaluation_periods / 60] } == {
      cpu    = ["CPUUtilization", 80, 10]
      memory = ["MemoryUtilization", 80, 10]
    }
    error_message = "CPU and memory above 80 % for two periods."
  }
  assert {
    condition = alltrue([for one in aws_cloudwatch_metric_alarm.usage : (
      one.dimensions == tomap({ ClusterName = "items-prod", ServiceName = "items" }) && one.alarm_actions == toset([var.topic_arns.warning])
    )])
    error_message = "Of this service."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.error_share.threshold == 5 && aws_cloudwatch_metric_alarm.error_share.evaluation_periods == 3 &&
      aws_cloudwatch_metric_alarm.error_share.treat_missing_data == "notBreaching" &&
      aws_cloudwatch_metric_alarm.error_share.alarm_actions == toset([var.topic_arns.critical]) &&
      toset(flatten([for one in aws_cloudwatch_metric_alarm.error_share.metric_query : [for metric in one.metric : metric.metric_name]])) ==
      toset(["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"])
    )
    error_message = "More than 5 % of the answers, for three minutes."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.failures.event_pattern).detail == {
      clusterArn = ["arn:aws:ecs:us-east-1:123456789012:cluster/items-prod"]
      lastStatus = ["STOPPED"]
      stopCode   = ["EssentialContainerExited", "TaskFailedToStart"]
    } && aws_cloudwatch_event_target.failures.arn == var.topic_arns.warning
    error_message = "Tasks that fail are reported, tasks that ECS stops are not."
  }
}

run "roles_do_what_they_need" {
  command = apply

  assert {
    condition = { for one in local.execution : one.Sid => jsonencode(one.Resource) } == {
      LogInToTheRegistry = jsonencode(["*"])
      PullTheImage       = jsonencode(["arn:aws:ecr:us-east-1:123456789012:repository/items"])
      WriteLogs          = jsonencode(["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/items-prod:*"])
    }
    error_message = "One repository, one log group."
  }
  assert {
    condition = toset(flatten([for one in concat(local.execution, local.task) : one.Action])) == toset([
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
      "kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue",
    ])
    error_message = "Another call is allowed."
  }
  assert {
    condition = { for one in local.task : one.Sid => jsonencode(one.Resource) } == {
      ReadTheSecret    = jsonencode(["arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"])
      DecryptTheSecret = jsonencode(["arn:aws:kms:us-east-1:123456789012:key/1"])
      } && one([for one in local.task : one.Condition if one.Sid == "DecryptTheSecret"]) == { StringEquals = {
        "kms:ViaService"                  = "secretsmanager.us-east-1.amazonaws.com"
        "kms:EncryptionContext:SecretARN" = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
    } }
    error_message = "The secret, and the key for reading it."
  }
  assert {
    condition = jsondecode(aws_iam_role.task.assume_role_policy).Statement[0].Condition == {
      StringEquals = { "aws:SourceAccount" = "123456789012" }
      ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:us-east-1:123456789012:*" }
    }
    error_message = "Only this account's tasks take the roles."
  }
}

run "pages_beside_the_service" {
  command = apply

  variables {
    frontend = {
      image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items-frontend:1"
      repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items-frontend"
      size           = { min = 1, desired = 1, max = 4 }
      log_group      = "/ecs/items-prod/frontend"
    }
    frontend_target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/front-prod/1"
  }

  assert {
    condition = (
      aws_ecs_task_definition.frontend[0].cpu == "256" && aws_ecs_task_definition.frontend[0].memory == "512" &&
      aws_ecs_task_definition.frontend[0].task_role_arn == null
    )
    error_message = "A quarter of a core, 512 MiB, no role."
  }
  assert {
    condition = (
      jsondecode(aws_ecs_task_definition.frontend[0].container_definitions)[0].readonlyRootFilesystem &&
      jsondecode(aws_ecs_task_definition.frontend[0].container_definitions)[0].user == "101:101" &&
      jsondecode(aws_ecs_task_definition.frontend[0].container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"] &&
      !can(jsondecode(aws_ecs_task_definition.frontend[0].container_definitions)[0].environment)
    )
    error_message = "As hardened as the service."
  }
  assert {
    condition     = one(aws_ecs_service.frontend[0].load_balancer).container_port == 3000 && aws_ecs_service.frontend[0].desired_count == 1
    error_message = "One task on 3000."
  }
  assert {
    condition     = aws_appautoscaling_target.main["frontend"].max_capacity == 4 && length(aws_appautoscaling_policy.main) == 4
    error_message = "1 to 4 tasks, by the same two policies."
  }
  assert {
    condition = { for one in local.execution : one.Sid => jsonencode(one.Resource) if one.Sid != "LogInToTheRegistry" } == {
      PullTheImage = jsonencode(["arn:aws:ecr:us-east-1:123456789012:repository/items", "arn:aws:ecr:us-east-1:123456789012:repository/items-frontend"])
      WriteLogs    = jsonencode(["arn:aws:logs:us-east-1:123456789012:log-group:/ecs/items-prod:*", "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/items-prod/frontend:*"])
    }
    error_message = "Their image can be pulled, and their log written."
  }
}

run "pools_that_fill_the_database_in_a_deployment_are_refused" {
  command         = plan
  expect_failures = [aws_ecs_service.service]

  variables {
    service_connections = 119
  }
}

run "pools_that_just_fit_are_not" {
  command = plan

  variables {
    service_connections = 120
  }

  assert {
    condition     = aws_appautoscaling_target.main["service"].max_capacity == 6
    error_message = "6 tasks with 10 connections, twice over, are 120."
  }
}

run "a_drain_that_is_killed_is_refused" {
  command         = plan
  expect_failures = [aws_ecs_task_definition.service]

  variables {
    stop_timeout = 45
  }
}

run "a_drain_that_just_fits_is_not" {
  command = plan

  variables {
    stop_timeout = 46
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.service.container_definitions)[0].stopTimeout == 46
    error_message = "20 s, 20 s and 5 s are less than 46 s."
  }
}

run "a_size_that_fargate_does_not_have_is_refused" {
  command         = plan
  expect_failures = [var.task]

  variables {
    task = { cpu = 512, memory = 512 }
  }
}

run "a_setting_that_something_else_relies_on_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DRAIN_DELAY_MS = "0" }
  }
}

run "a_secret_in_a_setting_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DB_PASSWORD = "hunter2" }
  }
}

run "a_schedule_beyond_the_pools_is_refused" {
  command         = plan
  expect_failures = [var.schedule]

  variables {
    schedule = { noon = { cron = "cron(0 12 * * ? *)", min = 2, max = 7 } }
  }
}

run "what_does_not_fit_is_refused" {
  command = plan
  expect_failures = [
    var.size,
    var.capacity,
    var.container_insights,
    var.drain,
    var.stop_timeout,
    var.grace,
    var.pool_max,
    var.scaling,
  ]

  variables {
    size               = { min = 2, desired = 1, max = 6 }
    capacity           = "cheap"
    container_insights = "on"
    drain              = { delay = 5, timeout = 20 } # requests still arrive 15 s after a deregistration
    stop_timeout       = 180                         # Fargate's maximum is 120 s
    grace              = 10
    pool_max           = 1
    scaling            = { cpu = 95 }
  }
}
