resource "aws_ecs_service" "service" {
  name            = local.service_name
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.service.arn
  desired_count   = var.size.desired

  # New tasks first, all at once; old ones end once these are healthy.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.grace
  availability_zone_rebalancing      = "ENABLED"
  platform_version                   = "LATEST"
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  # The first apply waits until the tasks serve.
  wait_for_steady_state = true

  # Rolls back by itself when new tasks do not start, or when an alarm is raised while they take over.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  alarms {
    enable      = true
    rollback    = true
    alarm_names = [aws_cloudwatch_metric_alarm.error_share.alarm_name]
  }

  dynamic "capacity_provider_strategy" {
    for_each = local.strategy
    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [var.service_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = local.service_name
    container_port   = var.port
  }

  # A task that starts before its roles have their policies fails, and three failures end the deployment.
  depends_on = [
    aws_ecs_cluster_capacity_providers.main,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
  ]

  timeouts {
    create = "15m"
    update = "15m"
  }

  lifecycle {
    # Scaling sets the number of tasks, and deploy/refresh the revision in service.
    ignore_changes = [task_definition, desired_count]

    precondition {
      condition = var.size.max * var.pool_max * 2 <= var.service_connections
      error_message = join(" ", [
        "${var.size.max} tasks with DB_POOL_MAX ${var.pool_max}, twice over during a deployment, open up to",
        "${var.size.max * var.pool_max * 2} connections; the database has ${var.service_connections} for them.",
        "Choose a larger class, fewer tasks or smaller pools.",
      ])
    }
  }
}

locals {
  # A task on Spot is told two minutes before it ends, by SIGTERM.
  strategy = {
    on_demand = { FARGATE = { base = 0, weight = 1 } }
    spot      = { FARGATE_SPOT = { base = 0, weight = 1 } }
    mixed     = { FARGATE = { base = var.size.min, weight = 1 }, FARGATE_SPOT = { base = 0, weight = 1 } }
  }[var.capacity]
}
