locals {
  frontend_name = "frontend"

  page = var.frontend == null ? null : {
    name                   = local.frontend_name
    image                  = var.frontend.image
    essential              = true
    user                   = "101:101"
    readonlyRootFilesystem = true
    portMappings           = [{ containerPort = var.frontend.port, hostPort = var.frontend.port, protocol = "tcp" }]
    stopTimeout            = var.stop_timeout
    # ECS sends the signal that the image names: SIGQUIT, after which nginx answers what it has begun.
    linuxParameters = { capabilities = { drop = ["ALL"] }, initProcessEnabled = true }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = coalesce(var.frontend.log_group, var.log.group)
        awslogs-region        = local.region
        awslogs-stream-prefix = local.frontend_name
        mode                  = "non-blocking"
        max-buffer-size       = "4m"
      }
    }
  }
}

resource "aws_ecs_task_definition" "frontend" {
  #checkov:skip=CKV_AWS_249:the pages need no role at all: only the execution role pulls their image and writes their log
  count = var.frontend == null ? 0 : 1

  family                   = "${var.name}-${local.frontend_name}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.frontend.cpu
  memory                   = var.frontend.memory
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions    = jsonencode([local.page])
  skip_destroy             = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
}

# Pages change with an apply: another image in the variable is rolled out by ECS, and rolled back by its circuit breaker.
resource "aws_ecs_service" "frontend" {
  count = var.frontend == null ? 0 : 1

  name            = local.frontend_name
  cluster         = aws_ecs_cluster.main.arn
  task_definition = aws_ecs_task_definition.frontend[0].arn
  desired_count   = var.frontend.size.desired

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.grace
  availability_zone_rebalancing      = "ENABLED"
  platform_version                   = "LATEST"
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  wait_for_steady_state              = true

  deployment_circuit_breaker {
    enable   = true
    rollback = true
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
    target_group_arn = var.frontend_target_group_arn
    container_name   = local.frontend_name
    container_port   = var.frontend.port
  }

  depends_on = [aws_ecs_cluster_capacity_providers.main, aws_iam_role_policy.execution]

  timeouts {
    create = "15m"
    update = "15m"
  }

  lifecycle {
    ignore_changes = [desired_count]
  }
}
