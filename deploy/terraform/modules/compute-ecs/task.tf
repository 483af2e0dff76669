locals {
  certificates = "/etc/items/certificates/rds.pem"

  settings = merge(var.base_path == "" ? {} : { BASE_PATH = var.base_path }, {
    ENVIRONMENT        = var.environment
    PORT               = tostring(var.port)
    AWS_REGION         = local.region
    DB_HOST            = var.database.host
    DB_PORT            = tostring(var.database.port)
    DB_NAME            = var.database.name
    DB_POOL_MAX        = tostring(var.pool_max)
    DB_SECRET_ID       = var.secret_id
    DB_SSLMODE         = "verify-full"
    DB_SSLROOTCERT     = local.certificates
    HEALTH_DB_GRACE_MS = "180000" # longer than a failover, during which no task may count as unhealthy
    DRAIN_DELAY_MS     = tostring(var.drain.delay * 1000)
    DRAIN_TIMEOUT_MS   = tostring(var.drain.timeout * 1000)
  }, var.settings)

  container = {
    name                   = local.service_name
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    portMappings           = [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }]
    environment            = [for name in sort(keys(local.settings)) : { name = name, value = local.settings[name] }]
    stopTimeout            = var.stop_timeout
    ulimits                = [{ name = "nofile", softLimit = var.files, hardLimit = var.files }]
    linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = true }
    # Whether the process is alive, not whether it is ready: a failed check replaces the task, which helps no database.
    healthCheck = {
      command     = ["CMD", "/usr/local/bin/items", "healthcheck", "--path", "/health/live"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 30
    }
    # Without blocking: a driver that stalls must not stall the service.
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log.group
        awslogs-region        = local.region
        awslogs-stream-prefix = var.log.prefix
        mode                  = "non-blocking"
        max-buffer-size       = "4m"
      }
    }
  }
}

# A change makes a revision and leaves the service at the one that it runs: deploy/refresh puts the latest into service.
# Earlier revisions stay, because a rollback leads to one of them.
resource "aws_ecs_task_definition" "service" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task.cpu
  memory                   = var.task.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])
  skip_destroy             = true
  # The revision that deploy/refresh has registered last, so that a plan compares with that one.
  track_latest = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  lifecycle {
    precondition {
      condition = var.drain.delay + var.drain.timeout + 5 < var.stop_timeout
      error_message = join(" ", [
        "A task that is stopped accepts connections for ${var.drain.delay} s, finishes requests for ${var.drain.timeout} s and needs up",
        "to 5 s to end: more than stop_timeout, after which it is killed. Choose a larger stop_timeout (120 at most) or a shorter drain.",
      ])
    }
  }
}
